"""What a throwaway database lacks: rows, and roles and extensions of the target's server.

A statement that needs a missing row or extension is left out, and a missing role is created. So the rest can run.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, NoResultFound

from scripts.core import sqlstates
from scripts.core.migrate.steps import Commits, Excuse, Tracer
from scripts.core.plan import missing_extensions
from scripts.core.postgres import driver, extensions, role_names, statements
from scripts.core.postgres.driver import Session
from scripts.core.postgres.scratch_extensions import HELP
from scripts.core.postgres.sql import sent
from scripts.core.postgres.user_tables import CATALOGS
from scripts.core.revisions import checksum, sql_lines

Make = Callable[[str, list[str]], bool]
"""Let the administrator create roles or an extension where they are missing. Return whether they exist then."""
ROLES, EXTENSION = "roles", "extension"

_WRITES = re.compile(r"(INSERT|UPDATE|MERGE|WITH|DO|CALL)\b")
_NAMES_ROLES = re.compile(r"\b(GRANT|REVOKE|POLICY|OWNER|OWNED|ROLE|USER|AUTHORIZATION|PRIVILEGES)\b", re.IGNORECASE)
ROWS = "rows"
_RELEASE = "RELEASE SAVEPOINT empty_copy"
_UNDO = f"ROLLBACK TO SAVEPOINT empty_copy; {_RELEASE}"
_LEAVE_DEFERRED = f"ROLLBACK TO SAVEPOINT empty_copy_checks; {_RELEASE}"
_CHECK = f"SAVEPOINT empty_copy_checks; SET CONSTRAINTS ALL IMMEDIATE; {_LEAVE_DEFERRED}"
# A session remembers that a role is missing until it locks a relation that its transaction has not locked before. See
# AcceptInvalidationMessages in PostgreSQL's source. CREATE POLICY looks for roles before it locks its table.
_LOOK_AGAIN = (
    "SAVEPOINT empty_copy_locks; SELECT FROM pg_catalog.pg_shseclabel LIMIT 0;"
    " ROLLBACK TO SAVEPOINT empty_copy_locks; RELEASE SAVEPOINT empty_copy_locks"
)
_NO_ROW = "SELECT NULL WHERE false"


@dataclass(frozen=True)
class Untried:
    """A part of a revision that was not tried."""

    line: int
    text: str
    needs: str = ROWS
    """What the copy does not have: rows, or an extension."""


@dataclass
class EmptyCopy:
    """What the revisions of a command met on a copy without rows."""

    elsewhere: Collection[str] | None = ()
    """Extensions that the target's server has and this one may lack; None: any."""
    lacking: list[str] = field(default_factory=list)
    """Extensions that it lacks."""
    untried: dict[str, list[Untried]] = field(default_factory=dict)
    """The parts of each revision that were left out."""
    unfinished: list[str] = field(default_factory=list)
    """Revisions that ended early because their code needs a row, or that lack an extension."""
    empty: set[str] = field(default_factory=set)
    """Revisions that have read a table and found no row."""
    for_superusers: list[str] = field(default_factory=list)
    """Extensions that the role could not create, so that the administrator did."""

    @property
    def needs(self) -> str:
        """Return what the unfinished revisions need."""
        return ", ".join(self.lacking) or ROWS

    def leave_out(self, revision: str, line: int, text: str, needs: str = ROWS) -> None:
        """Note a part of a revision, once for each line."""
        parts = self.untried.setdefault(revision, [])
        if (part := Untried(line, text, needs)) not in parts:
            parts.append(part)

    def lacks_extension(self, revision: str, line: int, sql: str, error: Exception) -> bool:
        """Return whether a statement failed because only this server lacks an extension. Note that it is left out."""
        missing = missing_extensions.refused(sql, error)
        if missing and (self.elsewhere is None or missing in self.elsewhere):
            self.lacking += [missing] if missing not in self.lacking else []
            text = "The scratch server lacks this extension, so the statement was left out."
        elif self.lacking and missing_extensions.may_be_needed(error):
            text = "The statement failed without this extension, so it was left out."
        else:
            return False
        self.unfinished += [revision] if revision not in self.unfinished else []
        self.leave_out(revision, line, f"{text} {HELP}", self.needs)
        return True

    def forget(self, revision: str) -> None:
        """Forget a revision, which is tried again."""
        self.untried.pop(revision, None)
        self.empty.discard(revision)
        self.unfinished = [one for one in self.unfinished if one != revision]

    def excuse(self, revision: str, error: Exception) -> bool:
        """Return whether the code of a revision failed because a query returned no row. Note its early end."""
        is_of_nothing = isinstance(error, TypeError | AttributeError) and "NoneType" in str(error)
        if revision not in self.empty or not (is_of_nothing or isinstance(error, LookupError | NoResultFound)):
            return False
        self.unfinished.append(revision)
        self.leave_out(
            revision, _line(error), "Its code needs a row here, so its rest and its downgrade were not tried."
        )
        return True


