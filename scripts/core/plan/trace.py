"""What each statement of a revision does: new locks, rewritten files, scanned tables, written rows.

It is read from PostgreSQL and not from the SQL, so loops, helpers and DO blocks are seen too. Empty tables are enough:
a scan counts even if it finds nothing, and a rewrite gives a table another file.
"""

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, event

from scripts.core.migrate.steps import Commits
from scripts.core.plan import dry_run, session_state
from scripts.core.plan.session_state import Effects, Moment
from scripts.core.postgres import driver
from scripts.core.postgres.driver import Session
from scripts.core.postgres.sql import sent
from scripts.core.revisions import checksum
from scripts.core.schema import catalog_snapshot
from scripts.core.schema.catalog_snapshot import Change, Snapshot, Thing

_SIZE = "SELECT pg_database_size(current_database())"


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
class _Running:
    """A statement between its start and its end."""

    statement: Statement
    before: Moment
    tried: Effects | None
    """Its effects in a transaction that was rolled back."""
    sampled: set[tuple[int, str]]
    sampling: ExitStack
    at: float = 0.0


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
    running: list[_Running] = field(default_factory=list)

    def before(self, _connection: Any, _cursor: Any, sql: str, parameters: Any, context: Any, many: bool) -> None:
        line = checksum.line()
        if line is None:
            return
        committed = len(self.trace.commits.get(self.revision(), ()))
        if committed != self.committed and self.existing is not None:
            self.end()
        self.committed, alone, looked = committed, driver.is_alone(self.session), time.monotonic()
        if self.revision() not in self.trace.before:
            self.own = catalog_snapshot.own_tables(self.session)
        moment = self._look(alone)
        self.known = moment.state
        if self.existing is None:
            self.existing = moment.state.relations.keys() | moment.state.indexes.keys()
        self.trace.before.setdefault(self.revision(), moment.state)
        statement = Statement(self.revision(), sent(sql), line, self.transaction, alone=alone)
        running = _Running(statement, moment, None, set(), ExitStack())
        if alone and self.trace.peak is None:
            executed = partial(driver.execute, self.session, sql, parameters, many=many)
            running.tried = dry_run.effects(self.session, sql, executed, moment.state, self.own)
        if alone and not running.tried:
            running.sampled = running.sampling.enter_context(
                session_state.sampled(self.observer, self.session.info.backend_pid)
            )
            running.before = self._look(alone)
        self.running.append(running)
        running.at = time.monotonic()
        self.trace.looking += running.at - looked
        statement.began = self.trace.clock

    def after(self, *_: Any) -> None:
        if checksum.line() is None or not self.running:
            return
        running = self.running.pop()
        statement, before, ended = running.statement, running.before, time.monotonic()
        statement.seconds = ended - running.at
        running.sampling.close()
        now = self._look(statement.alone)
        if statement.alone:
            now.locks |= running.sampled | session_state.implied(before.state, now.state)
        self.known = now.state
        found = running.tried or session_state.effects(before, now, self.existing or ())
        statement.locks, statement.rewrites = found.locks, found.rewrites
        statement.scans, statement.rows_written = found.scans, found.rows_written
        there = self.trace.before[statement.revision].relations
        statement.changes = catalog_snapshot.changes(before.state, now.state, there)
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
            self.running.pop().sampling.close()

    def _look(self, alone: bool) -> Moment:
        look = session_state.look_outside if alone else session_state.look
        return look(self.session, self.known, self.own)


def _size(session: Session) -> int:
    return int(driver.ask(session, _SIZE) or 0)
