"""Schemas, types and sequences that the revision files lack. Autogenerate writes only tables, which need them.

op.create_table() makes the types of its columns and nothing drops them; op.add_column() makes none. So the revision
makes and drops each type by itself, and its columns only name it.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from alembic.operations.ops import AddColumnOp, AlterColumnOp, CreateTableOp, OpContainer
from sqlalchemy import ARRAY, Column, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.named_types import NamedType

from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.schema.compare import Difference
from scripts.core.schema.fingerprint import Schema

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def statements(differences: Sequence[Difference], described: Schema) -> Iterator[tuple[list[Sql], Sql]]:
    """Yield the statements that create each missing object, and the one that drops it. Schemas come first."""
    for kind in ("schema", "enum", "domain"):
        for one in differences:
            if one.name.startswith(f"{kind} ") and ", " not in one.name and one.found is None:
                yield _of(kind, one.name.removeprefix(f"{kind} "), str(one.expected), described)


def _of(kind: str, name: str, expected: str, described: Schema) -> tuple[list[Sql], Sql]:
    if kind == "schema":
        quoted = sql.typed(name)
        return [compose("CREATE SCHEMA {}", quoted)], compose("DROP SCHEMA {}", quoted)
    if kind == "enum":
        return enum(name, expected)
    checks, start = list[Sql](), f"domain {name}, constraint "
    for part, definition in described.objects.items():
        if part.startswith(start):
            given = spelled(part.removeprefix(start)), spelled(str(definition))
            checks.append(compose("ALTER DOMAIN {} ADD CONSTRAINT {} {}", spelled(name), *given))
    up = compose("CREATE DOMAIN {} AS {}", spelled(name), spelled(expected))
    return [up, *checks], compose("DROP DOMAIN {}", spelled(name))


def enum(name: str, definition: str) -> tuple[list[Sql], Sql]:
    """Return the statements that create an enum of this name and definition in Schema, and the one that drops it."""
    labels = "" if definition == "EMPTY" else definition
    up = compose("CREATE TYPE {} AS ENUM ({})", spelled(name), spelled(labels))
    return [up], compose("DROP TYPE {}", spelled(name))


def only_name(found: OpContainer) -> None:
    """Let the columns of these operations name their types and create none, and need no class of the application.

    The columns of the models stay as they are, because they are compared again.
    """
    for one in found.ops:
        if isinstance(one, OpContainer):
            only_name(one)
        elif isinstance(one, CreateTableOp):
            one.columns = [_naming(part) if isinstance(part, Column) else part for part in one.columns]
        elif isinstance(one, AddColumnOp):
            one.column = _naming(one.column)
        elif isinstance(one, AlterColumnOp):
            one.kw.pop("autoincrement", None)  # of MySQL: Alembic warns of it
            if one.modify_type is not None:
                one.modify_type = _named(one.modify_type)


def _naming(column: Column[Any]) -> Column[Any]:
    made = column._copy()
    made.type = _named(column.type)
    return made


def _named(of: Any) -> Any:
    """Return the type as it is, one that does not create itself, or what a type of the application stores."""
    if isinstance(of, TypeDecorator):
        if not isinstance(of.dialect_impl(_DIALECT), TypeDecorator):  # the dialect's own, as for sa.Interval
            return of
        return _named(of.load_dialect_impl(_DIALECT))
    if isinstance(of, ARRAY):
        item = _named(of.item_type)
        if item is of.item_type:
            return of
        array = copy.copy(of)
        array.item_type = item
        return array
    found: Any = of.dialect_impl(_DIALECT)
    if not isinstance(found, NamedType) or not found.create_type or "create_type=False" in repr(found):
        return of  # it creates itself no more, or a plug-in of Alembic writes so
    made = copy.copy(found)
    vars(made).update(create_type=False, _create_events=True)  # the second so that it is not rendered
    return made