def nowhere(_kind: str, _names: list[str]) -> bool:
    """Create nothing."""
    return False


def tracer(make: Make, found: EmptyCopy) -> Tracer:
    """Return what makes a session execute the statements of revisions as this module describes."""

    def attach(connection: Connection, revision: Callable[[], str], _commits: Commits) -> Excuse:
        found.forget(revision())  # An earlier attempt may have begun it.
        execution = _Execution(driver.session(connection), revision, make, found)
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            event.listen(connection.engine, name, getattr(execution, name))
        event.listen(connection, "after_cursor_execute", execution.after)
        return lambda error: found.excuse(revision(), error)

    return attach


@dataclass
class _Execution:
    session: Session
    revision: Callable[[], str]
    make: Make
    found: EmptyCopy
    made: set[str] = field(default_factory=set)
    """Roles and extensions that were asked for."""

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
        line = sql_lines.running(sent(sql))
        may_lack = any(_writing(sql)) or _NAMES_ROLES.search(sql) or extensions.creates(sql) or self.found.lacking
        if line is None or not may_lack or cursor.connection is not self.session:
            return False
        saved = not driver.is_alone(self.session)
        if saved:
            driver.ask(self.session, "SAVEPOINT empty_copy")
        try:
            execute()
            if saved:
                self._release(sql)
        except Exception as error:
            again = execute if self._makes_roles(sql, error) else self._makes_extension(cursor, sql, error)
            if not again and not self._leaves_out(sql, line, error):
                raise
            if saved:
                driver.ask(self.session, _UNDO)
                driver.ask(self.session, _LOOK_AGAIN)
            if again:
                return self._execute(cursor, sql, again)
            cursor.execute(_NO_ROW)
        return True

    def _release(self, sql: str) -> None:
        """Raise the error of a deferred foreign key now. At the commit, the statement can no longer be left out."""
        if not driver.in_transaction(self.session):
            return
        try:
            driver.ask(self.session, _CHECK if any(_writing(sql)) else _RELEASE)
        except DBAPIError as error:
            if sqlstates.of(error) == sqlstates.FOREIGN_KEY_VIOLATION:
                raise
            driver.ask(self.session, _LEAVE_DEFERRED)

    def _makes_roles(self, sql: str, error: Exception) -> bool:
        """Return whether roles that the statement names were missing, and exist now."""
        if sqlstates.of(error) != sqlstates.UNDEFINED_OBJECT:
            return False
        names = [name for name in role_names.named(sql, str(error)) if name not in self.made]
        self.made.update(names)
        return bool(names) and self.make(ROLES, names)

    def _makes_extension(self, cursor: Any, sql: str, error: Exception) -> Callable[[], None] | None:
        """Return what executes the statement where its extension is there now; None if that was not missing."""
        name = extensions.named(sql) if sqlstates.of(error) == sqlstates.INSUFFICIENT_PRIVILEGE else ""
        if not name or name in self.made:
            return None
        self.made.add(name)
        if not self.make(EXTENSION, [name]):
            return None
        self.found.for_superusers.append(name)
        return lambda: cursor.execute(extensions.if_missing(sql))

    def _leaves_out(self, sql: str, line: int, error: Exception) -> bool:
        """Return whether the statement failed because of what the copy lacks. Note that it is left out."""
        revision, code = self.revision(), sqlstates.of(error)
        from_a_query = "select" in sql.lower() or revision in self.found.empty
        refers = code == sqlstates.FOREIGN_KEY_VIOLATION or (code == sqlstates.NOT_NULL_VIOLATION and from_a_query)
        if refers and any(_writing(sql)):
            text = "The statement needs rows that the copy does not have."
            if not all(_writing(sql)):
                self.found.unfinished.append(revision)
                text = "A statement of this text needs rows that the copy does not have, so the text was left out."
            self.found.leave_out(revision, line, text)
            return True
        return self.found.lacks_extension(revision, line, sql, error)


def _writing(sql: str) -> list[bool]:
    """Return whether each statement of the text writes rows."""
    return [bool(_WRITES.match(words)) for words in statements.split(sql)]


def _line(error: Exception) -> int:
    """Return the last line of a revision file that the error went through."""
    trace, line = error.__traceback__, 1
    while trace:
        if checksum.is_revision(trace.tb_frame):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
