"""The limits of the migrating session. They are lifted for statements that need none, and set again before others.

A revision can remove the lock timeout by a setting or by an error that it catches. It may choose its own
statement_timeout, because a long statement alone blocks no other session.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext

from scripts.core.limits import Limits
from scripts.core.migrate.lock_watch import Watch
from scripts.core.postgres import driver, sql, statements
from scripts.core.postgres.driver import Session
from scripts.core.postgres.sql import compose


def options(limits: Limits) -> str:
    """Return the limits as libpq's options. RESET restores options that were given with the connection.

    A SET would open a transaction before Alembic's own. client_connection_check_interval lets the server notice, in the
    middle of a statement, that this process was killed.
    """
    values = {
        "lock_timeout": milliseconds(limits.lock_timeout),
        "statement_timeout": milliseconds(limits.statement_timeout),
        "idle_in_transaction_session_timeout": milliseconds(limits.statement_timeout),
        "client_connection_check_interval": "500ms",
    }
    return " ".join(f"-c {name}={value}" for name, value in values.items())


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms"


@contextmanager
def for_all_connections(limits: Limits) -> Iterator[None]:
    """Apply the limits to each connection that the process opens in the block without options of its own."""
    before = os.environ.get("PGOPTIONS")
    os.environ["PGOPTIONS"] = f"{before or ''} {options(limits)}".strip()
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("PGOPTIONS", None)
        else:
            os.environ["PGOPTIONS"] = before


class Timeouts:
    """The timeouts of one session. `waits` is called when a statement waits for others without a limit.

    `inside` returns whether a revision's own code runs. Before and after it, the session has its own settings.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        watch: Watch,
        waits: Callable[[], None],
        inside: Callable[[], bool],
    ) -> None:
        self._connection, self._watch, self._waits = connection, watch, waits
        self._inside = inside
        self._set = compose("SET lock_timeout = {}", sql.value(milliseconds(limits.lock_timeout)))
        self._lifted: str | None = None
        """The statement_timeout before it was lifted."""
        self._last = ""
        """The previous statement. A statement repeated in a loop changes no further limit."""

    @property
    def _session(self) -> Session:
        return driver.session(self._connection)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Apply the limits to all statements of the block."""
        engine = self._connection.engine
        event.listen(self._connection, "before_cursor_execute", self._before)
        event.listen(self._connection, "after_cursor_execute", self._after)
        event.listen(engine, "handle_error", self._failed)
        try:
            yield
        finally:
            event.remove(engine, "handle_error", self._failed)

    def _before(self, _connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if not self._inside() or driver.has_failed(self._session):
            return
        long = statements.may_take_long(sql)
        if not long and sql == self._last:
            return
        self._last = sql
        self._restore()
        if long:
            self._lift(sql)
        else:
            driver.ask(self._session, self._set)

    def _lift(self, sql: str) -> None:
        self._lifted = driver.ask(self._session, "SHOW statement_timeout")
        driver.ask(self._session, "SET statement_timeout = 0")
        # Within a transaction, VALIDATE or REFRESH would wait while the transaction holds earlier locks.
        if statements.is_concurrent(sql) and driver.is_alone(self._session):
            self._watch.suspended = True
            self._waits()
            driver.ask(self._session, "SET lock_timeout = 0")

    def _after(self, *_: Any) -> None:
        self._restore()

    def _failed(self, context: ExceptionContext) -> None:
        # If the transaction has failed, the server has undone the SETs too.
        if context.connection is self._connection and not driver.has_failed(self._session):
            self._restore()

    def _restore(self) -> None:
        """Set the limits again, if they are lifted."""
        if self._lifted is None or self._session.closed:
            return
        self._watch.suspended = False
        statement, self._lifted = sql.value(self._lifted), None
        driver.ask(self._session, compose("{}; SET statement_timeout = {}", self._set, statement))
