"""One migration at a time: an advisory lock on a connection of its own. A command that waits names the holder.

The lock is polled in autocommit. A session that sleeps inside `SELECT pg_advisory_lock()` holds a snapshot, and CREATE
INDEX CONCURRENTLY waits for every snapshot. The two would wait for each other for ever.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import messages
from scripts.core.errors import UserError
from scripts.core.postgres import connection_fault, driver, own_tables, session_timeouts

POLL = 0.25
"""Seconds between two attempts."""
REMIND = 30
"""Seconds between two lines about the holder."""
MIGRATES = "alembic %"
"""The application_name of a session that migrates. The other sessions of the scripts begin with `alembic-`."""

_KEY = "hashtextextended('{}', 0)".format(own_tables.VERSION.replace("'", "''"))
_TAKE = text(f"SELECT pg_try_advisory_lock({_KEY})")
_HOLDER = text(
    "SELECT 'pid ' || a.pid || ', ' || a.application_name || ', role ' || a.usename"
    " || coalesce(', from ' || host(a.client_addr), '')"
    " || coalesce(', since ' || to_char(a.backend_start, 'HH24:MI:SS TZ'), '')"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND a.datname = current_database()"
    f" AND (l.classid::bigint << 32) + l.objid::bigint = {_KEY}"
)
_ORPHAN = text(
    "SELECT 'pid ' || pid || ', ' || application_name || ', role ' || usename FROM pg_stat_activity"
    f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE '{MIGRATES}'"
)


@contextmanager
def hold(connection: Connection, seconds: float) -> Iterator[None]:
    """Hold the advisory lock of the connected database while the block runs.

    `connection` is in autocommit, and closing it releases the lock. The lock of a killed runner is free at once. Its
    migrating session may still work on the server, so this waits for that session too.
    Raise UserError with the holder's name when `seconds` have passed.
    """
    refuse_pooler(connection)
    session_timeouts.allow_idle(connection)
    deadline = time.monotonic() + seconds
    _wait(lambda: _taken_by(connection), deadline, "another migration or backup runs", seconds)
    _wait(lambda: connection.scalar(_ORPHAN), deadline, "a killed migration still works on the server", seconds)
    yield


def require_held(connection: Connection) -> None:
    """Raise UserError if the session that `hold` locked with has ended, because then the lock is free."""
    try:
        connection.scalar(text("SELECT 1"))
    except DBAPIError as error:
        raise UserError(
            "The session that held the advisory lock was ended.",
            why="Without the lock, another migration may have started meanwhile.",
            do="run this again",
            state="each revision is applied completely or not at all; see: make status",
        ) from error


def _taken_by(connection: Connection) -> str | None:
    """Return who has the lock, or None if this session has it now."""
    if connection.scalar(_TAKE):
        return None
    return str(connection.scalar(_HOLDER) or "a session that has just ended")


def _wait(blocker: Callable[[], str | None], deadline: float, what: str, seconds: float) -> None:
    # The server still counts a session for some milliseconds after its client has closed it.
    report = time.monotonic() + POLL
    deadline = max(deadline, report)
    while who := blocker():
        now = time.monotonic()
        if now > deadline:
            raise UserError(
                f"Waited {seconds:g} s, but {what}: {who}.",
                why="Two migrations at once would run the same statements twice.",
                do="wait for it or end it, then run this again. MIGRATION_WAIT in .env sets how long a command waits.",
            )
        if now > report:
            messages.send(f"Waiting, because {what}: {who}.")
            report = now + REMIND
        time.sleep(POLL)


def is_pooled(connection: Connection) -> bool:
    """Return whether a pooler is between this process and the server.

    libpq knows the process that it logged in to; a pooler invents that number.
    """
    return bool(driver.session(connection).info.backend_pid != connection.scalar(text("SELECT pg_backend_pid()")))


def refuse_pooler(connection: Connection) -> None:
    """Raise UserError if a pooler is between this process and the server: one of its sessions would keep the lock."""
    if is_pooled(connection):
        raise connection_fault.through_pooler()
