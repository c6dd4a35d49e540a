"""The schema of a database, read from the catalogs, and its fingerprint."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scripts.core import messages
from scripts.core.errors import UserError
from scripts.core.postgres import connections, driver, own_tables, sql
from scripts.core.postgres.driver import Session
from scripts.core.postgres.sql import Sql, compose
from scripts.core.schema.catalogs import query, unknown

FINGERPRINT_VERSION = 2
"""Raise it with every change of what is read or how it is worded. Fingerprints of two versions cannot be compared."""
LOCK_TIMEOUT = "2s"
"""The longest time that the reading waits for a lock."""

# Every setting that changes how PostgreSQL prints names and constants. JIT does not pay off for a single query.
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
    "plan_cache_mode": "force_generic_plan",
    "lock_timeout": LOCK_TIMEOUT,
}
_PIN = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _PINNED.items())
# The tables that Alembic finds, by the session's own search_path. In another schema, these names are not special.
OWN = (own_tables.VERSION_NUMBER, f"to_regclass('{own_tables.LOG}')::oid", own_tables.SOURCE_NUMBER)
_FIRST = f"SELECT {', '.join(OWN)}, {{}}"


@dataclass(frozen=True)
class Schema:
    """A schema by readable names, such as "table users, column email". Names in the schema public have no prefix."""

    objects: dict[str, str]
    """The definition and the comment of each object."""
    access: dict[str, str]
    """Owners, grants and default privileges."""
    order: dict[str, list[str]]
    """The columns of each table."""

    @property
    def fingerprint(self) -> str:
        """Return the hash, as 64 hexadecimal digits. It is the same for any order of creation and of columns.

        Owners and grants count, as in pg_dump's text. `structure.fingerprint` compares schemas that were restored
        without them.
        """
        content = json.dumps([sorted(self.objects.items()), sorted(self.access.items())])
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def structure(self) -> "Schema":
        """Return the schema without owners and grants. A copy on another server cannot have them: its roles differ."""
        return replace(self, access={})

    @property
    def unknown(self) -> list[str]:
        """Return the objects of kinds that this version does not know. Their definitions are not compared."""
        return sorted(name for name, definition in self.objects.items() if definition == unknown.DEFINITION)


def read(connection: Connection) -> Schema:
    """Return the schema of the connected database, without our own tables.

    Of an extension it has the version, and the grants that differ from the extension's own. Settings of the session and
    an open transaction stay as they are. To print an index, or an expression with columns (of a check, a generated
    column, a view, a trigger ...), PostgreSQL takes ACCESS SHARE on the table until the reading ends. It waits at most
    LOCK_TIMEOUT for another session's ACCESS EXCLUSIVE. Keys, defaults and bounds of partitions need no lock.
    Raise UserError after that time, or if the schema changes meanwhile.
    """
    with aside(connection):
        left_out, catalogs = looked_up(connection)
        return made(sort(sql.run(connection, query.statement(catalogs), left_out)))


Definitions = dict[str, dict[str, str]]
"""The definitions of a reading, by class and name."""


def sort(rows: Iterable[tuple[Any, ...]]) -> Definitions:
    """Return the rows of a reading by their class: object, access, order or number."""
    found: Definitions = {"object": {}, "access": {}, "order": {}, "number": {}}
    for kind, name, definition in rows:
        found[kind][name] = definition
    return found


def made(found: Definitions) -> Schema:
    """Return the schema of a reading. Report the objects of unknown kinds, each once."""
    order = {name: _columns(listed) for name, listed in found["order"].items()}
    schema = Schema(found["object"], found["access"], order)
    _report(*schema.unknown)
    return schema


@lru_cache(maxsize=10_000)
def _columns(listed: str) -> list[str]:
    """Return the names in a JSON list. Who reads again and again meets most lists again."""
    return list(json.loads(listed))


@cache
def _report(*names: str) -> None:
    for name in names:
        messages.send(unknown.report(name))


def looked_up(connection: Connection) -> tuple[tuple[int | None, ...], unknown.Catalogs]:
    """Return the tables to leave out and the catalogs that are not known, and then pin the settings."""
    session = driver.session(connection)
    [(*left_out, catalogs)] = driver.rows(session, compose(_FIRST, Sql(unknown.find())))
    pin(session)
    return tuple(left_out), unknown.found(catalogs)


def pin(session: Session) -> None:
    """Change settings until the end of `aside`."""
    driver.rows(session, _PIN)


@contextmanager
def aside(connection: Connection) -> Iterator[None]:
    """Read in the block what leaves no trace: a rollback restores settings, of our own transaction or to a savepoint.

    Raise UserError if a lock is not free, or if the schema changes meanwhile.
    """
    session, ours = driver.session(connection), not connection.in_transaction()
    begin, end = Sql("SAVEPOINT pinned"), Sql("ROLLBACK TO pinned; RELEASE pinned")
    if session.autocommit and driver.is_idle(session):
        begin, end = Sql("BEGIN READ ONLY"), Sql("ROLLBACK")
    try:
        sql.run(connection, begin)
        try:
            yield
        finally:
            if not connection.invalidated:  # an interruption, or an end of the session, invalidates it
                sql.run(connection, end)
            if ours:
                connection.rollback()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise UserError(
            f"The schema cannot be read: {connections.first_line(error)}",
            why=f"Another session changes it. The reading waits at most {LOCK_TIMEOUT} for a lock.",
            do="wait for the migration or VACUUM FULL that locks a table (make psql; SELECT * FROM pg_stat_activity)",
        ) from error
