"""What is in the tables: rows, and a hash of their contents that is the same whatever the order of the rows.

The hash is the sum of a 64 bit hash of each row: rows that are there twice count twice, and PostgreSQL adds up with
several workers, in 128 bits. hash_record_extended is not the same in every major version: what was hashed is compared
within one server, and never kept. Contents never leave the server, but for the keys at which ranges begin and end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import sqlstates
from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql, compose, listed, spelled
from scripts.core.rows import key_ranges
from scripts.core.rows.key_ranges import Ranges

WORKERS = 4

# The same value prints differently under other settings.
_PINNED = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "jit": "off",
    "row_security": "off",
    "statement_timeout": "0",
    "max_parallel_workers_per_gather": str(WORKERS),
}
_PIN = text("SELECT " + ", ".join(f"set_config('{name}', :{name}, false)" for name in _PINNED))
# The version and the log are ours to write. Only a btree's key has an order.
_COLUMNS = text(
    "SELECT c.oid AS number, c.oid::regclass::text AS name, pg_table_size(c.oid) AS bytes,"
    " pg_relation_size(c.oid) / current_setting('block_size')::int AS pages, a.attnum AS column_number,"
    " quote_ident(a.attname) AS column_name, a.atttypid AS type_number, a.attcollation AS collation,"
    " coalesce(k.columns, '{}') AS key"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " LEFT JOIN LATERAL (SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS columns FROM pg_index i"
    " JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam"
    " WHERE i.indrelid = c.oid AND i.indisprimary AND m.amname = 'btree') k ON true"
    " WHERE c.relkind = 'r' AND c.oid >= 16384 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    " AND c.oid IS DISTINCT FROM to_regclass('alembic_version')"
    " AND c.oid IS DISTINCT FROM to_regclass('migration_log')"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')"
    " ORDER BY name, column_number"
)


@dataclass(frozen=True)
class HashedColumn:
    name: Sql
    type_number: int
    collation: int


@dataclass(frozen=True)
class Table:
    number: int
    """Of the table; a renamed one keeps it, and a copy of the database has the same."""
    name: Sql
    bytes: int
    pages: int
    columns: dict[int, HashedColumn]
    """By number, which a renamed one keeps."""
    key: tuple[int, ...]
    """The columns of the primary key, in its order; or none."""


Hash = tuple[int, ...]
"""Rows, and for each expression the hash of what it gives in them."""


@dataclass(frozen=True)
class Contents:
    """What a table held when it was read."""

    table: Table
    rows: int
    hash: Hash
    """Of all columns together."""
    ranges: Ranges | None
    """What of it is hashed; None: all."""


def pin(connection: Connection) -> None:
    """From now on hashes of this session can be compared with those of others that are pinned."""
    connection.execute(_PIN, _PINNED)


def tables(connection: Connection) -> dict[int, Table]:
    """All tables with rows of their own, by number, as the catalogs have them."""
    found: dict[int, list[Any]] = {}
    for row in connection.execute(_COLUMNS):
        found.setdefault(row.number, []).append(row)
    return {number: _table(rows) for number, rows in found.items()}


def read(connection: Connection, table: Table, limit: float) -> Contents:
    """The pinned session reads all of a table; of one with more bytes than `limit` it counts the rows, and hashes those
    of some ranges of the primary key, where there is one.
    """
    chosen = None
    if table.bytes > limit and table.key:
        key = [table.columns[number].name for number in table.key]
        chosen = key_ranges.choose(connection, table.name, table.pages, key)
    made = hashed(connection, table.name, whole(table.columns.values()), chosen)
    return Contents(table, count(connection, table.name) if chosen else made[0], made, chosen)


def whole(columns: Iterable[HashedColumn]) -> list[Sql]:
    """The expression for all columns together, where there are any."""
    names = listed(column.name for column in columns)
    return [compose("ROW({})", names)] if names else []


def hashed(connection: Connection, table: Sql, records: Sequence[Sql], part: Ranges | None = None) -> Hash:
    """Rows of a table, or of ranges of it, and a hash of each record in them, such as ROW(a, b)."""
    try:
        with connection.begin_nested():
            return _sums(connection, table, [compose("hash_record_extended({}, 0)", one) for one in records], part)
    except DBAPIError as error:
        if sqlstates.of(error) != sqlstates.UNDEFINED_FUNCTION:  # json, xml, point ... have no hash
            raise
    return _sums(connection, table, [compose("hashtextextended({}::text, 0)", one) for one in records], part)


def count(connection: Connection, table: Sql, what: Sql | None = None) -> int:
    """Rows of a table; or how many values of a column are not null."""
    statement = compose("SELECT count({}) FROM ONLY {}", what or Sql("*"), table)
    return sql.run(connection, statement).scalar() or 0


def _table(found: Sequence[Any]) -> Table:
    first = found[0]
    columns = {
        row.column_number: HashedColumn(spelled(row.column_name), row.type_number, row.collation)
        for row in found
        if row.column_number is not None
    }
    return Table(first.number, spelled(first.name), first.bytes, first.pages, columns, tuple(first.key))


def _sums(connection: Connection, table: Sql, hashes: Sequence[Sql], part: Ranges | None) -> Hash:
    counted = listed([Sql("count(*)"), *(compose("coalesce(sum({}), 0)", one) for one in hashes)])
    statement = compose("SELECT {} FROM ONLY {}", counted, table)
    if part is None:
        return _numbers(sql.run(connection, statement).one())
    # The planner cannot know how few rows are in a range of a key of several columns.
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    statement = compose("{} WHERE {}", statement, part.condition)
    found = [_numbers(sql.run(connection, statement, values).one()) for values in part.values]
    connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
    return tuple(map(sum, zip(*found, strict=True)))


def _numbers(row: Sequence[Any]) -> Hash:
    return tuple(map(int, row))
