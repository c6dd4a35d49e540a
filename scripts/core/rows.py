"""What is in the tables: rows, and a hash of their contents that is the same whatever the order of the rows.

The hash is the sum of a 64 bit hash of each row, as a numeric: rows that are there twice count twice, and PostgreSQL
adds up with several workers. hash_record_extended is not the same in every major version: what was hashed is compared
within one server, and never kept. Contents never leave the server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

WORKERS = 4
NO_HASH_FUNCTION = "42883"
"""Of json, xml, point ...: undefined_function."""

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
# The version and the log are ours to write.
_COLUMNS = text(
    "SELECT c.oid AS number, c.oid::regclass::text AS name, pg_table_size(c.oid) AS bytes, a.attnum AS column_number,"
    " quote_ident(a.attname) AS column_name, a.atttypid AS type_number, format_type(a.atttypid, a.atttypmod) AS type"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.relkind = 'r' AND c.oid >= 16384 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    " AND c.relname NOT IN ('alembic_version', 'migration_log')"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')"
    " ORDER BY 2, 4"
)


@dataclass(frozen=True)
class Column:
    name: str
    """As SQL has it."""
    type_number: int
    type: str


@dataclass(frozen=True)
class Table:
    number: int
    """Of the table; a renamed one keeps it, and a copy of the database has the same."""
    name: str
    bytes: int
    columns: dict[int, Column]
    """By number, which a renamed one keeps."""
    rows: int
    hash: int
    """Of all columns."""


Hash = tuple[int, int]
"""Rows, and the hash of their contents."""


def pin(connection: Connection) -> None:
    """From now on hashes of this session can be compared with those of others that are pinned."""
    connection.execute(_PIN, _PINNED)


def read(connection: Connection) -> dict[int, Table]:
    """All tables with rows of their own, by number; the pinned session reads all of them."""
    found: dict[int, list[Any]] = {}
    for row in connection.execute(_COLUMNS):
        found.setdefault(row.number, []).append(row)
    return {number: _table(connection, rows) for number, rows in found.items()}


def hashed(connection: Connection, table: str, expressions: Sequence[str]) -> Hash:
    """Rows of a table, and the hash of what the expressions give; both as SQL has them."""
    if not expressions:
        return connection.exec_driver_sql(f"SELECT count(*) FROM ONLY {table}".replace("%", "%%")).scalar() or 0, 0
    row = f"ROW({', '.join(expressions)})"
    try:
        with connection.begin_nested():
            return _sum(connection, table, f"hash_record_extended({row}, 0)")
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != NO_HASH_FUNCTION:
            raise
    return _sum(connection, table, f"hashtextextended({row}::text, 0)")


def values(connection: Connection, table: str, column: str) -> int:
    """How many values of a column are not null."""
    statement = f"SELECT count({column}) FROM ONLY {table}"
    return connection.exec_driver_sql(statement.replace("%", "%%")).scalar() or 0


def _table(connection: Connection, found: Sequence[Any]) -> Table:
    first = found[0]
    columns = {
        row.column_number: Column(row.column_name, row.type_number, row.type)
        for row in found
        if row.column_number is not None
    }
    count, total = hashed(connection, first.name, [column.name for column in columns.values()])
    return Table(first.number, first.name, first.bytes, columns, count, total)


def _sum(connection: Connection, table: str, expression: str) -> Hash:
    statement = f"SELECT count(*), coalesce(sum({expression}::numeric), 0) FROM ONLY {table}"
    count, total = connection.exec_driver_sql(statement.replace("%", "%%")).one()
    return count, int(total)
