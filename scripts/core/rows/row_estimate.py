"""An estimate of each table's rows, for messages about losses. Only small tables are counted."""

from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import sqlstates
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.postgres import connections, session_timeouts, sql
from scripts.core.postgres.lock_modes import ACCESS_EXCLUSIVE
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.postgres.user_tables import RELATIONS

SMALL = 1024 * 1024
"""Bytes. Smaller tables are counted."""
# Temporary tables end with their session, and only that session can read them. For a file that has grown since the
# last ANALYZE, the rows per page are taken from that ANALYZE.
_TABLES = text(
    "SELECT name, bytes, CASE WHEN reltuples > 0 THEN reltuples / greatest(relpages, 1) * bytes / block"
    " ELSE pg_stat_get_live_tuples(oid) END::bigint AS rows FROM ("
    "  SELECT c.oid, c.oid::regclass::text AS name, pg_relation_size(c.oid) AS bytes, reltuples, relpages,"
    f"  current_setting('block_size')::int AS block FROM {RELATIONS} WHERE c.relkind = 'r') found ORDER BY name"
)
_IN_THE_WAY = text(
    "SELECT string_agg(DISTINCT relation::regclass::text, ', ') FROM pg_locks JOIN pg_database d ON d.oid = database"
    f" WHERE datname = current_database() AND locktype = 'relation' AND granted AND mode = '{ACCESS_EXCLUSIVE}'"
)


@dataclass(frozen=True)
class Rows:
    number: int
    exact: bool

    def __str__(self) -> str:
        return f"{'' if self.exact else 'about '}{counted(self.number, 'row')}"


def read(connection: Connection) -> dict[str, Rows]:
    """Return the rows of every table of the connected database. `connection` is in autocommit, so it keeps no lock.

    Raise UserError if another session locks a table against reads.
    """
    sql.run(connection, compose("SET lock_timeout = {}", sql.value(session_timeouts.READING_LOCK)))
    # Row-level security would hide rows from the count; off turns that into an error.
    sql.run(connection, Sql("SET row_security = off"))
    try:
        tables = connection.execute(_TABLES).all()
    except DBAPIError as error:
        raise _unreadable(connection.scalar(_IN_THE_WAY) or "a table", error) from error
    return {table.name: _rows(connection, table.name, table.bytes, table.rows) for table in tables}


def total(tables: dict[str, Rows]) -> Rows:
    """Return the number of rows of all tables together."""
    return Rows(sum(rows.number for rows in tables.values()), all(rows.exact for rows in tables.values()))


def _rows(connection: Connection, table: str, size: int, estimate: int) -> Rows:
    if size == 0:
        return Rows(0, exact=True)
    if size > SMALL and estimate > 0:
        return Rows(estimate, exact=False)
    try:
        counted = sql.run(connection, compose("SELECT count(*) FROM ONLY {}", spelled(table)))
        return Rows(counted.scalar() or 0, exact=True)
    except DBAPIError as error:
        if sqlstates.of(error) != sqlstates.INSUFFICIENT_PRIVILEGE:
            raise _unreadable(table, error) from error
        return Rows(max(estimate, 1), exact=False)


def _unreadable(table: str, error: DBAPIError) -> UserError:
    locked = sqlstates.of(error) == sqlstates.LOCK_NOT_AVAILABLE
    return UserError(
        f"The loss cannot be estimated: {table} {'is locked by another session' if locked else 'is not readable'}.",
        why=connections.first_line(error),
        do="end that session (make psql; SELECT * FROM pg_stat_activity), then run this again"
        if locked
        else "run this again",
    )
