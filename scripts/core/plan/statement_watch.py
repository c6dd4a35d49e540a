"""Watch the statements of a migrating session, and add each one to a trace."""

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, event

from scripts.core import child_process
from scripts.core.migrate.steps import Commits
from scripts.core.plan import dry_run, repetition, session_state
from scripts.core.plan.repetition import Repeated
from scripts.core.plan.session_state import Effects, Moment
from scripts.core.plan.trace import Statement, Trace
from scripts.core.postgres import driver, own_tables, statements
from scripts.core.postgres.connections import for_driver
from scripts.core.postgres.driver import Session
from scripts.core.postgres.sql import sent
from scripts.core.revisions import checksum, sql_lines
from scripts.core.schema import catalog_snapshot
from scripts.core.schema.catalog_snapshot import Snapshot

_SIZE = "SELECT pg_database_size(current_database())"


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
    event.listen(connection, "rollback_savepoint", tracer.invalidate)
    event.listen(connection, "before_cursor_execute", tracer.before)
    event.listen(connection, "after_cursor_execute", tracer.after)


@dataclass
class _Running:
    """A statement between its start and its end."""

    statement: Statement
    before: Moment | None
    """None for a statement that is only counted."""
    tried: Effects | None
    """Its effects in a transaction that was rolled back."""
    sampled: set[tuple[int, str]]
    sampling: ExitStack
    at: float = 0.0
    form: repetition.Form = ((), "")


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
    last: Moment | None = None
    """The state after the previous statement of the running transaction."""
    repeated: Repeated[Statement] = field(default_factory=Repeated)

    def before(self, _connection: Any, _cursor: Any, sql: str, parameters: Any, context: Any, many: bool) -> None:
        line = sql_lines.running(sent(sql))
        if line is None:
            self.invalidate()
            return
        committed = len(self.trace.commits.get(self.revision(), ()))
        if committed != self.committed and self.existing is not None:
            self.end()
        self.committed, alone, looked = committed, driver.is_alone(self.session), time.monotonic()
        form = repetition.form((self.revision(), line, alone or self.transaction), sql)
        again = self.repeated.find(form)
        if again:
            self.running.append(_Running(again, None, None, set(), ExitStack(), time.monotonic()))
            return
        self.settle()
        statement = Statement(self.revision(), sent(sql), line, self.transaction, alone=alone)
        with child_process.own_work():
            moment = self._begin(alone)
        running = _Running(statement, moment, None, set(), ExitStack(), form=form)
        if alone:
            execute = partial(driver.execute, self.session, for_driver(sql, parameters, context), parameters, many=many)
            self._prepare(running, sql, execute)
        if statements.may_roll_back(sql):
            self.invalidate()
        self.running.append(running)
        running.at = time.monotonic()
        self.trace.looking += running.at - looked
        statement.began = self.trace.clock

    def _begin(self, alone: bool) -> Moment:
        """Return the state before a statement."""
        if self.revision() not in self.trace.before:
            self.own = own_tables.numbers(self.session)
        moment = self.last if self.last and self.last.catalogs else self._look(alone)
        self.known, self.last = moment.state, moment
        if self.existing is None:
            self.existing = moment.state.relations.keys() | moment.state.indexes.keys()
        self.trace.before.setdefault(self.revision(), moment.state)
        return moment

    def _prepare(self, running: _Running, sql: str, execute: Callable[[], None]) -> None:
        """Try a statement that will commit by itself, or else read its locks while it runs."""
        if self.trace.peak is None:
            running.tried = dry_run.effects(self.session, sql, execute, self.known, self.own)
        if not running.tried:
            sampled = session_state.sampled(self.observer, self.session.info.backend_pid)
            running.sampled = running.sampling.enter_context(sampled)
            running.before = self._look(alone=True)

    def after(self, *_: Any) -> None:
        if checksum.line() is None or not self.running:
            return
        running = self.running.pop()
        statement, before, ended = running.statement, running.before, time.monotonic()
        if not before:
            self.repeated.count(statement, ended - running.at)
            return
        statement.seconds = ended - running.at
        running.sampling.close()
        with child_process.own_work():
            self._compare(running, before)
            if self.trace.peak is not None:
                self.trace.peak = max(self.trace.peak, _size(self.session))
        self.trace.looking += time.monotonic() - ended
        if statement.alone:
            last = self.last
            self.end()
            self.last = last

    def _compare(self, running: _Running, before: Moment) -> None:
        """Record what the statement did."""
        statement, now = running.statement, self._look(running.statement.alone)
        if statement.alone:
            now.locks |= running.sampled | session_state.implied(before.state, now.state)
        self.known, self.last = now.state, now
        found = running.tried or session_state.effects(before, now, self.existing or ())
        statement.locks, statement.rewrites = found.locks, found.rewrites
        statement.scans, statement.rows_written = found.scans, found.rows_written
        self._record(statement, before, now)
        self.trace.statements.append(statement)
        self.repeated.looked(statement, running.form)

    def end(self, *_: Any) -> None:
        self.settle()
        self.last, now = None, self.trace.clock
        for statement in reversed(self.trace.statements):
            if statement.transaction != self.transaction:
                break
            statement.held = statement.seconds if statement.alone else now - statement.began
        self.transaction, self.existing = self.transaction + 1, None
        while self.running:  # a statement that failed
            self.running.pop().sampling.close()

    def invalidate(self, *_: Any) -> None:
        """Read the catalogs again next time: something else than a traced statement may have changed them."""
        if self.last:
            self.last.catalogs = None

    def settle(self) -> None:
        """Add what the counted statements did since the last look to the last one of them."""
        counted, self.repeated.counted = self.repeated.counted, None
        if not counted or not self.last or self.session.closed or driver.has_failed(self.session):
            return
        looked, before = time.monotonic(), self.last
        self.last = now = self._look(counted.alone)
        self.known = now.state
        found = session_state.effects(before, now, self.existing or before.state.relations)
        counted.locks += found.locks
        counted.rewrites = sorted({*counted.rewrites, *found.rewrites})
        counted.scans = sorted({*counted.scans, *found.scans})
        for name, rows in found.rows_written.items():
            counted.rows_written[name] = counted.rows_written.get(name, 0) + rows
        self._record(counted, before, now)
        self.trace.looking += time.monotonic() - looked

    def _record(self, statement: Statement, before: Moment, now: Moment) -> None:
        """Record what changed in the catalogs."""
        there = self.trace.before[statement.revision].relations
        changes = catalog_snapshot.changes(before.state, now.state, there)
        statement.changes = statement.changes + changes
        self.trace.definitions |= catalog_snapshot.definitions(self.session, (one for one in changes if one.old))
        self.trace.after[statement.revision] = now.state

    def _look(self, alone: bool) -> Moment:
        look = session_state.look_outside if alone else session_state.look
        return look(self.session, self.known, self.own, self.last if self.existing is not None else None)


def _size(session: Session) -> int:
    return int(driver.ask(session, _SIZE) or 0)
