"""The contents of a database, read in one snapshot: for the manifest, and for the comparison after a restore."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import sqlstates
from scripts.core.backups import database_properties, named_roles
from scripts.core.backups.database_properties import Properties
from scripts.core.backups.manifest import TableSize
from scripts.core.errors import USAGE, UserError
from scripts.core.postgres import connections, databases, environments, sql, system_identifier
from scripts.core.postgres.sql import PLACE, Sql, compose, spelled
from scripts.core.postgres.user_tables import EVERY, NOT_OF_EXTENSION
from scripts.core.revisions import history
from scripts.core.settings import Settings

LOCK_WAIT = 10
"""Seconds to wait for a table that another session locks against reads."""

# A statement of the transaction would set these too late, so they come with the connection.
_OPTIONS = (
    "-c default_transaction_read_only=on -c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
    # With row_security=on, a policy would hide rows from the count without an error.
    " -c row_security=off"
)
_NO_TRANSACTION_TIMEOUT = text(
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'"
)
AT_ONCE = 100
"""Tables that are counted before their locks are released. They and their indexes are locked, and a server has room for
some thousand locks (max_locks_per_transaction, times its sessions).
"""
_CLASSES = f"FROM {EVERY} WHERE {NOT_OF_EXTENSION}"
_TABLES = text(f"SELECT format('%I.%I', n.nspname, c.relname) {_CLASSES} AND c.relkind = 'r' ORDER BY 1")
_UNREADABLE = text(
    f"SELECT format('%I.%I', n.nspname, c.relname) {_CLASSES} AND c.relkind IN ('r', 'p', 'S') AND NOT ("
    " has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT')"
    " ELSE has_table_privilege(c.oid, 'SELECT') END) ORDER BY 1"
)
_LEAVES = text(
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND (c.oid = to_regclass(:table) OR c.oid IN (SELECT relid FROM"
    " pg_partition_tree(to_regclass(:table)))) ORDER BY 1"
)
_REFERENCES = text(
    "SELECT DISTINCT format('%s references %s', conrelid::regclass, confrelid::regclass) FROM pg_constraint"
    " WHERE contype = 'f' AND confrelid = ANY(CAST(:tables AS regclass[]))"
    " AND conrelid <> ALL(CAST(:tables AS regclass[]))"
)
_HEIRS = text(
    "WITH RECURSIVE heir (above, oid) AS (SELECT inhparent, inhrelid FROM pg_inherits"
    " UNION SELECT above, inhrelid FROM pg_inherits JOIN heir ON inhparent = heir.oid)"
    " SELECT format('%I.%I', pn.nspname, p.relname) AS name, array_agg(format('%I.%I', n.nspname, c.relname)) AS heirs"
    " FROM heir JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_class p ON p.oid = above JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE p.relkind = 'r' GROUP BY 1"
)
# Tables whose policies hide rows from this role. With row_security off, reading them is an error.
_HIDDEN = text(
    f"SELECT format('%I.%I', n.nspname, c.relname) {_CLASSES} AND c.relkind = 'r' AND row_security_active(c.oid)"
    " ORDER BY 1"
)


@dataclass(frozen=True)
class Inventory:
    """The contents of a database, in the form of the manifest."""

    cluster: str
    database: str
    environment: str | None
    server: int
    revision: list[str]
    tables: dict[str, TableSize]
    large_objects: int
    extensions: dict[str, str]
    properties: Properties
    roles: list[str]


@contextmanager
def snapshot(settings: Settings, application_name: str) -> Iterator[Connection]:
    """Yield a transaction that sees the database as it is now while the block runs."""
    options = f"{_OPTIONS} -c lock_timeout={LOCK_WAIT}s"
    with connections.cancellable(
        settings, application_name=application_name, options=options, isolation_level="REPEATABLE READ"
    ) as connection:
        connection.execute(_NO_TRANSACTION_TIMEOUT)
        yield connection


def export(connection: Connection) -> str:
    """Return the name of this transaction's snapshot for other sessions."""
    return str(connection.scalar(text("SELECT pg_export_snapshot()")))


