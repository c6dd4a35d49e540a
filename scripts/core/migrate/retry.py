"""Run the steps of a command, and retry as long as only locks are in the way."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError, StatementError

from scripts.core import messages, redaction
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.migrate import failure_report, guards, lock_watch, timeouts, version_update
from scripts.core.migrate.run_context import Conditions
from scripts.core.migrate.steps import Steps
from scripts.core.migrate.timeouts import Timeouts
from scripts.core.migrate.transactions import Transactions
from scripts.core.postgres import advisory_lock, connections, driver, invalid_indexes, own_tables, privileges
from scripts.core.revisions import migration_log, source_table
from scripts.core.user_code import contained

_FLUSH = text("SELECT pg_logical_emit_message(true, 'alembic', '')")
Once = Callable[[Connection, Callable[..., Any], Callable[..., None]], None]


def run(conditions: Conditions, steps: Steps, once: Once) -> None:
    """Run all steps, and retry whenever a lock timeout ends an attempt.

    Raise UserError at the deadline, with a list of who holds the locks, or when a revision fails.
    """
    deadline = time.monotonic() + conditions.settings.limits.deadline
    engine = _engine(conditions)
    wanted: set[int] = set()
    for number, pause in enumerate(lock_watch.pauses(), start=1):
        # On a busy machine the watcher may miss the last wait.
        watch = lock_watch.Watch(relations=wanted)
        try:
            with failure_report.interruptions_reported(conditions, steps), _on_disk(conditions):
                _attempt(conditions, engine, steps, once, watch)
            return
        except DBAPIError as error:
            if steps.committed_within or not lock_watch.gave_up_waiting(error, watch):
                raise failure_report.failed(conditions, steps, error) from error
            if time.monotonic() + pause > deadline:
                raise failure_report.late(conditions, number, watch) from error
        except Exception as error:
            if not failure_report.is_of_a_revision(error, steps):
                raise
            raise failure_report.failed(conditions, steps, error) from error
        messages.send(_attempt_line(number, watch, pause))
        time.sleep(pause)
        advisory_lock.require_held(conditions.observer)
        if steps.command == "downgrade":
            # The holder of the lock may have added rows before it released it.
            guards.check_losses(conditions, failure_report.between_attempts(conditions))
        # A deadlock inside CREATE INDEX CONCURRENTLY leaves an invalid index.
        invalid_indexes.drop_invalid(conditions.observer, conditions.foreign_indexes)


def _attempt(conditions: Conditions, engine: Engine, steps: Steps, once: Once, watch: lock_watch.Watch) -> None:
    with (
        engine.connect() as connection,
        connections.noticing_its_end(connection),
        connections.connect(
            conditions.settings, conditions.url, "alembic-watch", isolation_level="AUTOCOMMIT"
        ) as watcher,
    ):
        # From here on a second runner sees this session and waits for it, even if the advisory lock is lost.
        advisory_lock.require_held(conditions.observer)
        session = driver.session(connection)
        transactions = Transactions(connection, conditions.observer, steps)
        limited = Timeouts(
            connection,
            conditions.settings.limits,
            watch,
            lambda: _tell_who_is_waited_for(conditions),
            lambda: transactions.inside,
        )
        if steps.command == "downgrade":
            event.listen(connection, "begin", lambda connection: guards.keep_empty(connection, conditions))
        if conditions.tracer:
            transactions.excuse = conditions.tracer(connection, lambda: steps.revision, steps.commits)
        with (
            timeouts.for_all_connections(conditions.settings.limits),
            limited.restored(),
            connections.interruptible(session),
            lock_watch.watched(watcher, session.info.backend_pid, conditions.settings.limits.lock_timeout, watch),
            contained(),
            unwrapped(),
            version_update.by_driver(),
        ):
            once(
                connection,
                lambda at, command: transactions.watched(steps.left(at, command)),
                _on_apply(conditions, steps),
            )


@contextmanager
def _on_disk(conditions: Conditions) -> Iterator[None]:
    """Bring everything that was committed in the block onto the disk. A later commit of a session that waits does so.

    After a crash of the server before that, the last revisions are not applied, and the next run applies them.
    Raise UserError if a block that succeeds cannot be brought there.
    """
    try:
        yield
    except BaseException:
        with suppress(UserError, DBAPIError):  # What has stopped the block is reported.
            _flush(conditions)
        raise
    try:
        _flush(conditions)
    except (UserError, DBAPIError) as error:  # the new connection, or its statement
        said = error.problem if isinstance(error, UserError) else redaction.message(error)
        raise UserError(
            f"Every revision ran, but perhaps not all are on the server's disk: {said}",
            why="A crash of the server now could undo the last ones.",
            do="make status; then make migrate, which applies what is missing",
            state="the server has committed every revision.",
        ) from error


def _flush(conditions: Conditions) -> None:
    if conditions.tracer:
        return  # a throwaway database
    # Not through the observer, whose end is noticed when it is asked for the lock.
    quick = replace(conditions.settings, connect_wait=0)
    with connections.connect(quick, conditions.url) as connection:
        connection.execute(_FLUSH)
        connection.commit()


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raise our own error without the wrapper of SQLAlchemy. It wraps what a signal raises in a statement."""
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, UserError):
            raise error.orig from error
        raise


def _on_apply(conditions: Conditions, steps: Steps) -> Callable[..., None]:
    """Return the function for Alembic's on_version_apply. It runs in the transaction of the version change."""
    settings, is_throwaway = conditions.settings, conditions.tracer is not None
    how = migration_log.circumstances(settings.values, conditions.overrides, conditions.backup, steps.sources)
    started = time.monotonic()
    ensured = False

    def apply(*, ctx: MigrationContext, step: MigrationInfo, heads: set[str], run_args: dict[str, Any]) -> None:
        nonlocal started, ensured, how
        seconds = time.monotonic() - started
        assert ctx.connection is not None
        if not ensured:
            migration_log.ensure(ctx.connection)
            keeps = settings.keeps_sources and not is_throwaway and source_table.ensure(ctx.connection)
            how = replace(how, keeps_sources=keeps)
            privileges.close(ctx.connection, own_tables.VERSION, allowed="SELECT")
            ensured = True
        if not is_throwaway:
            migration_log.write(ctx.connection, step, seconds, how)
        steps.applied(heads, seconds)
        started = time.monotonic()

    return apply


def _engine(conditions: Conditions) -> Engine:
    # The driver needs this date style. If the driver set it, the first RESET ALL would undo it. A commit does not wait
    # for the disk: the session's last one does that for all, and releases its locks sooner.
    options = f"{timeouts.options(conditions.settings.limits)} -c datestyle=ISO -c synchronous_commit=off"
    return connections.engine(conditions.url, conditions.application, options, use_native_hstore=True)


def _tell_who_is_waited_for(conditions: Conditions) -> None:
    for line in lock_watch.open_transactions(conditions.observer):
        messages.send(f"CONCURRENTLY waits for {line}.")


def _attempt_line(number: int, watch: lock_watch.Watch, pause: float) -> str:
    behind = f", {counted(watch.behind, 'session')} behind it" if watch.behind else ""
    return f"Attempt {number}: waited {watch.waited:.2f} s for a lock{behind}. Next attempt in {pause:.1f} s."
