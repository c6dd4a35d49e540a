"""A new column that is NOT NULL needs a value for the rows that are there: FILL=users.plan=free."""

from collections.abc import Iterator
from itertools import chain

from alembic.operations.ops import AddColumnOp, ModifyTableOps, OpContainer
from sqlalchemy import DefaultClause

from scripts.core.cli import console
from scripts.core.errors import USAGE, UserError
from scripts.core.models import answers, columns, comparable, operations
from scripts.core.models.compare import ModelComparison

Fills = dict[str, str | None]
"""The value of each such column, such as users.plan. None: there is none, so the column becomes nullable."""


def decide(found: ModelComparison, given: str) -> Fills:
    """Return the values, as FILL says, or as the user says on a terminal.

    Raise UserError if FILL names another column.
    """
    needed = list(_needed(found))
    said = {comparable.parts(name): answers.value(value) for name, value in answers.split(given, "=", "FILL")}
    for name in said.keys() - set(map(comparable.parts, needed)):
        raise UserError(
            f"FILL={'.'.join(name)} does not fit.",
            why="The models add no column of this name to an existing table, or it needs no value: it may be NULL, or"
            " has a default.",
            do="FILL=table.column=value",
            state="no revision was written.",
            code=USAGE,
        )
    return {name: said[parts] if (parts := comparable.parts(name)) in said else _asked(name) for name in needed}


def into(found: OpContainer, fills: Fills) -> None:
    """Give each such column a default, with which PostgreSQL rewrites and scans nothing, or let it be NULL."""
    values = {comparable.parts(name): value for name, value in fills.items()}
    for one in chain.from_iterable(table.ops for table in found.ops if isinstance(table, ModifyTableOps)):
        name = (*operations.table(one), getattr(getattr(one, "column", None), "name", ""))
        if isinstance(one, AddColumnOp) and name in values:
            value, one.column = values[name], one.column._copy()
            one.column.nullable = value is None
            one.column.server_default = None if value is None else DefaultClause(value)


def _needed(found: ModelComparison) -> Iterator[str]:
    """Yield the new columns of existing tables that take a value, may not be NULL, and have no default."""
    for one in found.differences:
        part = comparable.PART.fullmatch(one.name)
        column = columns.COLUMN.fullmatch(one.expected or "") if one.found is None else None
        if not part or part["kind"] != "column" or not column or not column["not_null"]:
            continue
        if not (column["identity"] or column["computed"] or one.name in found.described_defaults):
            yield f"{part['table']}.{part['name']}"


def _asked(name: str) -> str | None:
    return console.ask(f"Value of {name} in the rows that are there (none: it may be NULL for now):") or None
