"""The lock of a run that creates a database, or replaces one by another."""

import time

from sqlalchemy import Connection, text

from scripts.core.errors import UserError
from scripts.core.postgres import session_timeouts

LOCK_WAIT = 10.0
"""Seconds."""

_KEY = "hashtext('beside ' || :name)"
_TAKE = text(f"SELECT pg_try_advisory_lock({_KEY})")
_FREE = text(f"SELECT pg_advisory_unlock({_KEY})")
_HOLDER = text(
    "SELECT 'pid ' || a.pid || ', ' || a.application_name || coalesce(', from ' || host(a.client_addr), '')"
    " || coalesce(', since ' || to_char(a.backend_start, 'HH24:MI:SS TZ'), '')"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND a.datname = current_database()"
    f" AND (l.classid::bigint << 32) + l.objid::bigint = {_KEY} AND pid <> pg_backend_pid()"
)


def take(connection: Connection, name: str) -> None:
    """Take the lock until the session ends. The session is on the maintenance database.

    Wait for statements of a killed run that still work on the server. Raise UserError if another run has the lock.
    """
    session_timeouts.allow_idle(connection)
    deadline = time.monotonic() + LOCK_WAIT
    while not is_taken(connection, name):
        if time.monotonic() > deadline:
            raise error(name, holder(connection, name) or "a session that has just ended")
        time.sleep(0.1)


def is_taken(connection: Connection, name: str) -> bool:
    """Return whether the lock is now this session's."""
    return bool(connection.scalar(_TAKE, {"name": name}))


def free(connection: Connection, name: str) -> None:
    connection.execute(_FREE, {"name": name})


def holder(connection: Connection, name: str) -> str | None:
    """Return which other session has the lock of the database of this name, or None."""
    found = connection.scalar(_HOLDER, {"name": name})
    return str(found) if found else None


def error(name: str, who: str) -> UserError:
    return UserError(
        f"Another reset or restore of {name} runs: {who}.",
        why="Until it is done, no other command may use that name.",
        do="wait for it, then run this again",
    )
