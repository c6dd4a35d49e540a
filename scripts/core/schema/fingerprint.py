"""The schema of a database, read from the catalogs, and its fingerprint."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scripts.core import messages
from scripts.core.errors import UserError
from scripts.core.postgres import connections, driver, own_tables, sql
from scripts.core.postgres.sql import Sql, compose
from scripts.core.schema.catalogs import query, unknown

FINGERPRINT_VERSION = 2
"""Raise it with every change of what is read or how it is worded. Fingerprints of two versions cannot be compared."""
LOCK_TIMEOUT = "2s"
"""The longest time that the reading waits for a lock."""

_PLAN = "schema_reading"
"""The name of the plan, in the information about a session."""
SMALL = 500
"""Objects. One plan is good for any smaller schema, because PostgreSQL's own catalogs are larger."""

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
_FIRST = f"SELECT {own_tables.VERSION_NUMBER}, to_regclass('{own_tables.LOG}')::oid, {own_tables.SOURCE_NUMBER}, {{}}"


@dataclass
class _Plan:
    catalogs: unknown.Catalogs
    objects: int = 0
    """How many objects the schema had when it was made."""


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


def read(connection: Connection, *, often: bool = False) -> Schema:
    """Return the schema of the connected database, without our own tables.

    Of an extension it has the version, and the grants that differ from the extension's own. Settings of the session and
    an open transaction stay as they are. To print an index, or an expression with columns (of a check, a generated
    column, a view, a trigger ...), PostgreSQL takes ACCESS SHARE on the table until the reading ends. It waits at most
    LOCK_TIMEOUT for another session's ACCESS EXCLUSIVE. Keys, defaults and bounds of partitions need no lock.
    Raise UserError after that time, or if the schema changes meanwhile.

    `often`: this session will read it again and again. Then PostgreSQL plans the query once, which is most of its work.
    """
    found: dict[str, dict[str, str]] = {"object": {}, "access": {}, "order": {}}
    try:
        with _pinned(connection) as (left_out, catalogs):
            for kind, name, definition in (_prepared if often else _once)(connection, catalogs, left_out):
                found[kind][name] = definition
            if often:
                _forget_if_outgrown(connection, len(found["object"]))
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise UserError(
            f"The schema cannot be read: {connections.first_line(error)}",
            why=f"Another session changes it. The reading waits at most {LOCK_TIMEOUT} for a lock.",
            do="wait for the migration or VACUUM FULL that locks a table (make psql; SELECT * FROM pg_stat_activity)",
        ) from error
    order = {name: _columns(listed) for name, listed in found["order"].items()}
    schema = Schema(found["object"], found["access"], order)
    _report(*schema.unknown)
    return schema


@lru_cache(maxsize=10_000)
def _columns(listed: str) -> list[str]:
    """Return the names in a JSON list. A session that reads often meets most lists again."""
    return list(json.loads(listed))


def _once(
    connection: Connection, catalogs: unknown.Catalogs, left_out: Sequence[int | None]
) -> Iterable[tuple[Any, ...]]:
    return sql.run(connection, query.statement(catalogs), left_out)


def _prepared(
    connection: Connection, catalogs: unknown.Catalogs, left_out: Sequence[int | None]
) -> Iterable[tuple[Any, ...]]:
    """Read with a statement that this session has planned. Plan it the first time."""
    plan = connection.info.get(_PLAN)
    if plan and plan.catalogs != catalogs:
        _forget(connection)
    if _PLAN not in connection.info:
        reading = query.statement(catalogs, *map(Sql, ("$1", "$2", "$3")))
        sql.run(connection, compose("PREPARE schema_reading (oid, oid, oid) AS {}", reading))
        connection.info[_PLAN] = _Plan(catalogs)
    return driver.rows(driver.session(connection), "EXECUTE schema_reading (%s, %s, %s)", *left_out)


def _forget_if_outgrown(connection: Connection, objects: int) -> None:
    """Forget the plan if the schema has grown to twice the size that it was made for."""
    plan = connection.info[_PLAN]
    plan.objects = plan.objects or max(objects, SMALL)
    if objects > 2 * plan.objects:
        _forget(connection)


def _forget(connection: Connection) -> None:
    sql.run(connection, Sql("DEALLOCATE schema_reading"))
    del connection.info[_PLAN]


@cache
def _report(*names: str) -> None:
    for name in names:
        messages.send(unknown.report(name))


@contextmanager
def _pinned(connection: Connection) -> Iterator[tuple[tuple[int | None, ...], unknown.Catalogs]]:
    """Change settings during the block. Yield the tables that are left out, and the catalogs that are not known.

    A rollback restores the settings, of our own transaction or to a savepoint.
    """
    session, ours = driver.session(connection), not connection.in_transaction()
    begin, end = Sql("SAVEPOINT pinned"), Sql("ROLLBACK TO pinned; RELEASE pinned")
    if session.autocommit and driver.is_idle(session):
        begin, end = Sql("BEGIN READ ONLY"), Sql("ROLLBACK")
    sql.run(connection, begin)
    try:
        [(*left_out, catalogs)] = driver.rows(session, compose(_FIRST, Sql(unknown.find())))
        driver.rows(session, _PIN)
        yield tuple(left_out), unknown.found(catalogs)
    finally:
        if not connection.invalidated:  # an interruption, or an end of the session, invalidates it
            sql.run(connection, end)
        if ours:
            connection.rollback()
