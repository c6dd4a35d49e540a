"""The contents of tables: the number of rows, and a hash of them that does not depend on their order.

The hash is the sum of a 64 bit hash of each row. Duplicate rows count twice, and PostgreSQL adds up with several
workers, in 128 bits. hash_record_extended differs between major versions, so hashes are compared within one server and
never stored. Contents never leave the server, except the keys at which ranges begin and end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import sqlstates
from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql, compose, listed, spelled
from scripts.core.postgres.user_tables import NOT_OF_EXTENSION, RELATIONS
from scripts.core.rows import key_ranges
from scripts.core.rows.key_ranges import Ranges

WORKERS = 4

# The same value is printed differently under other settings.
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
# Only a btree's key has an order.
_COLUMNS = text(
    "SELECT c.oid AS number, c.oid::regclass::text AS name, pg_table_size(c.oid) AS bytes,"
    " pg_relation_size(c.oid) / current_setting('block_size')::int AS pages, a.attnum AS column_number,"
    " quote_ident(a.attname) AS column_name, a.atttypid AS type_number, a.attcollation AS collation,"
    " coalesce(k.columns, '{}') AS key"
    f" FROM {RELATIONS}"
    " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " LEFT JOIN LATERAL (SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS columns FROM pg_index i"
    " JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam"
    " WHERE i.indrelid = c.oid AND i.indisprimary AND m.amname = 'btree') k ON true"
    f" WHERE c.relkind = 'r' AND {NOT_OF_EXTENSION} ORDER BY name, column_number"
)


@dataclass(frozen=True)
class HashedColumn:
    name: Sql
    type_number: int
    collation: int


@dataclass(frozen=True)
class Table:
    number: int
    """The number of the table. It survives a rename, and is the same in a copy of the database."""
    name: Sql
    bytes: int
    pages: int
    columns: dict[int, HashedColumn]
    """Columns by number. The number survives a rename."""
    key: tuple[int, ...]
    """The columns of the primary key, in its order; empty without one."""


Hash = tuple[int, ...]
"""The number of rows, and for each expression a hash of its values in them."""


@dataclass(frozen=True)
class Contents:
    """The contents of a table when it was read."""

    table: Table
    rows: int
    hash: Hash
    """The hash of all columns together."""
    ranges: Ranges | None
    """The part of the table that is hashed; None: all."""


def pin(connection: Connection) -> None:
    """Fix the settings of this session, so that its hashes compare with those of other such sessions."""
    connection.execute(_PIN, _PINNED)


def tables(connection: Connection) -> dict[int, Table]:
    """Return all tables that store rows, by number, from the catalogs."""
    found: dict[int, list[Any]] = {}
    for row in connection.execute(_COLUMNS):
        found.setdefault(row.number, []).append(row)
    return {number: _table(rows) for number, rows in found.items()}


def read(connection: Connection, table: Table, limit: float) -> Contents:
    """Return the contents of a table, read by a pinned session.

    If the table has more than `limit` bytes, hash only some ranges of its primary key. Rows are always counted.
    """
    chosen = None
    if table.bytes > limit and table.key:
        key = [table.columns[number].name for number in table.key]
        chosen = key_ranges.choose(connection, table.name, table.pages, key)
    made = hashed(connection, table.name, whole(table.columns.values()), chosen)
    return Contents(table, count(connection, table.name) if chosen else made[0], made, chosen)


def whole(columns: Iterable[HashedColumn]) -> list[Sql]:
    """Return the expression for all columns together; none if there are no columns."""
    names = listed(column.name for column in columns)
    return [compose("ROW({})", names)] if names else []


def hashed(connection: Connection, table: Sql, records: Sequence[Sql], part: Ranges | None = None) -> Hash:
    """Return the number of rows in a table or in ranges of it, and a hash for each record such as ROW(a, b)."""
    try:
        with connection.begin_nested():
            return _sums(connection, table, [compose("hash_record_extended({}, 0)", one) for one in records], part)
    except DBAPIError as error:
        if sqlstates.of(error) != sqlstates.UNDEFINED_FUNCTION:  # json, xml, point ... have no hash
            raise
    return _sums(connection, table, [compose("hashtextextended({}::text, 0)", one) for one in records], part)


def count(connection: Connection, table: Sql, what: Sql | None = None) -> int:
    """Return the number of rows of a table, or of non-null values of a column."""
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
    # The planner cannot know how few rows are in a range of a multi-column key.
    sql.run(connection, Sql("SET LOCAL enable_seqscan = off"))
    statement = compose("{} WHERE {}", statement, part.condition)
    found = [_numbers(sql.run(connection, statement, values).one()) for values in part.values]
    sql.run(connection, Sql("SET LOCAL enable_seqscan = on"))
    return tuple(map(sum, zip(*found, strict=True)))


def _numbers(row: Sequence[Any]) -> Hash:
    return tuple(map(int, row))
