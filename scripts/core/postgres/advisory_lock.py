"""One migration at a time: an advisory lock on a connection of its own, polled, with the holder named to who waits.

Polled and in autocommit, because a session that sleeps inside `SELECT pg_advisory_lock()` holds a snapshot, and
CREATE INDEX CONCURRENTLY waits for every snapshot: the two would wait for each other for ever.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core.errors import UserError
from scripts.core.postgres import driver, session_timeouts

Tell = Callable[[str], None]

POLL = 0.25
"""Seconds between two tries."""
REMIND = 30
"""Seconds between two lines about whom we wait for."""
MIGRATES = "alembic %"
"""application_name of a session that migrates; of the others it begins with `alembic-`."""

_KEY = "hashtextextended('alembic_version', 0)"
_TAKE = text(f"SELECT pg_try_advisory_lock({_KEY})")
_HOLDER = text(
    "SELECT 'pid ' || a.pid || ', ' || a.application_name || coalesce(', from ' || host(a.client_addr), '')"
    " || coalesce(', since ' || to_char(a.backend_start, 'HH24:MI:SS TZ'), '')"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND a.datname = current_database()"
    f" AND (l.classid::bigint << 32) + l.objid::bigint = {_KEY}"
)
_ORPHAN = text(
    "SELECT 'pid ' || pid || ', ' || application_name FROM pg_stat_activity WHERE datname = current_database()"
    f" AND pid <> pg_backend_pid() AND application_name LIKE '{MIGRATES}'"
)


@contextmanager
def hold(connection: Connection, seconds: float, tell: Tell) -> Iterator[None]:
    """Hold the mutex of the connected database while the block runs.

    `connection` is in autocommit; closing it frees the lock. A killed runner's is free at once, but what its migrating
    session was doing may go on in the server, so that one is waited for too.
    Raises UserError when `seconds` have passed, naming the holder.
    """
    _refuse_pooler(connection)
    session_timeouts.allow_idle(connection)
    deadline = time.monotonic() + seconds
    _wait(lambda: _taken_by(connection), deadline, "another migration or backup runs", seconds, tell)
    _wait(lambda: connection.scalar(_ORPHAN), deadline, "a killed migration still works on the server", seconds, tell)
    yield


def require_held(connection: Connection) -> None:
    """Raises UserError when the session that `hold` locked with is gone, and the lock with it."""
    try:
        connection.scalar(text("SELECT 1"))
    except DBAPIError as error:
        raise UserError(
            "The session that kept other migrations away was ended.",
            why="Another migration may have begun meanwhile.",
            do="run this again",
            state="every revision is wholly applied or not at all; see: make status",
        ) from error


def _taken_by(connection: Connection) -> str | None:
    """Who has the lock; None when now it is ours."""
    if connection.scalar(_TAKE):
        return None
    return str(connection.scalar(_HOLDER) or "somebody who is just leaving")


def _wait(blocker: Callable[[], str | None], deadline: float, what: str, seconds: float, tell: Tell) -> None:
    reported = 0.0
    while who := blocker():
        now = time.monotonic()
        if now > deadline:
            raise UserError(
                f"Waited {seconds:g} s, and {what}: {who}.",
                why="Two migrations at once would run the same statements twice.",
                do="wait for it, or end it; MIGRATION_WAIT in .env is the patience",
            )
        if not reported or now - reported > REMIND:
            tell(f"Waiting, because {what}: {who}.")
            reported = now
        time.sleep(POLL)


def _refuse_pooler(connection: Connection) -> None:
    """A pooler in transaction mode gives every statement another session: the lock would stay with one of them.

    libpq knows the process that it logged in to; a pooler makes that number up.
    """
    if driver.session(connection).info.backend_pid != connection.scalar(text("SELECT pg_backend_pid()")):
        raise UserError(
            "This connection goes through a pooler such as PgBouncer.",
            why="A lock or a setting made through it is left behind in a session that others use.",
            do="set MIGRATION_DATABASE_URL to the server itself, in .env",
        )
