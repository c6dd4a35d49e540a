"""How many rows stand in a statement's way, and their keys; never their contents.

What PostgreSQL says of an error may hold contents of rows, so none of it becomes SQL. Its fields are looked up in
catalogs. A constraint that failed is in none; it is in that of a copy without rows, on which the same revision runs.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from scripts.core import copies, postgres, scratch, shadow
from scripts.core.errors import UserError
from scripts.core.mutex import Tell
from scripts.core.reports.words import counted
from scripts.core.scratch import Scratch
from scripts.core.settings import Settings

SHOWN = 5
NOT_NULL, FOREIGN_KEY, UNIQUE, TOO_LONG = "23502", "23503", "23505", "22001"
NOT_COUNTED = "The rows in the way are not counted: "

_TABLE = (
    "FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = :schema AND t.relname = :table"
)
_COLUMN = text(
    "SELECT format('%I.%I', n.nspname, t.relname) AS name, (SELECT quote_ident(attname) FROM pg_attribute"
    f" WHERE attrelid = t.oid AND attname = :column AND NOT attisdropped) AS column {_TABLE}"
)
_INDEX = text(
    "SELECT format('%I.%I', n.nspname, t.relname) AS name, pg_get_expr(i.indpred, t.oid) AS predicate,"
    " ARRAY(SELECT pg_get_indexdef(i.indexrelid, key, true) FROM generate_series(1, i.indnkeyatts) key) AS keys"
    f" {_TABLE.replace('WHERE', 'JOIN pg_index i ON i.indrelid = t.oid WHERE')}"
    " AND i.indisunique AND i.indexrelid IN (SELECT oid FROM pg_class WHERE relname = :constraint)"
)
_FOREIGN_KEY = text(
    "SELECT format('%I.%I', n.nspname, t.relname) AS name, (SELECT format('%I.%I', nspname, relname) FROM pg_class r"
    " JOIN pg_namespace ON pg_namespace.oid = r.relnamespace WHERE r.oid = c.confrelid) AS referenced,"
    " ARRAY(SELECT quote_ident(attname) FROM unnest(c.conkey) WITH ORDINALITY key (number, place)"
    " JOIN pg_attribute ON attrelid = c.conrelid AND attnum = number ORDER BY place) AS keys,"
    " ARRAY(SELECT quote_ident(attname) FROM unnest(c.confkey) WITH ORDINALITY key (number, place)"
    " JOIN pg_attribute ON attrelid = c.confrelid AND attnum = number ORDER BY place) AS others"
    f" {_TABLE.replace('WHERE', 'JOIN pg_constraint c ON c.conrelid = t.oid WHERE')}"
    " AND c.contype = 'f' AND c.conname = :constraint"
)
# A text has no length; the length of the others is counted with the four bytes of its own.
_LENGTHS = text(
    "SELECT format('%I.%I', n.nspname, t.relname) AS name, quote_ident(attname) AS column,"
    " CASE WHEN atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND atttypmod > 0 THEN atttypmod - 4 END AS length"
    " FROM pg_attribute JOIN pg_class t ON t.oid = attrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
    " WHERE t.oid >= 16384 AND t.relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2"
)
_PRIMARY = text(
    "SELECT quote_ident(a.attname) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
    " AND a.attnum = ANY(i.indkey) WHERE i.indrelid = to_regclass(:table) AND i.indisprimary ORDER BY a.attnum"
)


@dataclass(frozen=True)
class Clue:
    """What PostgreSQL says of an error, to be looked up in catalogs."""

    code: str
    schema: str
    table: str
    column: str
    constraint: str


@dataclass(frozen=True)
class _Rows:
    """Of a table, in SQL that a catalog has spelled."""

    table: str
    condition: str


def clue(error: BaseException | None) -> Clue | None:
    """What an error says of the rows that are in the way, or None."""
    found: Any = getattr(getattr(error, "orig", None), "diag", None)
    if not isinstance(error, DBAPIError) or error.connection_invalidated or not found:
        return None
    named = (found.schema_name, found.table_name, found.column_name, found.constraint_name)
    return Clue(str(found.sqlstate), *(value or "" for value in named))


def describe(server: Scratch, copy: Settings, found: Clue | None, revision: str, tell: Tell) -> list[str]:
    """Lines about the rows that made `revision` fail on `copy`, which is as it was before; none for other errors."""
    if not found or found.code not in (NOT_NULL, FOREIGN_KEY, UNIQUE, TOO_LONG):
        return []
    try:
        empty = copy if found.code == NOT_NULL else _without_rows(server, copy, revision, tell)
    except UserError:
        return [f"{NOT_COUNTED}the revision cannot run on a copy without rows."]
    with postgres.patient(copy, isolation_level="AUTOCOMMIT") as connection, postgres.connect(empty) as catalog:
        for rows in _in_the_way(catalog, connection, found):
            with suppress(DBAPIError):  # of a column, say, that the revision makes or renames
                if told := list(_lines(connection, rows)):
                    return told
    return [f"{NOT_COUNTED}no catalog has what failed, or the revision made it."]


def _without_rows(server: Scratch, copy: Settings, revision: str, tell: Tell) -> Settings:
    """The same schema, on which the revision has run."""
    made = copies.schema(server, scratch.as_administrator(server, copy))
    shadow.run(server, made, [revision], tell)
    return made


def _in_the_way(catalog: Connection, connection: Connection, found: Clue) -> Iterator[_Rows]:
    """The tables, and what is true of the rows there that are in the way."""
    if found.code == TOO_LONG:
        yield from _too_long(catalog, connection)
        return
    query = {NOT_NULL: _COLUMN, UNIQUE: _INDEX, FOREIGN_KEY: _FOREIGN_KEY}[found.code]
    row = catalog.execute(query, {**vars(found)}).one_or_none()
    if row is None:
        return
    if found.code == NOT_NULL and row.column:
        yield _Rows(row.name, f"{row.column} IS NULL")
    if found.code == UNIQUE:
        keys, those = ", ".join(row.keys), f"({row.predicate or 'true'})"
        same = f"SELECT {keys} FROM {row.name} WHERE {those} GROUP BY {keys} HAVING count(*) > 1"
        yield _Rows(row.name, f"{those} AND ({keys}) IN ({same})")
    if found.code == FOREIGN_KEY:
        yield _Rows(row.name, _dangling(row.keys, row.referenced, row.others))


def _dangling(keys: Sequence[str], referenced: str, others: Sequence[str]) -> str:
    given = " AND ".join(f"t.{key} IS NOT NULL" for key in keys)
    same = " AND ".join(f"r.{other} = t.{key}" for key, other in zip(keys, others, strict=True))
    return f"{given} AND NOT EXISTS (SELECT FROM {referenced} r WHERE {same})"


def _too_long(catalog: Connection, connection: Connection) -> Iterator[_Rows]:
    """Of each column that the revision makes shorter."""
    before = {(row.name, row.column): row.length for row in connection.execute(_LENGTHS)}
    for row in catalog.execute(_LENGTHS):
        place = (row.name, row.column)
        if row.length and place in before and (before[place] is None or before[place] > row.length):
            yield _Rows(row.name, f"length({row.column}::text) > {row.length}")


def _lines(connection: Connection, rows: _Rows) -> Iterator[str]:
    where = f"FROM {rows.table} t WHERE {rows.condition}"
    count = _ask(connection, f"SELECT count(*) {where}")[0][0]
    if not count:
        return
    yield f"{counted(count, 'row')} of {rows.table.removeprefix('public.')} in the way."
    keys = list(connection.scalars(_PRIMARY, {"table": rows.table}))
    if keys:
        columns = ", ".join(keys)
        found = _ask(connection, f"SELECT {columns} {where} ORDER BY {columns} LIMIT {SHOWN}")
        shown = "; ".join(", ".join(str(value) for value in row) for row in found)
        yield f"Their keys ({columns}): {shown}{' …' if count > SHOWN else ''}"


def _ask(connection: Connection, query: str) -> Sequence[Row[Any]]:
    return connection.exec_driver_sql(query.replace("%", "%%")).all()
