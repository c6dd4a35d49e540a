"""The transactions of a revision. Alembic begins one, and the revision may end it early.

The server is asked what was committed. The driver and SQLAlchemy do not notice a COMMIT inside a text of SQL.
SQLAlchemy does not notice a commit through the driver.
"""

import copy
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from scripts.core import revision_files
from scripts.core.migrate.steps import Commit, Excuse, Steps
from scripts.core.postgres import driver, statements
from scripts.core.postgres.driver import Session
from scripts.core.revisions import checksum

BEGUN = "SELECT pg_current_xact_id()::text"
# See DISCARD ALL in PostgreSQL's documentation: these are its parts. Together with the others they need no round trip.
RENEWED = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *;"
    f" SELECT pg_advisory_unlock_all(); DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES; {BEGUN}"
)
"""The beginning of a revision that is not the first: the session is as if it were new."""
OWN_SETTINGS = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; SELECT pg_current_xact_id_if_assigned()::text"

STATUS = "SELECT pg_xact_status(CAST(%s AS xid8))"
LAST = "SELECT query FROM pg_stat_get_activity(%s)"


class TransactionError(Exception):
    """A revision ended its transaction in a way that leaves the schema in an unknown state."""

    def __init__(self, place: str, problem: str, do: str) -> None:
        super().__init__(problem)
        self.place, self.do = place, do


@dataclass
class Transactions:
    """The transactions of one session, in which the steps of a command run."""

    connection: Connection
    observer: Connection
    """Another session, in autocommit."""
    steps: Steps
    id: str | None = None
    """The server's id of the revision's transaction."""
    line: int | None = None
    """The line of the previous statement; at first that of the function."""
    block: bool = False
    """An autocommit_block ended the transaction."""
    worked: bool = False
    """The transaction has executed a statement."""
    looked: bool = False
    """The server was asked, before the transaction ended, whether it has executed a statement."""
    used: bool = False
    """A revision has used the session."""
    inside: bool = False
    """The revision's own code runs, not Alembic's."""
    ended: bool = False
    """The revision, or an autocommit_block in it, has ended a transaction."""
    failure: TransactionError | None = None
    excuse: Excuse | None = None

    def __post_init__(self) -> None:
        self._encoding = self.session.encoding
        event.listen(self.connection, "before_cursor_execute", self._before)
        event.listen(self.connection, "after_cursor_execute", self._after)
        event.listen(self.connection, "commit", self._commits)

    @property
    def session(self) -> Session:
        """Return the driver's object for the session."""
        return driver.session(self.connection)

    def watched(self, steps: Iterable[Any]) -> Iterator[Any]:
        """Yield the steps to Alembic. Watch each revision's code, and reset the session for the next revision."""
        for step in steps:
            if step.info.is_stamp:
                yield step
                continue
            yield self._watched(step)
            if self.ended and self.connection.in_transaction():
                # The revision has ended Alembic's transaction. The version was written in a transaction that Alembic
                # does not know, so it would be rolled back.
                self.connection.commit()
            self._renew()

    def _watched(self, step: Any) -> Any:
        function, watched = step.migration_fn, copy.copy(step)

        @wraps(function)
        def run(**arguments: Any) -> None:
            with self._revision(function.__code__.co_firstlineno):
                try:
                    function(**arguments)
                except Exception as error:
                    if not self.excuse or not self.excuse(error):
                        raise

        watched.migration_fn = run
        return watched

    @contextmanager
    def _revision(self, line: int) -> Iterator[None]:
        self.line, self.failure, self.ended = line, None, False
        self._begin(RENEWED if self.used else BEGUN)
        self.used = True
        self.inside = True
        try:
            yield
        except BaseException:
            self._settle_after_failure()
            raise
        finally:
            self.inside = False
        self._finish()

    def _begin(self, sql: str = BEGUN) -> None:
        self.id = driver.ask(self.session, sql)
        self.block = self.worked = self.looked = False

    def _finish(self) -> None:
        """Check the transaction after the revision, so that Alembic writes the version with its own role and schema."""
        self._look_for_work()
        if driver.has_failed(self.session):
            raise self._error(
                "the code caught an error here, but PostgreSQL has rolled back the whole transaction.",
                "put statements that may fail into a savepoint (with op.get_bind().begin_nested())",
            )
        if self.session.autocommit and self.connection.get_isolation_level() != "AUTOCOMMIT":
            self.session.autocommit = False
        if driver.is_alone(self.session):
            self.session.commit()  # No transaction is open on the server. This tells the driver.
        if driver.ask(self.session, OWN_SETTINGS) != self.id:
            self._settle(self.line)
        if self.failure:
            raise self.failure

    def _before(self, _connection: Any, _cursor: Any, _sql: str, *_: Any) -> None:
        if not self.inside:
            return
        if driver.is_idle(self.session):
            # The driver or Alembic has ended the transaction since the previous statement.
            self._settle(self.line)
            if not driver.is_alone(self.session):
                self._begin()
        self.line, self.worked = checksum.line(), True

    def _after(self, _connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if not self.inside:
            return
        if not self.id and driver.is_alone(self.session):
            self.steps.committed(Commit(self.line, self.block, statement=True))
        elif self.id and (driver.is_idle(self.session) or statements.controls_transaction(sql)):
            self._settle(self.line)
            if not self.id and not driver.is_idle(self.session):
                self._begin()

    def _commits(self, _connection: Any) -> None:
        if self.inside:
            self._look_for_work()
            self.line, self.block = checksum.line(), _in_autocommit_block()

    def _look_for_work(self) -> None:
        """Ask the server whether the transaction did work. SQLAlchemy has no events for the driver's own cursor."""
        if not (self.worked or self.looked):
            self.worked = self._look(LAST, self.session.info.backend_pid) not in (BEGUN, RENEWED)
        self.looked = True

    def _settle(self, line: int | None) -> None:
        """Record how the transaction ended, if it did. Raise TransactionError if it was rolled back."""
        if not self.id:
            return
        status = self._look(STATUS, self.id)
        if status == "in progress":
            return
        self.id, self.ended = None, True
        self._look_for_work()
        if status == "committed" and self.worked:
            self.steps.committed(Commit(line, self.block, statement=False))
        elif status != "committed":
            self.failure = self._error(
                "the revision has rolled back its own transaction. Its earlier work is undone.",
                "remove the ROLLBACK; put what may fail into a savepoint (with op.get_bind().begin_nested())",
            )
            raise self.failure

    def _look(self, sql: str, value: object) -> str | None:
        # Not through SQLAlchemy: if the observer's session was ended, that is reported before the next attempt.
        return driver.ask(driver.session(self.observer), sql, value)

    def _settle_after_failure(self) -> None:
        with suppress(TransactionError, DBAPIError):  # It was rolled back, or the server has stopped.
            self._settle(self.line)

    def _renew(self) -> None:
        """Let the driver take the session as new. The next revision begins with the server's part."""
        if self.connection.in_transaction():
            self.used = False
            return  # The transaction was opened before Alembic used the connection.
        self.session.isolation_level = self.session.readonly = self.session.deferrable = None
        self.session.autocommit = False
        if self.session.encoding != self._encoding:
            self.session.set_client_encoding(self._encoding)

    def _error(self, problem: str, do: str) -> TransactionError:
        assert self.steps.running
        file = revision_files.shown(getattr(self.steps.running.up_revision, "path", ""))
        return TransactionError(f"{file}, line {self.line}", problem, do)


def _in_autocommit_block() -> bool:
    frame = sys._getframe(1)
    while frame:
        if frame.f_code.co_name == "autocommit_block":
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
