"""What a database's schema is, read from the catalogs, and its fingerprint."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core.errors import UserError
from scripts.core.postgres import connections, driver, own_tables
from scripts.core.schema.catalogs import query

OLDEST = 160000
FINGERPRINT_VERSION = 2
"""Raise it with every change of what is read or of its words: fingerprints of two versions cannot be compared."""
LOCK_TIMEOUT = "2s"
"""The longest that reading waits for a lock."""

# Everything that changes how PostgreSQL prints names and constants; and no compiling of a query that runs once.
_PINNED = {
    "search_path": "",
    "quote_all_identifiers": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    "xmloption": "content",
    "jit": "off",
}
_PIN = text("SELECT " + ", ".join(f"set_config('{name}', :{name}, true)" for name in [*_PINNED, "lock_timeout"]))
# As Alembic finds them: by the session's own search_path. A table of that name in another schema is like any other.
_LEFT_OUT = text(f"SELECT to_regclass('alembic_version')::oid AS version, to_regclass('{own_tables.LOG}')::oid AS log")


@dataclass(frozen=True)
class Schema:
    """All by readable names, such as "table users, column email"; names of the schema public stand alone."""

    objects: dict[str, str]
    """The definition of each object, and its comment."""
    access: dict[str, str]
    """Owners, grants and default privileges."""
    order: dict[str, list[str]]
    """The columns of each table."""

    @property
    def fingerprint(self) -> str:
        """The same for equal schemas, whatever the order of making and of a table's columns; 64 hexadecimal digits.

        Owners and grants count, as they do in pg_dump's text. What was restored without them is compared by
        `structure.fingerprint`.
        """
        content = json.dumps([sorted(self.objects.items()), sorted(self.access.items())])
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def structure(self) -> "Schema":
        """The schema without owners and grants, which a copy on another server cannot have: its roles are others."""
        return replace(self, access={})


def read(connection: Connection) -> Schema:
    """Return the schema of the connected database, without the tables alembic_version and migration_log.

    Of an extension it has the version, and the grants that differ from the extension's own.
    Settings of the session stay as they were, and a transaction that was open goes on. To print an index, or an
    expression that names columns (of a check, a generated column, a view, a trigger ...), PostgreSQL takes ACCESS SHARE
    on the table until the end of reading: it waits LOCK_TIMEOUT at most for an ACCESS EXCLUSIVE lock on it. Keys,
    defaults and bounds of partitions need no lock.

    Raise UserError when the wait is over, or something changes meanwhile.
    """
    found: dict[str, dict[str, str]] = {"object": {}, "access": {}, "order": {}}
    try:
        with _pinned(connection) as left_out:
            for kind, name, definition in connection.exec_driver_sql(query.statement(), left_out):
                found[kind][name] = definition
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise UserError(
            f"The schema cannot be read: {connections.first_line(error)}",
            why=f"Another session changes it; a lock is waited for {LOCK_TIMEOUT} at most."
            if connections.version(connection) >= OLDEST
            else f"Servers before PostgreSQL {OLDEST // 10000} have other catalogs.",
            do="wait for the migration or VACUUM FULL that locks a table (make psql; SELECT * FROM pg_stat_activity)",
        ) from error
    order = {name: json.loads(columns) for name, columns in found["order"].items()}
    return Schema(found["object"], found["access"], order)


@contextmanager
def _pinned(connection: Connection) -> Iterator[dict[str, int | None]]:
    """Settings during the block, which gets the tables that are left out.

    A rollback takes them back: of a transaction of our own, else to a savepoint.
    """
    session, ours = driver.session(connection), not connection.in_transaction()
    begin, end = "SAVEPOINT pinned", "ROLLBACK TO pinned; RELEASE pinned"
    if session.autocommit and driver.is_idle(session):
        begin, end = "BEGIN READ ONLY", "ROLLBACK"
    connection.exec_driver_sql(begin)
    try:
        left_out = dict(connection.execute(_LEFT_OUT).mappings().one())
        connection.execute(_PIN, {**_PINNED, "lock_timeout": LOCK_TIMEOUT})
        yield left_out
    finally:
        if not connection.invalidated:  # by an interruption, or because its session was ended
            connection.exec_driver_sql(end)
        if ours:
            connection.rollback()
