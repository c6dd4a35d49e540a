"""What the migrating session holds, has read and has written at a moment, and what a statement changed in that."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from sqlalchemy import Connection

from scripts.core.postgres import driver
from scripts.core.postgres.driver import Session
from scripts.core.postgres.lock_modes import ACCESS_EXCLUSIVE, SHARE
from scripts.core.postgres.user_tables import FIRST_OID
from scripts.core.schema import catalog_snapshot
from scripts.core.schema.catalog_snapshot import Index, Relation, Snapshot
from scripts.core.schema.catalogs import versions

SAMPLE = 0.001
"""Seconds between two reads of the locks of a statement that commits by itself."""

_LOCKS = "SELECT relation, mode FROM pg_locks WHERE pid = %s AND locktype = 'relation' AND granted"
# A transaction holds a lock on all that it has read or written. Its counters exist only for those relations.
_IN_TRANSACTION = (
    "SELECT relation, mode, pg_stat_get_xact_numscans(relation), pg_stat_get_xact_tuples_inserted(relation)"
    " + pg_stat_get_xact_tuples_updated(relation) + pg_stat_get_xact_tuples_deleted(relation)"
    " FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted"
    f" UNION ALL SELECT 0::oid, current_setting('search_path'), 0, {versions.WRITES}"
)
# Counters of earlier transactions may be included as long as they are not reported to the server.
_EARLIER = (
    "SELECT * FROM (SELECT oid, pg_stat_get_xact_numscans(oid) AS scans, pg_stat_get_xact_tuples_inserted(oid)"
    " + pg_stat_get_xact_tuples_updated(oid) + pg_stat_get_xact_tuples_deleted(oid) AS written"
    f" FROM pg_class WHERE oid >= {FIRST_OID} AND relkind IN ('r', 'p', 'm')) counted WHERE scans + written > 0"
)
_IN_ALL = (
    "SELECT x.relid, x.seq_scan + a.seq_scan, x.n_tup_ins + x.n_tup_upd + x.n_tup_del"
    " + a.n_tup_ins + a.n_tup_upd + a.n_tup_del"
    " FROM pg_stat_xact_user_tables x JOIN pg_stat_user_tables a ON a.relid = x.relid"
)


@dataclass
class Moment:
    """The state that the migrating session sees."""

    state: Snapshot
    scans: dict[int, int] = field(default_factory=dict)
    written: dict[int, int] = field(default_factory=dict)
    locks: set[tuple[int, str]] = field(default_factory=set)
    catalogs: tuple[str, int] | None = None
    """The search path, and how many rows of the catalogs this transaction has written; None outside one."""


@dataclass
class Effects:
    """What was done to relations that existed when the transaction began."""

    locks: list[dict[str, str]]
    rewrites: list[str]
    scans: list[str]
    rows_written: dict[str, int]


def look(session: Session, known: Snapshot, own: Collection[int], last: Moment | None = None) -> Moment:
    """Return the state in the running transaction. `last`: an earlier moment of it, since which it kept its savepoints.

    The catalogs are read only if they have changed since `known`.
    """
    found = Moment(known, *(last.scans.copy(), last.written.copy()) if last else _counts(session, _EARLIER))
    for number, mode, scans, written in driver.rows(session, _IN_TRANSACTION):
        if number == 0:
            found.catalogs = mode, written
            continue
        found.locks.add((number, mode))
        found.scans[number], found.written[number] = scans, written
    if last is None or last.catalogs != found.catalogs or last.state is not known:
        found.state = catalog_snapshot.read(session, known, own)
    return found


def look_outside(session: Session, known: Snapshot, own: Collection[int], _last: Moment | None = None) -> Moment:
    """Return the state of a session that is in no transaction. It holds no lock."""
    return Moment(catalog_snapshot.read(session, known, own), *_counts(session, _IN_ALL))


def _counts(session: Session, query: str) -> tuple[dict[int, int], dict[int, int]]:
    """Return how often each table was scanned, and how many of its rows were written."""
    counts = driver.rows(session, query)
    scans, written = ({row[0]: row[column] for row in counts} for column in (1, 2))
    return scans, written


def implied(before: Snapshot, now: Snapshot) -> set[tuple[int, str]]:
    """Return the locks that a statement took for certain: PostgreSQL replaces no file without them."""
    if before is now:
        return set()
    both = [(one, now.relations[number]) for number, one in before.relations.items() if number in now.relations]
    replaced = {(was.number, ACCESS_EXCLUSIVE) for was, one in both if was.file != one.file}
    detached = {(was.number, ACCESS_EXCLUSIVE) for was, one in both if was.partition and not one.partition}
    indexes = [(one, now.indexes[number]) for number, one in before.indexes.items() if number in now.indexes]
    return replaced | detached | {(was.relation, SHARE) for was, one in indexes if was.file != one.file}


def effects(before: Moment, now: Moment, existing: Collection[int]) -> Effects:
    """Return what happened between two moments."""

    def names(numbers: Collection[int]) -> list[tuple[str, int]]:
        there = ((before.state.relations.get(number), number) for number in numbers)
        return sorted((one.name, number) for one, number in there if one and number in existing)

    taken = now.locks - before.locks
    scanned = [number for number, scans in now.scans.items() if scans > before.scans.get(number, 0)]
    rows = {number: rows - before.written.get(number, 0) for number, rows in now.written.items()}
    return Effects(
        locks=[
            {"relation": name, "mode": mode}
            for name, number in names({number for number, _ in taken})
            for mode in sorted(mode for locked, mode in taken if locked == number)
        ],
        rewrites=sorted(_rewritten(before.state, now.state, existing)),
        scans=[name for name, _ in names(scanned)],
        rows_written={name: rows[number] for name, number in names([one for one in rows if rows[one] > 0])},
    )


def _rewritten(before: Snapshot, now: Snapshot, existing: Collection[int]) -> Iterator[str]:
    if before is now:
        return
    files: dict[int, Relation | Index] = {**before.relations, **before.indexes}
    later: dict[int, Relation | Index] = {**now.relations, **now.indexes}
    # If the number is gone, compare by name: a change of type creates an index again, on the old file or a new one.
    named = {index.name: index for index in now.indexes.values()}
    for number, was in files.items():
        after = later.get(number) or named.get(was.name)
        if number in existing and after and after.file != was.file:
            yield was.name


@contextmanager
def sampled(observer: Connection, pid: int) -> Iterator[set[tuple[int, str]]]:
    """Yield the locks that the session holds during the block. After a statement that commits, no lock is left."""
    seen: set[tuple[int, str]] = set()
    over = Event()
    session = driver.session(observer)

    def read() -> None:
        while not over.wait(SAMPLE):
            seen.update(driver.rows(session, _LOCKS, pid))

    thread = Thread(target=read, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
