"""What the models own: every table, sequence, enum and domain that the metadata reaches. This runs in the child."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ARRAY, Connection, DefaultClause, MetaData, Sequence, Table, TypeDecorator, text
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.dialects.postgresql.named_types import NamedType
from sqlalchemy.types import SchemaType, TypeEngine

from scripts.core import files_read, variables_read
from scripts.core.postgres import connections
from scripts.core.revisions import models, unimported
from scripts.core.revisions.last_comparison import Reads
from scripts.core.settings import Settings

ObjectKind = Literal["table", "sequence", "enum", "domain", "view"]

OWNED = "unnest(CAST(:schemas AS name[]), CAST(:names AS name[])) AS owned (schema, name)"
"""The FROM clause for objects of the models, for the values of `listed`."""
_NEXT = re.compile(r"nextval\(\s*'([^']+)'", re.IGNORECASE)
_SEQUENCES = text("""SELECT nspname::text, relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind = 'S' AND c.oid IN (SELECT to_regclass(name) FROM unnest(CAST(:names AS text[])) name)""")


@dataclass(frozen=True)
class Owned:
    """An object that the models describe."""

    kind: ObjectKind
    schema: str
    name: str
    place: str = ""
    """The file and line of a table's model."""
    made: bool = True
    """False for a sequence that the models do not make: the text of a default names it."""
    indexes: tuple[tuple[str, str], ...] = ()
    """Each index of a table with each storage parameter that the models state, or with none."""


@dataclass(frozen=True)
class Described:
    owned: list[Owned]
    reads: Reads
    has_filters: bool
    views: list[Owned]
    """The views that SQLAlchemy makes. Only whether they are there is compared."""


def owned(copy: Settings) -> Described:
    """Return what the models own. Raise UserError if they cannot be imported."""
    with files_read.noted() as files, variables_read.noted() as variables:
        metadata = models.metadata()
    before = unimported.reads()
    reads = Reads({*before.files, *files}, {*before.variables, *variables})
    with connections.connect(copy) as connection:
        return Described(of(metadata, connection), reads, models.has_filters(), _views(metadata, connection))


def listed(owned: Collection[Owned]) -> dict[str, list[str]]:
    return {"schemas": [one.schema for one in owned], "names": [one.name for one in owned]}


def of(metadata: MetaData, connection: Connection) -> list[Owned]:
    default = str(connection.dialect.default_schema_name)
    found = [
        Owned("table", one.schema or default, one.name, models.place_of(one), indexes=tuple(_indexes(one)))
        for one in tables(metadata)
    ]
    found += [Owned("sequence", one.schema or default, one.name) for one in sequences(metadata)]
    named = connection.execute(_SEQUENCES, {"names": list(_named_in_defaults(metadata))}).tuples()
    for schema, name in named:
        if Owned("sequence", schema, name) not in found:
            found.append(Owned("sequence", schema, name, made=False))
    for one in _types(metadata, connection.dialect):
        found.append(Owned("domain" if isinstance(one, DOMAIN) else "enum", one.schema or default, str(one.name)))
    return list(dict.fromkeys(found))


def tables(metadata: MetaData) -> list[Table]:
    """Return the tables that the models own. The application may leave out some, and a view may look like a table.

    SQLAlchemy's own views say so, and Alembic's cookbook marks others in `info`.
    """
    every = (table for table in metadata.tables.values() if not getattr(table, "is_view", False))
    return [table for table in models.included(every) if not table.info.get("is_view")]


def _views(metadata: MetaData, connection: Connection) -> list[Owned]:
    default = str(connection.dialect.default_schema_name)
    every = models.included(table for table in metadata.tables.values() if getattr(table, "is_view", False))
    return [Owned("view", view.schema or default, view.name) for view in every]


def _indexes(table: Table) -> Iterator[tuple[str, str]]:
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        stated = index.dialect_options["postgresql"]["with"]
        yield from ((str(index.name), parameter.lower()) for parameter in ["", *stated])


def sequences(metadata: MetaData) -> Iterator[Sequence]:
    yield from metadata._sequences.values()
    for table in tables(metadata):
        yield from (one.default for one in table.columns if isinstance(one.default, Sequence))


def _named_in_defaults(metadata: MetaData) -> Iterator[str]:
    for column in (column for table in tables(metadata) for column in table.columns):
        if isinstance(column.server_default, DefaultClause):
            yield from _NEXT.findall(str(getattr(column.server_default.arg, "text", "")))


def _types(metadata: MetaData, dialect: Any) -> Iterator[Any]:
    for table in tables(metadata):
        for column in table.columns:
            yield from _named(column.type, dialect)
    for one in sorted(_alone(metadata), key=lambda one: str(one.name)):
        yield from _named(one, dialect)


def _alone(metadata: MetaData) -> list[Any]:
    """Return the types that no column needs to have. Before SQLAlchemy 2.1 they only listen to their metadata."""
    if not hasattr(metadata, "_objects"):
        listening = (getattr(one, "target", None) for one in metadata.dispatch.before_create)
        return [one for one in listening if isinstance(one, SchemaType) and one.metadata is metadata]
    return [one for one in metadata._objects if isinstance(one, SchemaType)]


def _named(of: TypeEngine[Any], dialect: Any) -> Iterator[Any]:
    """Yield the types with a name of their own that CREATE TABLE needs first."""
    if isinstance(of, TypeDecorator):
        yield from _named(of.load_dialect_impl(dialect), dialect)
    elif isinstance(of, ARRAY):
        yield from _named(of.item_type, dialect)
    elif isinstance(found := of.dialect_impl(dialect), NamedType) and found.create_type:
        yield found
