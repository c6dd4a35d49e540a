"""Runs the steps of a command, again and again while it is only locks that stand in the way."""

import re
import time
from collections.abc import Callable
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from scripts.core import failures, gates, indexes, migration_log, mutex, patience, postgres, privileges
from scripts.core.conditions import Conditions
from scripts.core.steps import Steps
from scripts.core.transactions import Transactions

Once = Callable[[Connection, Callable[..., Any], Callable[..., None]], None]

# They may read a whole table, which takes its time, without standing in anybody's way.
UNLIMITED = re.compile(r"\bCONCURRENTLY\b|\bVALIDATE\s+CONSTRAINT\b", re.IGNORECASE)
CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)


def run(conditions: Conditions, steps: Steps, once: Once) -> None:
    """Run all steps, trying again whenever a lock is not to be had in time.

    Raises UserError at the deadline, with a census of who holds the locks, or when a revision fails.
    """
    deadline = time.monotonic() + conditions.limits.deadline
    engine = _engine(conditions)
    for number, pause in enumerate(patience.pauses(), start=1):
        watch = patience.Watch()
        try:
            _try(conditions, engine, steps, once, watch)
            return
        except DBAPIError as error:
            if steps.committed_within or not patience.gave_up_waiting(error, watch):
                raise failures.failed(conditions, steps, error) from error
            if time.monotonic() + pause > deadline:
                raise failures.late(conditions, number, watch) from error
        except Exception as error:
            if not failures.is_of_a_revision(error):
                raise
            raise failures.failed(conditions, steps, error) from error
        conditions.tell(_try_line(number, watch, pause))
        time.sleep(pause)
        mutex.require_held(conditions.observer)
        if steps.command == "downgrade":
            # Who held the lock may have added rows before it let go.
            gates.check_losses(conditions, failures.between_tries(conditions))
        # A deadlock inside CREATE INDEX CONCURRENTLY.
        indexes.drop_invalid(conditions.observer, conditions.tell)


def _try(conditions: Conditions, engine: Engine, steps: Steps, once: Once, watch: patience.Watch) -> None:
    with (
        engine.connect() as connection,
        postgres.connect(conditions.settings, conditions.url, "alembic-watch", isolation_level="AUTOCOMMIT") as watcher,
    ):
        # From here on a second runner sees this session and waits for it, whatever becomes of the mutex.
        mutex.require_held(conditions.observer)
        driver: Any = connection.connection.dbapi_connection
        transactions = Transactions(connection, conditions.observer, steps)
        _listen(conditions, connection, watch)
        if steps.command == "downgrade":
            event.listen(connection, "begin", lambda connection: gates.keep_empty(connection, conditions))
        trace = context.config.attributes.get("trace")
        if trace:
            trace(connection, lambda: steps.revision, steps.commits)
        with (
            postgres.interruptible(driver),
            patience.watched(watcher, driver.info.backend_pid, conditions.limits.lock_timeout, watch),
        ):
            once(
                connection,
                lambda at, command: transactions.watched(steps.left(at, command)),
                _on_apply(conditions, steps),
            )


def _on_apply(conditions: Conditions, steps: Steps) -> Callable[..., None]:
    """For Alembic's on_version_apply: runs in the transaction of the version change."""
    started = time.monotonic()
    ensured = False

    def apply(*, ctx: MigrationContext, step: MigrationInfo, heads: set[str], run_args: dict[str, Any]) -> None:
        nonlocal started, ensured
        seconds = time.monotonic() - started
        assert ctx.connection is not None
        if not ensured:
            migration_log.ensure(ctx.connection)
            privileges.close(ctx.connection, "alembic_version", kept="SELECT")
            ensured = True
        migration_log.write(ctx.connection, step, seconds, conditions.overrides, conditions.backup)
        steps.applied(heads, seconds)
        started = time.monotonic()

    return apply


def _engine(conditions: Conditions) -> Engine:
    """Settings go in with the connection: a SET on it would open a transaction before Alembic's own.

    client_connection_check_interval lets the server notice, in the middle of a statement, that we were killed.
    """
    limits = conditions.limits
    options = {
        "lock_timeout": f"{limits.lock_timeout * 1000:.0f}ms",
        "statement_timeout": f"{limits.statement_timeout * 1000:.0f}ms",
        "idle_in_transaction_session_timeout": f"{limits.statement_timeout * 1000:.0f}ms",
        "client_connection_check_interval": "500ms",
        # As the driver reads dates. Set by the driver itself, it would be gone with the first RESET ALL.
        "datestyle": "ISO",
    }
    text = " ".join(f"-c {name}={value}" for name, value in options.items())
    return postgres.engine(conditions.url, conditions.application, text)


def _listen(conditions: Conditions, connection: Connection, watch: patience.Watch) -> None:
    """Lift the limits for the statements that need none."""
    cursors: list[Any] = []

    def before(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not UNLIMITED.search(statement):
            return
        cursors.append(cursor)
        cursor.execute("SET statement_timeout = 0")
        # Within a transaction (VALIDATE, REFRESH) it would wait while it has the locks of the statements before it.
        if CONCURRENTLY.search(statement) and connection.connection.dbapi_connection.autocommit:
            watch.suspended = True
            for line in patience.open_transactions(conditions.observer):
                conditions.tell(f"CONCURRENTLY waits for {line}")
            cursor.execute("SET lock_timeout = 0")

    def after(connection: Any, cursor: Any, *_: Any) -> None:
        if cursor in cursors:
            cursors.remove(cursor)
            watch.suspended = False
            limits = conditions.limits
            with connection.connection.cursor() as other:
                other.execute(
                    f"SET lock_timeout = {limits.lock_timeout * 1000:.0f};"
                    f" SET statement_timeout = {limits.statement_timeout * 1000:.0f}"
                )

    event.listen(connection, "before_cursor_execute", before)
    event.listen(connection, "after_cursor_execute", after)


def _try_line(number: int, watch: patience.Watch, pause: float) -> str:
    behind = f", {watch.behind} sessions behind it" if watch.behind else ""
    return f"Try {number}: waited {watch.waited:.2f} s for a lock{behind}; again in {pause:.1f} s."
