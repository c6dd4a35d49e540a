"""Autogenerate's knowledge of PostgreSQL, corrected where it stops or writes something else than the models say.

Alembic uses the last class that is defined for a dialect.
"""

import re
from functools import cached_property
from typing import Any

from alembic.autogenerate import render
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import ClauseElement, Connection, TextClause, text
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import ARRAY, NullType, String, UserDefinedType

from scripts.core.postgres import sql

HAS_DEFAULT = "has_default"
"""Our own option for `context.configure`: see Compared in request.py."""
_OWNERS = text("""SELECT nspname, t.relname, attname, current_schema(), s.relname
    FROM pg_depend d JOIN pg_class s ON s.oid = objid AND s.relkind = 'S'
    JOIN pg_attribute ON (attrelid, attnum) = (refobjid, refobjsubid) JOIN pg_class t ON t.oid = attrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace WHERE deptype = 'a'""")
_OF_PARTITIONS = text("""SELECT nspname, relname, conname, current_schema() FROM pg_constraint
    JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE contype = 'f' AND conparentid <> 0""")
_TYPES = text("""SELECT nspname, relname, attname, current_schema(), format_type(atttypid, atttypmod)
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid AND relkind IN ('r', 'p', 'f')
    JOIN pg_namespace n ON n.oid = relnamespace WHERE attnum > 0 AND NOT attisdropped""")
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")
_CAST = re.compile(r"::[\w .\"]+(\[\])*\Z")


class NamedType(UserDefinedType[Any]):
    """A type of the database that SQLAlchemy does not know, as PostgreSQL writes its name."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = sql.for_psycopg2(name)

    def get_col_spec(self, **_options: Any) -> str:
        return self.name

    @property
    def code(self) -> str:
        """Return the code that makes such a type in a revision, which imports nothing of this project."""
        return f'type("Type", (sa.types.UserDefinedType,), {{"get_col_spec": lambda *_, **__: {self.name!r}}})()'


def render_item(kind: str, item: Any, context: Any) -> str | bool:
    """Write defaults with their quotes. Import the module of a type that is not SQLAlchemy's.

    Alembic writes the type's name with the module.
    """
    if kind == "server_default" and isinstance(getattr(item, "arg", None), str):
        return repr(item.arg)
    if code := _code(item, context):
        return code
    if kind == "type" and not type(item).__module__.startswith(("sqlalchemy.", "alembic.")):
        context.imports.add(f"import {type(item).__module__}")
    return False


def _code(found: Any, context: AutogenContext) -> str:
    """Return the code of a type that SQLAlchemy does not know, or of one with a name that creates nothing.

    Return nothing for any other. SQLAlchemy 2.0 and older Alembics do not write that it creates nothing.
    """
    if isinstance(found, NamedType):
        return found.code
    if not isinstance(found, ENUM | DOMAIN) or found.create_type:
        return ""
    context.imports.add("from sqlalchemy.dialects import postgresql")
    schema = f", schema={str(found.schema)!r}" if found.schema else ""
    if isinstance(found, DOMAIN):
        of = render._repr_type(found.data_type, context)
        return f"postgresql.DOMAIN({str(found.name)!r}, {of}, create_type=False{schema})"
    labels = "".join(f"{label!r}, " for label in found.enums)
    return f"postgresql.ENUM({labels}name={str(found.name)!r}, create_type=False{schema})"


def keys_of_partitions(connection: Connection) -> set[tuple[str | None, str, str]]:
    """Return the schema, the table and the name of each foreign key that is a part of another one.

    PostgreSQL makes one for each partition of the table that a key refers to. SQLAlchemy reads them as keys.
    """
    rows = connection.execute(_OF_PARTITIONS).all()
    return {(space, table, name) for schema, table, name, default in rows for space in _spellings(schema, default)}


def _spellings(schema: str, default: str) -> set[str | None]:
    return {schema, None} if schema == default else {schema}


class CorrectedImpl(PostgresqlImpl):
    __dialect__ = "postgresql"

    def render_ddl_sql_expr(
        self, expr: ClauseElement, is_server_default: bool = False, is_index: bool = False, **options: Any
    ) -> str:
        """Return the text for sa.text(): the driver's doubled signs are single there, and :name has a backslash."""
        found = sql.sent(super().render_ddl_sql_expr(expr, is_server_default, is_index, **options))
        return found if is_index else _PARAMETER.sub(r"\\:", found)

    def autogen_column_reflect(self, inspector: Any, table: Any, column_info: dict[str, Any]) -> None:
        """Leave out the default of a serial column: it takes its values from a sequence that it owns.

        SQLAlchemy makes text() of what it reads, in which :name is a parameter. It does not know all types.
        """
        column = table.schema, table.name, column_info["name"]
        if _is_unknown(column_info["type"]) and (found := _of_columns(inspector, _TYPES).get(column)):
            column_info["type"] = NamedType(found)
        for of, key in ((column_info, "default"), (column_info.get("computed") or {}, "sqltext")):
            if of.get(key):
                of[key] = _PARAMETER.sub(r"\\:", of[key])
        if not str(column_info.get("default") or "").startswith("nextval("):
            return
        if column in _of_columns(inspector, _OWNERS):
            del column_info["default"]

    @cached_property
    def _of_partitions(self) -> set[tuple[str | None, str, str]]:
        assert self.connection is not None
        return keys_of_partitions(self.connection)

    def correct_for_autogen_foreignkeys(self, conn_fks: set[Any], metadata_fks: set[Any]) -> None:
        super().correct_for_autogen_foreignkeys(conn_fks, metadata_fks)
        for one in [*conn_fks]:
            if (one.table.schema, one.table.name, one.name) in self._of_partitions:
                conn_fks.remove(one)

    def compare_type(self, inspector_column: Any, metadata_column: Any) -> bool:
        """Return whether types differ. As for all that SQLAlchemy does not know, the models' database says so."""
        if isinstance(inspector_column.type, NamedType):
            return False
        return super().compare_type(inspector_column, metadata_column)

    def compare_server_default(self, inspector_column: Any, metadata_column: Any, wanted: Any, found: Any) -> bool:
        """Return whether defaults differ. PostgreSQL cannot compare all of them: some types have no such operator."""
        assert self.connection is not None
        asks = self.context_opts.get(HAS_DEFAULT)
        if asks and not asks(metadata_column):
            return False
        tried = self.connection.begin_nested()
        try:
            differs = super().compare_server_default(  # type: ignore[no-untyped-call]
                inspector_column, metadata_column, wanted, found
            )
        except DBAPIError:
            tried.rollback()
            return _CAST.sub("", str(found)) != _CAST.sub("", str(wanted))
        tried.rollback()
        return bool(differs)


def _is_unknown(of: Any) -> bool:
    """Return whether SQLAlchemy reads a type as none at all, or as the text that it is not: name and "char"."""
    return isinstance(of.item_type if isinstance(of, ARRAY) else of, NullType) or type(of) is String


def _of_columns(inspector: Any, query: TextClause) -> dict[tuple[str | None, str, str], str]:
    """Return what the query reads of columns, each by its schema, its table and its name. The inspector keeps it."""
    known = inspector.info_cache
    if query not in known:
        with inspector._operation_context() as connection:
            rows = connection.execute(query).all()
        known[query] = {
            (name, table, column): found
            for schema, table, column, default, found in rows
            for name in _spellings(schema, default)
        }
    found: dict[tuple[str | None, str, str], str] = known[query]
    return found
