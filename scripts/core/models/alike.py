"""Leaves out what only autogenerate sees: columns, indexes and constraints that the comparison finds equal.

Autogenerate takes some types for others, and reads the default of a domain as the column's. It does not know that the
schema public may be left out, nor what DDL events create. It gives no name to a constraint for which the models have
none, so that no downgrade can drop it: such a constraint gets the name that PostgreSQL gives.
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from alembic.operations.ops import (
    AddConstraintOp,
    AlterColumnOp,
    CreateForeignKeyOp,
    CreateIndexOp,
    CreateTableOp,
    CreateUniqueConstraintOp,
    DropConstraintOp,
    DropIndexOp,
    ModifyTableOps,
)
from sqlalchemy import Column, Computed, Identity

from scripts.core.models import comparable
from scripts.core.models.compare import ModelComparison

_PART = re.compile(
    rf"{comparable.PART.pattern}(?:, (?P<of>default|comment)|(?P<note>: the models do not state ).*)?", re.DOTALL
)


def changed(found: ModelComparison) -> set[tuple[str, ...]]:
    """Return what differs, each as its kind and the parts of its name: tables, constraints, indexes, columns, defaults
    and comments.

    What could not be created counts: only the revision itself shows whether it runs.
    """
    renamed = [name for pair in found.renamed for name in pair]
    failed = [one.name for one in found.failures]
    lines = [*(one.name for one in found.differences), *failed, *found.notes, *renamed]
    parts = filter(None, map(_PART.fullmatch, lines))
    tables = filter(None, map(comparable.TABLE.fullmatch, lines))
    return {("table", *comparable.parts(one["name"])) for one in tables} | {
        (_kind(one), *comparable.parts(one["table"]), *comparable.parts(one["name"])) for one in parts
    }


def _kind(part: re.Match[str]) -> str:
    return "default" if part["note"] else part["of"] or part["kind"]


def leave_out(found: Any, changed: Collection[tuple[str, ...]]) -> None:
    """Take away each new table, and each change of a column, an index or a constraint, that is not among `changed`.

    Identity and computed columns are of no concern here: see conversions.py and sequences.py.
    """
    found.ops[:] = [one for one in found.ops if not isinstance(one, CreateTableOp) or ("table", *_path(one)) in changed]
    for table in (one for one in found.ops if isinstance(one, ModifyTableOps)):
        if ("table", *_path(table)) not in changed:
            table.ops[:] = _left(table, _path(table), changed)
    found.ops[:] = [one for one in found.ops if not isinstance(one, ModifyTableOps) or one.ops]


def has_default(changed: Collection[tuple[str, ...]]) -> Callable[[Column[Any]], bool]:
    """Return what says whether the default of a column may be among `changed`. Others need not be compared again."""

    def compare(column: Column[Any]) -> bool:
        space = () if column.table.schema in (None, "public") else (column.table.schema,)
        table = (*space, column.table.name)
        names = {("table", *table), ("column", *table, column.name), ("default", *table, column.name)}
        return not names.isdisjoint(changed)

    return compare


def _path(operation: Any) -> tuple[str, ...]:
    """Return the parts of the name of an operation's table, without the schema public."""
    space = () if operation.schema in (None, "public") else (operation.schema,)
    return (*space, operation.table_name)


def _left(table: ModifyTableOps, name: tuple[str, ...], changed: Collection[tuple[str, ...]]) -> Iterator[Any]:
    for one in list(table.ops):
        if isinstance(one, CreateUniqueConstraintOp | CreateForeignKeyOp) and not one.constraint_name:
            one.constraint_name = _usual_name(one, name[-1])
        if isinstance(one, AlterColumnOp):
            _keep(one, {kind for kind, *of in changed if of == [*name, one.column_name]})
            if one.has_changes():
                yield one
        elif not (part := _part(one)) or (part[0], *name, part[1]) in changed:
            yield one


def _usual_name(one: CreateUniqueConstraintOp | CreateForeignKeyOp, table: str) -> str:
    """Return the name that PostgreSQL gives to a constraint, if that is short and free."""
    columns, end = (one.columns, "key") if isinstance(one, CreateUniqueConstraintOp) else (one.local_cols, "fkey")
    return "_".join([table, *columns, end])


def _keep(alter: AlterColumnOp, kinds: Collection[str]) -> None:
    both = alter.modify_server_default, alter.existing_server_default
    if not {"column", "default"} & {*kinds} or any(isinstance(default, Computed | Identity) for default in both):
        alter.modify_server_default = False
    if "comment" not in kinds:
        alter.modify_comment = False
    if "column" not in kinds:
        alter.modify_type = alter.modify_nullable = None


def _part(operation: Any) -> tuple[str, str] | None:
    """Return the kind and the name of an index or a constraint, if it has one."""
    name: Any
    if isinstance(operation, CreateIndexOp | DropIndexOp):
        kind, name = "index", operation.index_name
    elif isinstance(operation, AddConstraintOp | DropConstraintOp):
        kind, name = "constraint", getattr(operation, "constraint_name", None)
    else:
        return None
    return (kind, str(name)) if name else None
