"""The application's own filters, `include_name` and `include_object` in the module of its models, in the comparison."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlalchemy.exc import NoSuchTableError

from scripts.core.models import comparable
from scripts.core.postgres import connections
from scripts.core.revisions import models
from scripts.core.settings import Settings

_KINDS: dict[type[Any], str] = {
    UniqueConstraint: "unique_constraint",
    ForeignKeyConstraint: "foreign_key_constraint",
    CheckConstraint: "check_constraint",
    Index: "index",
}
"""Alembic's words. It does not ask about primary keys."""


def left_out(files: Settings, names: Sequence[str]) -> set[str]:
    """Return those of the names, as in Schema, that the filters leave out. This runs in the child."""
    metadata = models.metadata()
    if not models.has_filters():
        return set()
    with connections.connect(files) as connection:
        return {name for name in names if _is_left_out(name, metadata, connection)}


def _is_left_out(name: str, metadata: MetaData, connection: Connection) -> bool:
    if not (of := comparable.TABLE.match(name)):
        return False
    *schema, table = comparable.parts(of["name"])
    default = str(connection.dialect.default_schema_name)
    space = schema[0] if schema else default
    described = next((one for one in metadata.tables.values() if _names(one, default) == (space, table)), None)
    found = _reflected(table, schema[0] if schema else None, connection)
    parents = {"schema_name": schema[0] if schema else None, "schema_qualified_table_name": ".".join([*schema, table])}
    if not _asks(table, "table", parents, described, found):
        return True
    if not (part := comparable.PART.match(name)):
        return False
    (called,) = comparable.parts(part["name"])
    both = [_part(one, part["kind"], called, connection) for one in (described, found)]
    kind = "column" if part["kind"] == "column" else _KINDS.get(type(both[0] if both[0] is not None else both[1]), "")
    return bool(kind) and not _asks(called, kind, parents | {"table_name": table}, *both)


def _asks(name: str, kind: str, parents: dict[str, Any], described: Any, found: Any) -> bool:
    """Ask as Alembic does: about the model's object, if there is one, and about the name that the database has."""
    include_name, include_object = models.filters()
    if not include_name(name, kind, parents):
        return False
    if described is None and found is None:
        return True
    one, other = (found, None) if described is None else (described, found)
    return include_object(one, name, kind, described is None, other)


def _names(table: Table, default: str) -> tuple[str, str]:
    return table.schema or default, table.name


def _reflected(name: str, schema: str | None, connection: Connection) -> Table | None:
    try:
        return Table(name, MetaData(), schema=schema, autoload_with=connection, resolve_fks=False)
    except NoSuchTableError:
        return None


def _part(table: Table | None, kind: str, name: str, connection: Connection) -> Any:
    if table is None:
        return None
    if kind == "column":
        return table.columns.get(name)
    prepared = connection.dialect.identifier_preparer
    spelled = prepared.format_index if kind == "index" else prepared.format_constraint
    every: Any = table.indexes if kind == "index" else table.constraints
    every = [one for one in every if one.name is not None]
    return next((one for one in every if comparable.parts(str(spelled(one) or ""))[-1:] == (name,)), None)
