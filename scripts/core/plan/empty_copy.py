"""What a throwaway database lacks: rows, and roles of the target's server.

A statement that needs a missing row is left out, and a missing role is created. So the rest of the revision can run.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import NoResultFound

from scripts.core import sqlstates
from scripts.core.migrate.steps import Commits, Excuse, Tracer
from scripts.core.postgres import driver
from scripts.core.postgres.driver import Session
from scripts.core.postgres.user_tables import CATALOGS
from scripts.core.revisions import checksum

MakeRole = Callable[[str], None]
"""Ask the administrator for a role. It returns before the role exists."""

WAIT = 5.0
"""Seconds to wait for a role that was asked for."""
_WRITES = re.compile(r"\s*(INSERT|MERGE|WITH|DO|CALL)\b", re.IGNORECASE)
_NAMES_ROLES = re.compile(r"\b(GRANT|REVOKE|POLICY|OWNER|OWNED|ROLE|USER|AUTHORIZATION|PRIVILEGES)\b", re.IGNORECASE)
_ROLE = re.compile(r'role "(.+)" does not exist')
_EXISTS = "SELECT true FROM pg_roles WHERE rolname = %s"
_NO_ROW = "SELECT NULL WHERE false"


@dataclass(frozen=True)
class Untried:
    """A part of a revision that was not tried, because the copy has no rows."""

    line: int
    text: str


@dataclass
class EmptyCopy:
    """What the revisions of a command met on a copy without rows."""

    untried: dict[str, list[Untried]] = field(default_factory=dict)
    """The parts of each revision that were left out."""
    unfinished: list[str] = field(default_factory=list)
    """Revisions that ended early, because their code needs a row."""
    empty: set[str] = field(default_factory=set)
    """Revisions that have read a table and found no row."""

    def leave_out(self, revision: str, line: int, text: str) -> None:
        self.untried.setdefault(revision, []).append(Untried(line, text))

    def excuse(self, revision: str, error: Exception) -> bool:
        """Return whether the code of a revision failed because a query returned no row. Note its early end."""
        is_of_nothing = isinstance(error, TypeError | AttributeError) and "NoneType" in str(error)
        if revision not in self.empty or not (is_of_nothing or isinstance(error, LookupError | NoResultFound)):
            return False
        self.unfinished.append(revision)
        self.leave_out(revision, _line(error), "Its code needs a row here, so the rest of it was not tried.")
        return True


def nowhere(_role: str) -> None:
    """Create no role."""


def tracer(make_role: MakeRole, found: EmptyCopy) -> Tracer:
    """Return what makes a session execute the statements of revisions as this module describes."""

    def attach(connection: Connection, revision: Callable[[], str], _commits: Commits) -> Excuse:
        execution = _Execution(driver.session(connection), revision, make_role, found)
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            event.listen(connection.engine, name, getattr(execution, name))
        event.listen(connection, "after_cursor_execute", execution.after)
        return lambda error: found.excuse(revision(), error)

    return attach


@dataclass
class _Execution:
    session: Session
    revision: Callable[[], str]
    make_role: MakeRole
    found: EmptyCopy
    made: set[str] = field(default_factory=set)
    """Roles that were asked for."""

    def do_execute(self, cursor: Any, sql: str, parameters: Any, _context: Any) -> bool:
        return self._execute(cursor, sql, lambda: cursor.execute(sql, parameters))

    def do_executemany(self, cursor: Any, sql: str, parameters: Any, _context: Any) -> bool:
        return self._execute(cursor, sql, lambda: cursor.executemany(sql, parameters))

    def do_execute_no_params(self, cursor: Any, sql: str, _context: Any) -> bool:
        return self._execute(cursor, sql, lambda: cursor.execute(sql))

    def after(self, _connection: Any, cursor: Any, sql: str, *_: Any) -> None:
        if cursor.description and cursor.rowcount == 0 and checksum.line() and not CATALOGS.search(sql):
            self.found.empty.add(self.revision())

    def _execute(self, cursor: Any, sql: str, execute: Callable[[], None]) -> bool:
        """Execute the statement, and return True: SQLAlchemy does not. Return False for one that lacks nothing."""
        line = checksum.line()
        may_lack = _WRITES.match(sql) or _NAMES_ROLES.search(sql)
        if line is None or not may_lack or cursor.connection is not self.session:
            return False
        saved = not driver.is_alone(self.session)
        if saved:
            driver.ask(self.session, "SAVEPOINT empty_copy")
        try:
            execute()
        except Exception as error:
            if not self._may_go_on(sql, line, error):
                raise
            if saved:
                driver.ask(self.session, "ROLLBACK TO SAVEPOINT empty_copy; RELEASE SAVEPOINT empty_copy")
            role = _lacking(error)
            if not role:
                cursor.execute(_NO_ROW)
                return True
            self._wait_for(role)
            return self._execute(cursor, sql, execute)
        if saved and driver.in_transaction(self.session):
            driver.ask(self.session, "RELEASE SAVEPOINT empty_copy")
        return True

    def _may_go_on(self, sql: str, line: int, error: Exception) -> bool:
        role, code = _lacking(error), sqlstates.of(error)
        if role and role not in self.made:
            self.made.add(role)
            self.make_role(role)
            return True
        from_a_query = "select" in sql.lower() or self.revision() in self.found.empty
        refers = code == sqlstates.FOREIGN_KEY_VIOLATION or (code == sqlstates.NOT_NULL_VIOLATION and from_a_query)
        if not refers or not _WRITES.match(sql):
            return False
        self.found.leave_out(self.revision(), line, "The statement needs rows that the copy does not have.")
        return True

    def _wait_for(self, role: str) -> None:
        until = time.monotonic() + WAIT
        while not driver.ask(self.session, _EXISTS, role) and time.monotonic() < until:
            time.sleep(0.005)


def _lacking(error: Exception) -> str:
    """Return the name of the role that PostgreSQL misses, or nothing."""
    found = _ROLE.search(str(error)) if sqlstates.of(error) == sqlstates.UNDEFINED_OBJECT else None
    return found[1] if found else ""


def _line(error: Exception) -> int:
    """Return the last line of a revision file that the error went through."""
    trace, line = error.__traceback__, 1
    while trace:
        if checksum.is_revision(trace.tb_frame):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
