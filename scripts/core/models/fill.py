"""A new column that is NOT NULL needs a value for the rows that are there: FILL=users.plan=free."""

import re
import shlex
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from alembic.operations.ops import AddColumnOp, ModifyTableOps, OpContainer
from sqlalchemy import DefaultClause

from scripts.core import revision_files
from scripts.core.cli import console
from scripts.core.errors import USAGE, UserError
from scripts.core.models import answers, columns, comparable, operations
from scripts.core.models.compare import ModelComparison
from scripts.core.revisions import history, sources
from scripts.core.revisions.history import History
from scripts.core.typed_names import typed

_COLUMN = rf"(?:^|, )({comparable.QUOTED})"
_UNIQUE = re.compile(
    r"(?:CREATE UNIQUE INDEX .* \(|(?:UNIQUE(?: NULLS NOT DISTINCT)?|PRIMARY KEY) \()"
    r"(?P<columns>(?:\"(?:[^\"]|\"\")*\"|[^()\"])*)\)(?: INCLUDE \(.*\))?(?: NULLS NOT DISTINCT)?"
    r"(?: DEFERRABLE.*)?",
    re.DOTALL,
)
Fills = dict[str, str | None]
"""The value of each such column, such as users.plan. None: there is none, so the column becomes nullable."""


def decide(found: ModelComparison, given: str, revisions: History) -> Fills:
    """Return the values, as FILL says, or as the user says on a terminal.

    Raise UserError if FILL names another column or a unique one, or if one needs a value that may not be NULL for now.
    """
    needed = dict(_needed(found))
    names = {comparable.parts(name): name for name in needed}
    said = {comparable.parts(name): answers.value(value) for name, value in answers.split(given, "=", "FILL")}
    for name in said.keys() - names.keys():
        raise _refused(".".join(name), *_known(name, found, revisions))
    fills = {name: said[parts] if parts in said else _asked(name, needed[name]) for parts, name in names.items()}
    for column, value in fills.items():
        if value is not None and (unique := _unique(column, found, fills)):
            why = f"{unique} is unique, and each row would get the same value."
            do = f"leave FILL out: then {column} may be NULL for now. Then give each row its own value"
            raise _refused(column, why, f'{do} (make revision m="…" EMPTY=1). The next make revision makes it NOT NULL')
        if value is None and needed[column]:
            raise UserError(
                f"{column} needs a value in the rows that are there.",
                why=f"Its domain {needed[column]} is NOT NULL, so it cannot be NULL for now.",
                do=f"FILL={shlex.quote(typed(f'{column}=value'))}",
                state="no revision was written.",
            )
    return fills


def _refused(name: str, why: str, do: str) -> UserError:
    return UserError(f"FILL={typed(name)} does not fit.", why=why, do=do, state="no revision was written.", code=USAGE)


def _known(name: tuple[str, ...], found: ModelComparison, revisions: History) -> tuple[str, str]:
    """Return why no new column has this name, and what to do: a revision file may add it."""
    parts = filter(None, map(comparable.PART.fullmatch, found.made.objects))
    if not any((*comparable.parts(one["table"]), *comparable.parts(one["name"])) == name for one in parts):
        return (
            "The models add no column of this name to an existing table, or it needs no value: it may be NULL, or"
            " has a default.",
            "FILL=table.column=value",
        )
    rows = 'give the rows a value: make revision m="…" EMPTY=1. The next make revision makes it NOT NULL'
    table, column = map(re.escape, name[-2:])
    adds = re.compile(rf"""add_column\(\s*["']{table}["'],\s*sa\.Column\(\s*["']{column}["']""")
    newest = history.script(revisions, history.head(revisions))
    if adds.search(sources.text(Path(newest.path))):
        path = revision_files.shown(newest.path)
        do = (
            f"if no database has run that file, remove it, and type the same again: rm {shlex.quote(path)}. If one has,"
        )
        return f"{path} adds this column already.", f"{do} {rows}"
    return "The revision files add this column already.", rows


def _unique(name: str, found: ModelComparison, fills: Fills) -> str:
    """Return the constraint or index that allows each value of these columns once, if any."""
    table = comparable.parts(name)[:-1]
    same = {comparable.parts(one)[-1] for one, value in fills.items() if value and comparable.parts(one)[:-1] == table}
    for part in filter(None, map(comparable.PART.fullmatch, found.described.objects)):
        key = _UNIQUE.fullmatch(found.described.objects[part[0]])
        columns_of = {comparable.parts(one)[0] for one in re.findall(_COLUMN, key["columns"])} if key else set()
        if key and comparable.parts(part["table"]) == table and comparable.parts(name)[-1] in columns_of <= same:
            return f"{part['kind']} {part['name']}"
    return ""


def into(found: OpContainer, fills: Fills) -> None:
    """Give each such column a default, with which PostgreSQL rewrites and scans nothing, or let it be NULL."""
    values = {comparable.parts(name): value for name, value in fills.items()}
    for one in chain.from_iterable(table.ops for table in found.ops if isinstance(table, ModifyTableOps)):
        name = (*operations.table(one), getattr(getattr(one, "column", None), "name", ""))
        if isinstance(one, AddColumnOp) and name in values:
            value, one.column = values[name], one.column._copy()
            one.column.nullable = one.column.nullable or value is None  # a domain may be NOT NULL by itself
            one.column.server_default = None if value is None else DefaultClause(value)


def _needed(found: ModelComparison) -> Iterator[tuple[str, str]]:
    """Yield the new columns of existing tables that take a value, may not be NULL, and have no default.

    Yield also the domain that does not allow NULL, if that is why.
    """
    for one in found.differences:
        part = comparable.PART.fullmatch(one.name)
        column = columns.COLUMN.fullmatch(one.expected or "") if one.found is None else None
        if not part or part["kind"] != "column" or not column:
            continue
        domain = _domain(column["type"], found)
        is_filled = column["identity"] or column["computed"] or one.name in found.described_defaults
        if (column["not_null"] or domain) and not is_filled:
            yield f"{part['table']}.{part['name']}", domain


def _domain(name: str, found: ModelComparison) -> str:
    """Return the name of a type if it is a domain that is NOT NULL and has no default, or is based on one."""
    name = name.removeprefix("public.")
    text = found.described.objects.get(f"domain {name}") or found.made.objects.get(f"domain {name}")
    domain = columns.COLUMN.fullmatch(text) if text else None
    if not domain or domain["default"]:
        return ""
    return name if domain["not_null"] or _domain(domain["type"], found) else ""


def _asked(name: str, domain: str) -> str | None:
    without = "" if domain else " (none: it may be NULL for now)"
    return console.ask(f"Value of {name} in the rows that are there{without}:") or None
