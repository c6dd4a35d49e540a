"""How many rows made a statement fail, and their keys. Their contents are never shown.

A message of PostgreSQL may hold contents of rows, so no part of it becomes SQL. Its fields are looked up in catalogs. A
constraint that failed is in no catalog. So the same revision runs on a copy without rows, whose catalogs have it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import sqlstates
from scripts.core.child_process import Deadline
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.plan import shadow
from scripts.core.postgres import connections, schema_copy, scratch, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.postgres.sql import Sql, compose, listed, spelled
from scripts.core.postgres.user_tables import RELATIONS
from scripts.core.settings import Settings
from scripts.core.sqlstates import (
    FOREIGN_KEY_VIOLATION,
    NOT_NULL_VIOLATION,
    STRING_DATA_RIGHT_TRUNCATION,
    UNIQUE_VIOLATION,
)
from scripts.core.verification import rows_before_failure

SHOWN = 5
NOT_COUNTED = "The failing rows are not counted: "

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
# A text has no length. The length of the other types includes four bytes of its own.
_LENGTHS = text(
    "SELECT format('%I.%I', n.nspname, c.relname) AS name, quote_ident(attname) AS column,"
    " CASE WHEN atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND atttypmod > 0 THEN atttypmod - 4 END AS length"
    f" FROM {RELATIONS} JOIN pg_attribute ON attrelid = c.oid"
    " WHERE c.relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2"
)
_PRIMARY = text(
    "SELECT quote_ident(a.attname) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
    " AND a.attnum = ANY(i.indkey) WHERE i.indrelid = to_regclass(:table) AND i.indisprimary ORDER BY a.attnum"
)
_QUERIES = {NOT_NULL_VIOLATION: _COLUMN, UNIQUE_VIOLATION: _INDEX, FOREIGN_KEY_VIOLATION: _FOREIGN_KEY}


@dataclass(frozen=True)
class Clue:
    """Fields of PostgreSQL's error that are looked up in catalogs."""

    code: str
    schema: str
    table: str
    column: str
    constraint: str


@dataclass(frozen=True)
class _Rows:
    """Rows of a table, as SQL from a catalog."""

    table: Sql
    condition: Sql


def clue(error: BaseException | None) -> Clue | None:
    """Return what an error says about failing rows, or None."""
    found: Any = getattr(getattr(error, "orig", None), "diag", None)
    if not isinstance(error, DBAPIError) or error.connection_invalidated or not found:
        return None
    named = (found.schema_name, found.table_name, found.column_name, found.constraint_name)
    return Clue(sqlstates.of(error), *(value or "" for value in named))


def describe(server: Scratch, copy: Settings, found: Clue | None, revision: str) -> list[str]:
    """Return lines about the rows that made `revision` fail on the unchanged `copy`; none for other errors."""
    if not found or found.code not in (*_QUERIES, STRING_DATA_RIGHT_TRUNCATION):
        return []
    try:
        empty = copy if found.code == NOT_NULL_VIOLATION else _without_rows(server, copy, revision)
    except UserError:
        return [f"{NOT_COUNTED}the revision cannot run on a copy without rows."]
    with (
        connections.cancellable(copy, isolation_level="AUTOCOMMIT") as connection,
        connections.connect(empty) as catalog,
    ):
        there = list(_in_the_way(catalog, connection, found))
        keys = [_keys(connection, rows) for rows in there]
    for rows, columns in zip(there, keys, strict=True):
        if lines := list(_lines(server, copy, rows, columns, revision)):
            return lines
    return [f"{NOT_COUNTED}the failed object is in no catalog, or the revision created it."]


def _without_rows(server: Scratch, copy: Settings, revision: str) -> Settings:
    """Return settings of the same schema without rows, after the revision has run on it."""
    made = schema_copy.schema(server, scratch.as_administrator(server, copy))
    shadow.run(server, made, [revision])
    return made


def _in_the_way(catalog: Connection, connection: Connection, found: Clue) -> Iterator[_Rows]:
    """Yield the tables, each with the condition of the rows that fail."""
    if found.code == STRING_DATA_RIGHT_TRUNCATION:
        yield from _too_long(catalog, connection)
        return
    row = catalog.execute(_QUERIES[found.code], {**vars(found)}).one_or_none()
    if row is None:
        return
    if found.code == NOT_NULL_VIOLATION and row.column:
        yield _Rows(spelled(row.name), compose("{} IS NULL", spelled(row.column)))
    if found.code == UNIQUE_VIOLATION:
        table, keys, those = spelled(row.name), listed(map(spelled, row.keys)), spelled(row.predicate or "true")
        same = compose("SELECT {} FROM {} WHERE ({}) GROUP BY {} HAVING count(*) > 1", keys, table, those, keys)
        yield _Rows(table, compose("({}) AND ({}) IN ({})", those, keys, same))
    if found.code == FOREIGN_KEY_VIOLATION:
        pairs = list(zip(map(spelled, row.keys), map(spelled, row.others), strict=True))
        yield _Rows(spelled(row.name), _dangling(pairs, spelled(row.referenced)))


def _dangling(pairs: Sequence[tuple[Sql, Sql]], referenced: Sql) -> Sql:
    """Return the condition for missing references. `pairs`: a column of the key, and the one that it refers to."""
    keys = listed(compose("t.{}", key) for key, _ in pairs)
    others = listed(compose("r.{}", other) for _, other in pairs)
    given = compose("num_nulls({}) = 0", keys)
    return compose("{} AND NOT EXISTS (SELECT FROM {} r WHERE ({}) = ({}))", given, referenced, others, keys)


def _too_long(catalog: Connection, connection: Connection) -> Iterator[_Rows]:
    """Yield the rows that are too long for a column that the revision shortens."""
    before = {(row.name, row.column): row.length for row in connection.execute(_LENGTHS)}
    for row in catalog.execute(_LENGTHS):
        place = (row.name, row.column)
        if row.length and place in before and (before[place] is None or before[place] > row.length):
            yield _Rows(spelled(row.name), compose("length({}::text) > {}", spelled(row.column), row.length))


def _lines(server: Scratch, copy: Settings, rows: _Rows, columns: Sql, revision: str) -> Iterator[str]:
    """Yield the lines about rows as they are just before the revision fails; none if there are no such rows."""
    queries = [_count(rows), *([_select(rows, columns)] if columns else [])]
    deadline = Deadline(copy.limits.max_seconds, "It was run again to count the failing rows.", "MAX_SECONDS")
    found = trial.run(server, copy, rows_before_failure.read, revision, queries, deadline=deadline)
    if not found or found[0][0][0] == "0":
        return
    count = int(found[0][0][0])
    yield f"The statement fails for {counted(count, 'row')} of {rows.table.removeprefix('public.')}."
    if columns:
        shown = "; ".join(", ".join(row) for row in found[1])
        yield f"Their keys ({columns}): {shown}{' …' if count > SHOWN else ''}"


def _keys(connection: Connection, rows: _Rows) -> Sql:
    """Return the columns of the primary key, or nothing."""
    return listed(map(spelled, connection.scalars(_PRIMARY, {"table": rows.table})))


def _count(rows: _Rows) -> Sql:
    return compose("SELECT count(*) FROM {} t WHERE {}", rows.table, rows.condition)


def _select(rows: _Rows, columns: Sql) -> Sql:
    given = "SELECT {} FROM {} t WHERE {} ORDER BY {} LIMIT {}"
    return compose(given, columns, rows.table, rows.condition, columns, SHOWN)
