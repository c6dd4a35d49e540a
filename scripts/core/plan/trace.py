"""What each statement of a revision does: new locks, rewritten files, scanned tables, written rows.

It is read from PostgreSQL and not from the SQL, so loops, helpers and DO blocks are seen too. Empty tables are enough:
a scan counts even if it finds nothing, and a rewrite gives a table another file.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from sqlalchemy import Connection, event

from scripts.core.migrate.steps import Commits
from scripts.core.postgres import driver
from scripts.core.postgres.driver import Session
from scripts.core.postgres.sql import sent
from scripts.core.revisions import checksum
from scripts.core.schema import catalog_snapshot
from scripts.core.schema.catalog_snapshot import Change, Index, Relation, Snapshot, Thing

SAMPLE = 0.001
"""Seconds between two reads of the locks of a statement that commits by itself."""

_SIZE = "SELECT pg_database_size(current_database())"
_COUNTS = "SELECT relid, seq_scan, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
_LOCKS = "SELECT relation, mode FROM pg_locks WHERE pid = %s AND locktype = 'relation' AND granted"


@dataclass
class Statement:
    """One execution of a cursor by a revision file."""

    revision: str
    sql: str
    line: int
    """The line of the innermost frame in the revision's file."""
    transaction: int
    """Statements with the same number are committed together."""
    seconds: float = 0.0
    locks: list[dict[str, str]] = field(default_factory=list)
    """New locks: relation and mode. Locks on objects of the same transaction are left out."""
    rewrites: list[str] = field(default_factory=list)
    """Tables and indexes that got another file."""
    scans: list[str] = field(default_factory=list)
    rows_written: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    """Changes in the catalogs, of all relations."""
    alone: bool = False
    """The statement committed by itself (autocommit)."""
    began: float = 0.0
    """Seconds since the trace began. No time here includes the tracing itself."""
    held: float = 0.0
    """Seconds from its start to the end of its transaction: its locks are held so long."""


@dataclass
class Trace:
    statements: list[Statement] = field(default_factory=list)
    before: dict[str, Snapshot] = field(default_factory=dict)
    """The schema before each revision, if the revision executed a statement."""
    after: dict[str, Snapshot] = field(default_factory=dict)
    commits: Commits = field(default_factory=dict)
    """What each revision committed before its end."""
    sessions: list[tuple[str, int]] = field(default_factory=list)
    """File and line at which a revision opened another session."""
    definitions: dict[Thing, str] = field(default_factory=dict)
    """Definitions of new constraints, indexes and defaults of existing tables."""
    peak: int | None = None
    """The largest size of the database's files after a statement, in bytes; None if it is not measured. During a
    rewrite both the old and the new file count."""
    looking: float = 0.0
    """Seconds that the tracing itself took."""
    start: float = field(default_factory=time.monotonic)

    @property
    def clock(self) -> float:
        """Return the seconds since the trace began, without those of the tracing."""
        return time.monotonic() - self.start - self.looking


@dataclass
class _Moment:
    """The state that the migrating session sees."""

    state: Snapshot
    scans: dict[int, int]
    written: dict[int, int]
    locks: set[tuple[int, str]]
    at: float = 0.0


def attach(
    connection: Connection, observer: Connection, revision: Callable[[], str], commits: Commits, trace: Trace
) -> None:
    """Add every statement that a revision executes on `connection` to `trace` from now on.

    `observer` is another session on the same database, in autocommit.
    """
    trace.commits = commits
    if not trace.statements:
        trace.start, trace.looking = time.monotonic(), 0.0
    tracer = _Tracer(driver.session(connection), observer, revision, trace)
    event.listen(connection, "commit", tracer.end)
    event.listen(connection, "rollback", tracer.end)
    event.listen(connection, "before_cursor_execute", tracer.before)
    event.listen(connection, "after_cursor_execute", tracer.after)


