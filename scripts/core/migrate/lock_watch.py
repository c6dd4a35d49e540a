"""How long a migration may wait for locks, and how often it tries again.

A session that waits for an exclusive lock makes all later sessions wait behind it. So a revision waits shortly, gives
up, lets the others through, and starts again as a whole after a pause. The pauses grow.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import sqlstates
from scripts.core.postgres import lock_modes

POLL = 0.025
"""Seconds between two polls of the watcher."""
SHORTEST, LONGEST = 0.1, 30.0
"""Seconds of the first and the longest pause."""

WAITED_TOO_LONG = (sqlstates.LOCK_NOT_AVAILABLE, sqlstates.DEADLOCK_DETECTED)

_STATE = text("SELECT xact_start, coalesce(wait_event_type = 'Lock', false) FROM pg_stat_get_activity(:pid)")
_STANDS_IN_THE_WAY = text(
    f"SELECT true FROM pg_locks WHERE pid = :pid AND locktype = 'relation' AND mode IN ({lock_modes.BLOCKING}) LIMIT 1"
)
_BEHIND = text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND :pid = ANY(pg_blocking_pids(pid))"
)
_WANTED = text("SELECT relation FROM pg_locks WHERE pid = :pid AND NOT granted AND locktype = 'relation'")
_CENSUS = text(
    "SELECT DISTINCT a.pid, coalesce(nullif(a.application_name, ''), a.backend_type, 'not visible') AS application,"
    " a.state, round(extract(epoch FROM now() - a.xact_start))::int AS age,"
    " l.relation::regclass::text AS relation, l.mode,"
    " coalesce(a.query LIKE 'autovacuum:%(to prevent wraparound)', false) AS wraparound"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.granted AND l.locktype = 'relation' AND a.pid <> pg_backend_pid() AND a.datname = current_database()"
    " AND l.relation = ANY(CAST(:relations AS oid[])) ORDER BY 4 DESC NULLS LAST"
)

_OPEN = text(
    "SELECT pid, application_name, state, round(extract(epoch FROM now() - xact_start))::int AS age"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND xact_start < now() - interval '1 second' AND backend_type = 'client backend'"
    " AND application_name NOT LIKE 'alembic %' ORDER BY xact_start"
)


@dataclass
class Watch:
    """What the watcher saw of one attempt."""

    waited: float = 0.0
    """Seconds in which the transaction waited for locks and blocked others at the same time."""
    behind: int = 0
    """The largest number of sessions that waited behind it at once."""
    cancelled: bool = False
    relations: set[int] = field(default_factory=set)
    """OIDs of the tables that it waited for."""
    suspended: bool = False
    """Nothing is added up: CONCURRENTLY waits for others without blocking them."""


@contextmanager
def watched(observer: Connection, pid: int, limit: float, watch: Watch) -> Iterator[None]:
    """Add up how long the session `pid` waits for locks while the block runs, and cancel it at `limit` seconds.

    lock_timeout counts for each lock alone: with 250 ms, four waits of 200 ms make a reader wait for 800 ms. The sum
    starts at zero with every transaction. `observer` is in autocommit and is used for nothing else meanwhile.
    """
    over = Event()
    thread = Thread(target=_watch, args=(observer, pid, limit, watch, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _watch(observer: Connection, pid: int, limit: float, watch: Watch, over: Event) -> None:
    # If the observer ends (by an administrator, or with the server), lock_timeout still limits each wait.
    with suppress(DBAPIError):
        _look(observer, pid, limit, watch, over)


def _look(observer: Connection, pid: int, limit: float, watch: Watch, over: Event) -> None:
    transaction, last = None, time.monotonic()
    while not over.wait(POLL):
        now = time.monotonic()
        started, waits = observer.execute(_STATE, {"pid": pid}).one_or_none() or (None, False)
        if started != transaction:
            transaction, watch.waited = started, 0.0
        if waits and not watch.suspended and observer.scalar(_STANDS_IN_THE_WAY, {"pid": pid}):
            watch.waited += now - last
            watch.relations.update(observer.scalars(_WANTED, {"pid": pid}))
            watch.behind = max(watch.behind, observer.scalar(_BEHIND, {"pid": pid}) or 0)
            if watch.waited > limit:  # Repeated: the first may have come between two statements.
                watch.cancelled = True
                observer.execute(text("SELECT pg_cancel_backend(:pid)"), {"pid": pid})
        last = now


def gave_up_waiting(error: DBAPIError, watch: Watch) -> bool:
    """Return whether the error is a lock timeout or a deadlock. After one, a later attempt may succeed."""
    code = sqlstates.of(error)
    return code in WAITED_TOO_LONG or (code == sqlstates.QUERY_CANCELED and watch.cancelled)


def pauses() -> Iterator[float]:
    """Yield the seconds to pause after each attempt: doubled each time, with jitter against periodic jobs."""
    pause = SHORTEST
    while True:
        yield pause * random.uniform(0.5, 1.5)  # noqa: S311
        pause = min(pause * 2, LONGEST)


def census(observer: Connection, relations: set[int]) -> list[str]:
    """Return who holds locks on these tables, the longest transaction first. What they run is not shown."""
    rows = observer.execute(_CENSUS, {"relations": list(relations)})
    return [
        f"pid {row.pid}  {row.application}  {row.state or 'background'}, transaction {row.age or 0} s old,"
        f" {row.mode} on {row.relation}{', autovacuum against wraparound' if row.wraparound else ''}"
        for row in rows
    ]


def open_transactions(observer: Connection) -> list[str]:
    """Return the transactions that CREATE INDEX CONCURRENTLY has to wait for, the oldest first."""
    return [
        f"pid {row.pid}  {row.application_name}  {row.state}, transaction {row.age} s old"
        for row in observer.execute(_OPEN)
    ]