def read(connection: Connection) -> Inventory:
    """Return the contents of the connected database, in its transaction.

    Raise UserError for tables that this role cannot read, and for a table that another session locks or has dropped.
    """
    _require_readable(connection)
    return Inventory(
        cluster=system_identifier.identity(connection),
        database=databases.name_of(connection.engine.url),
        environment=environments.read(connection),
        server=connections.version(connection),
        revision=sorted(history.current(connection)),
        tables=measured(connection, connection.scalars(_TABLES).all()),
        large_objects=connection.scalar(text("SELECT count(*) FROM pg_largeobject_metadata")) or 0,
        extensions=dict(connection.execute(text("SELECT extname, extversion FROM pg_extension ORDER BY 1")).all()),
        properties=database_properties.read(connection),
        roles=named_roles.read(connection),
    )


def lock(connection: Connection) -> None:
    """Lock the tables against being dropped or emptied, as pg_dump does. Their indexes are not locked.

    Raise UserError for tables that this role cannot read, and for a table that another session locks or has dropped.
    """
    _require_readable(connection)
    tables = connection.scalars(_TABLES).all()
    sql.run(connection, Sql("SAVEPOINT locked"))
    for table in tables:
        with _naming(table):
            sql.run(connection, compose("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", spelled(table)))


def unlock(connection: Connection) -> None:
    """Release these locks. The transaction goes on, with the same snapshot."""
    sql.run(connection, Sql("ROLLBACK TO SAVEPOINT locked"))


def _require_readable(connection: Connection) -> None:
    role = connection.engine.url.username
    typed = sql.typed(str(role))
    unreadable = list(connection.scalars(_UNREADABLE))
    if unreadable:
        raise UserError(
            f"The role {role} may not read {', '.join(unreadable)}.",
            why="A backup without these tables would be incomplete.",
            do=f"GRANT pg_read_all_data TO {typed}, as a superuser",
        )
    hidden = list(connection.scalars(_HIDDEN))
    if hidden:
        raise UserError(
            f"Row level security hides rows of {', '.join(hidden)} from the role {role}.",
            why="A backup without these rows would be incomplete. No grant changes that. FORCE applies to owners too.",
            do=f"ALTER ROLE {typed} BYPASSRLS, as a superuser",
        )


def heirs(connection: Connection) -> dict[str, list[str]]:
    """Return, for each table that others inherit from, all tables below it."""
    return {row.name: list(row.heirs) for row in connection.execute(_HEIRS)}


def excluded(connection: Connection, words: Sequence[str]) -> list[str]:
    """Return the tables that EXCLUDE names. A partitioned table stands for all its partitions.

    Raise UserError for a missing table, and for a table that other tables need for a restore.
    """
    found: list[str] = []
    for word in words:
        tables = list(connection.scalars(_LEAVES, {"table": word}))
        if not tables:
            raise UserError(f"EXCLUDE={word}: there is no such table.", do="make psql c='\\d'", code=USAGE)
        found += tables
    references = list(connection.scalars(_REFERENCES, {"tables": found}))
    if references:
        raise UserError(
            f"Without these rows the backup could not be restored: {', '.join(references)}.",
            do="exclude the referencing tables too",
            code=USAGE,
        )
    return found


def measured(connection: Connection, tables: Sequence[str]) -> dict[str, TableSize]:
    """Return the rows and bytes of tables in this snapshot. A rollback releases their locks."""
    found: dict[str, TableSize] = {}
    for first in range(0, len(tables), AT_ONCE):
        sql.run(connection, Sql("SAVEPOINT counted"))
        found |= {table: _count(connection, table) for table in tables[first : first + AT_ONCE]}
        sql.run(connection, Sql("ROLLBACK TO counted; RELEASE counted"))
    return found


def _count(connection: Connection, table: str) -> TableSize:
    statement = compose("SELECT count(*), pg_table_size({}::regclass) FROM ONLY {}", PLACE, spelled(table))
    with _naming(table):
        return TableSize(*sql.run(connection, statement, [table]).one())


@contextmanager
def _naming(table: str) -> Iterator[None]:
    """Raise UserError with the table's name for an error of PostgreSQL in the block."""
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        code = sqlstates.of(error)
        raise UserError(
            f"{table} cannot be read: {connections.first_line(error)}",
            why="Another session locks it, or has just dropped it."
            if code in (sqlstates.LOCK_NOT_AVAILABLE, sqlstates.UNDEFINED_TABLE)
            else "",
            do=connections.MORE_LOCKS
            if code == sqlstates.OUT_OF_MEMORY
            else "wait for that session (make psql; SELECT * FROM pg_stat_activity), then run this again",
        ) from error