@dataclass
class _Tracer:
    """Reads the state before and after each statement of one session."""

    session: Session
    observer: Connection
    revision: Callable[[], str]
    trace: Trace
    transaction: int = 0
    committed: int = 0
    """How many times the revision had committed by itself."""
    known: Snapshot = catalog_snapshot.EMPTY
    own: Collection[int] = ()
    """Alembic's table and ours."""
    existing: Collection[int] | None = None
    """Relations that existed when the transaction began; None before its first statement."""
    running: list[tuple[Statement, _Moment, set[tuple[int, str]], ExitStack]] = field(default_factory=list)

    def before(self, _connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        line = checksum.line()
        if line is None:
            return
        committed = len(self.trace.commits.get(self.revision(), ()))
        if committed != self.committed and self.existing is not None:
            self.end()
        self.committed, alone, looked = committed, driver.is_alone(self.session), time.monotonic()
        if self.revision() not in self.trace.before:
            self.own = catalog_snapshot.own_tables(self.session)
        moment = _look(self.session, self.known, self.own)
        if self.existing is None:
            self.existing = moment.state.relations.keys() | moment.state.indexes.keys()
        self.trace.before.setdefault(self.revision(), moment.state)
        sampling = ExitStack()
        sampled = set[tuple[int, str]]()
        if alone:
            sampled = sampling.enter_context(_sampled(self.observer, self.session.info.backend_pid))
        statement = Statement(self.revision(), sent(sql), line, self.transaction, alone=alone)
        self.running.append((statement, moment, sampled, sampling))
        moment.at = time.monotonic()
        self.trace.looking += moment.at - looked
        statement.began = self.trace.clock

    def after(self, *_: Any) -> None:
        if checksum.line() is None or not self.running:
            return
        statement, moment, sampled, sampling = self.running.pop()
        ended = time.monotonic()
        statement.seconds = ended - moment.at
        sampling.close()
        now = _look(self.session, moment.state, self.own)
        now.locks |= sampled
        self.known = now.state
        _compare(statement, moment, now, self.existing or ())
        found = self.trace.before[statement.revision].relations
        statement.changes = catalog_snapshot.changes(moment.state, now.state, found)
        self.trace.statements.append(statement)
        self.trace.definitions |= catalog_snapshot.definitions(
            self.session, (one for one in statement.changes if one.old)
        )
        self.trace.after[statement.revision] = now.state
        if self.trace.peak is not None:
            self.trace.peak = max(self.trace.peak, _size(self.session))
        self.trace.looking += time.monotonic() - ended
        if statement.alone:
            self.end()

    def end(self, *_: Any) -> None:
        now = self.trace.clock
        for statement in reversed(self.trace.statements):
            if statement.transaction != self.transaction:
                break
            statement.held = statement.seconds if statement.alone else now - statement.began
        self.transaction, self.existing = self.transaction + 1, None
        while self.running:  # a statement that failed
            self.running.pop()[3].close()


def _compare(statement: Statement, before: _Moment, now: _Moment, existing: Collection[int]) -> None:
    """Record what the statement did to relations that existed when its transaction began."""
    for relation in sorted(before.state.relations.values(), key=lambda relation: relation.name):
        if relation.number not in existing:
            continue
        number, name = relation.number, relation.name
        modes = sorted(mode for locked, mode in now.locks - before.locks if locked == number)
        statement.locks += [{"relation": name, "mode": mode} for mode in modes]
        if now.scans.get(number, 0) > before.scans.get(number, 0):
            statement.scans.append(name)
        written = now.written.get(number, 0) - before.written.get(number, 0)
        if written > 0:
            statement.rows_written[name] = written
    statement.rewrites = sorted(_rewritten(before.state, now.state, existing))


def _rewritten(before: Snapshot, now: Snapshot, existing: Collection[int]) -> Iterator[str]:
    files: dict[int, Relation | Index] = {**before.relations, **before.indexes}
    later: dict[int, Relation | Index] = {**now.relations, **now.indexes}
    # If the number is gone, compare by name: a change of type creates an index again, on the old file or a new one.
    named = {index.name: index for index in now.indexes.values()}
    for number, was in files.items():
        after = later.get(number) or named.get(was.name)
        if number in existing and after and after.file != was.file:
            yield was.name


def _look(session: Session, known: Snapshot, own: Collection[int]) -> _Moment:
    counts = driver.rows(session, _COUNTS)
    locks = set(driver.rows(session, _LOCKS, session.info.backend_pid))
    scans, written = ({row[0]: row[column] for row in counts} for column in (1, 2))
    return _Moment(catalog_snapshot.read(session, known, own), scans, written, locks)


def _size(session: Session) -> int:
    return int(driver.ask(session, _SIZE) or 0)


@contextmanager
def _sampled(observer: Connection, pid: int) -> Iterator[set[tuple[int, str]]]:
    """Yield the locks that the session holds during the block. After a statement that commits, no lock is left."""
    seen: set[tuple[int, str]] = set()
    over = Event()
    session = driver.session(observer)

    def look() -> None:
        while not over.wait(SAMPLE):
            seen.update(driver.rows(session, _LOCKS, pid))

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
