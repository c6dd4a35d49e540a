"""Columns in Schema: what their definitions say, and which are changed."""

import re
from collections.abc import Iterator

from scripts.core.models import comparable
from scripts.core.models.compare import ModelComparison
from scripts.core.postgres.sql import Sql, spelled

COLUMN = re.compile(
    rf"(?P<type>.+?)(?P<collate> COLLATE {comparable.NAME})?(?: DEFAULT (?P<default>.+?))?"
    r"(?P<computed> GENERATED ALWAYS AS \(.+\) (?:STORED|VIRTUAL))?"
    r"(?: GENERATED (?P<identity>ALWAYS|BY DEFAULT) AS IDENTITY)?(?P<not_null> NOT NULL)?",
    re.DOTALL,
)
"""A column's definition in Schema."""


def changed(found: ModelComparison) -> Iterator[tuple[str, re.Match[str], re.Match[str]]]:
    """Yield the name of each column that has another definition, with both definitions."""
    for one in found.differences:
        name = comparable.PART.fullmatch(one.name)
        if name and name["kind"] == "column" and one.expected and one.found:
            was, wanted = COLUMN.fullmatch(one.found), COLUMN.fullmatch(one.expected)
            if was and wanted:
                yield one.name, was, wanted


def names(column: str) -> tuple[Sql, Sql]:
    """Return the table and the column of a name in Schema."""
    found = comparable.PART.fullmatch(column)
    assert found
    return spelled(found["table"]), spelled(found["name"])
