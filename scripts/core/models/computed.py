"""Columns that are computed, computed in another way, or no longer."""

import re

from scripts.core.models import columns
from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.schema.fingerprint import Schema


def loses_values(was: re.Match[str], wanted: re.Match[str]) -> bool:
    """Return whether values of the rows are lost: those of a column that is computed now, or that stored none."""
    return is_new(was, wanted) or bool(was["computed"] and not wanted["computed"] and not is_stored(was))


def is_new(was: re.Match[str], wanted: re.Match[str]) -> bool:
    return bool(wanted["computed"]) and not was["computed"]


def is_stored(column: re.Match[str]) -> bool:
    return str(column["computed"] or "").endswith("STORED")


def changed(
    column: str, both: tuple[re.Match[str], re.Match[str]], default: str | None, cast: str, schema: Schema
) -> list[Sql]:
    """Return the statements that compute a column in another way, or no longer: then stored values stay.

    `both` are its definitions now and after. `cast` follows its name where its type changes.
    """
    was, wanted = both
    table, name = columns.names(column)
    value = compose(" DEFAULT {}", spelled(default)) if default is not None else Sql()
    if wanted["computed"] or not is_stored(was):
        return [compose("ALTER TABLE {} DROP {}", table, name), *added(column, wanted[0], schema, value)]
    alter = compose("ALTER TABLE {} ALTER {}", table, name)
    using = compose("{} TYPE {} USING {}{}", alter, spelled(wanted["type"]), name, spelled(cast))
    return [
        compose("{} DROP EXPRESSION", alter),
        *[using] * (was["type"] != wanted["type"]),
        *([compose("{} SET{}", alter, value)] if value else []),
    ]


def added(column: str, definition: str, schema: Schema, default: Sql = Sql()) -> list[Sql]:  # noqa: B008 - a text
    """Return the statements that add a column, with the comment that it has in a schema."""
    table, name = columns.names(column)
    statements = [compose("ALTER TABLE {} ADD {} {}{}", table, name, spelled(definition), default)]
    comment = schema.objects.get(f"{column}, comment")
    if comment is not None:
        statements.append(compose("COMMENT ON COLUMN {}.{} IS {}", table, name, sql.value(comment)))
    return statements
