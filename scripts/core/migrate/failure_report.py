"""The errors of steps that fail: where the fault is, and which state is left."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy.exc import DBAPIError, InvalidRequestError

from scripts.core import ROOT, redaction, revision_files, sqlstates
from scripts.core.errors import HalfDoneError, UnnamedError, UserError
from scripts.core.formatting import counted
from scripts.core.migrate import lock_watch, next_steps
from scripts.core.migrate.run_context import Conditions
from scripts.core.migrate.steps import Steps
from scripts.core.migrate.transactions import TransactionError
from scripts.core.postgres import connections, extensions, invalid_indexes, sql
from scripts.core.revisions import history, sql_lines
from scripts.core.user_code import ExitError

COMMITS = re.compile(r"autocommit|\bcommit\b", re.IGNORECASE)
"""How a revision commits before it ends."""
ALREADY_THERE = (
    sqlstates.DUPLICATE_SCHEMA,
    sqlstates.DUPLICATE_TABLE,
    sqlstates.DUPLICATE_COLUMN,
    sqlstates.DUPLICATE_OBJECT,
    sqlstates.DUPLICATE_FUNCTION,
)


def is_of_a_revision(error: Exception, steps: Steps) -> bool:
    """Return whether the error comes from a revision's own code.

    A revision that closes the connection makes Alembic's own next statement fail.
    """
    if isinstance(error, TransactionError | UnnamedError):
        return True
    is_closed = isinstance(error, InvalidRequestError) and steps.running is not None
    return not isinstance(error, UserError) and (is_closed or bool(revision_files.place(error)))


def failed(conditions: Conditions, steps: Steps, error: Exception) -> UserError:
    """Return the error of a failed revision: its place in the file, its statement and PostgreSQL's message."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return UserError(
            f"The migrating session was ended: {connections.first_line(error)}",
            why="An administrator ended it, or the server stopped.",
            do="run this again",
            state=state(conditions, steps),
        )
    if isinstance(error, UnnamedError):
        return error.with_state(state(conditions, steps))
    if isinstance(error, TransactionError):
        return UserError(
            f"{error.place}: {error}", do=f"{error.do}, then run this again", state=state(conditions, steps)
        )
    if unreadable := _unreadable(steps, error):
        return unreadable.with_state(state(conditions, steps))
    source, code = next_steps.source(steps), sqlstates.of(error)
    said, details = _said(error, source), redaction.details(error, source)
    lacking = extensions.lacking(error)
    extension = sql.name(lacking) if lacking else ""
    executed = redaction.begin(sql.sent(str(getattr(error, "statement", "") or "")))
    executed = redaction.statement(executed, source, code)
    statement = " ".join(executed.split())
    half_done = _is_half_done(steps, error)
    return UserError(
        f"{_sql_place(steps, error) or revision_files.place(error) or _file(steps) or 'Migrating'}: {said}",
        why=_why(statement, extension, details),
        do=_do(steps, half_done, extension, next_steps.find(error, said, details, conditions, steps)),
        state=state(conditions, steps)
        + " If a run was stopped in this revision, everything up to and including this statement is committed already."
        * half_done,
    )


def _sql_place(steps: Steps, error: Exception) -> str:
    """Return file and line of the statement that failed, if the revision has it from an SQL file."""
    path = getattr(steps.running.up_revision, "path", "") if steps.running else ""
    line = sql_lines.find(sql.sent(str(getattr(error, "statement", "") or "")), Path(path)) if path else None
    return f"{line.file}, line {line}" if line else ""


def _unreadable(steps: Steps, error: Exception) -> UserError | None:
    path = getattr(steps.running.up_revision, "path", "") if steps.running else ""
    return sql_lines.unreadable(error, Path(path)) if path else None


def _said(error: Exception, source: str) -> str:
    """Return what the error says, without contents of rows. `source` is the text of the running revision."""
    if sqlstates.of(error) or isinstance(error, DBAPIError):
        return redaction.message(error, source)
    return str(error) if isinstance(error, ExitError) else redaction.exception(error, source)


def _why(statement: str, extension: str, details: list[str]) -> str:
    """Return why the statement failed. For an extension, name the statement that a superuser has to run."""
    if extension:
        return f"Only a superuser may create it. It is created in the target database by: CREATE EXTENSION {extension}"
    said = [line for detail in details for line in detail.splitlines()]
    return "\n         ".join([*said, *([f"The statement was: {statement}"] if statement else [])])


def _do(steps: Steps, half_done: bool, extension: str, next_step: str) -> str:
    if extension:
        return "have an administrator run that, write CREATE EXTENSION IF NOT EXISTS in the file, then run this again"
    if half_done:
        return "write if_not_exists=True there, then run this again"
    if any(not commit.block for commit in steps.committed_within):
        return "correct that file so that it can run again after what is committed (IF NOT EXISTS), then run this again"
    if next_step:
        return f"{next_step}, then run this again"
    return "correct that file, or the data that it changes, then run this again"


def _file(steps: Steps) -> str:
    """Return the running revision's file. It is for errors without a line of that file."""
    path = getattr(steps.running and steps.running.up_revision, "path", None)
    return os.path.relpath(path, ROOT) if path else ""


@contextmanager
def interruptions_reported(conditions: Conditions, steps: Steps) -> Iterator[None]:
    """Raise HalfDoneError if the block is interrupted after the revision has committed a part of itself."""
    try:
        yield
    except KeyboardInterrupt as error:
        if not steps.committed_within:
            raise
        raise HalfDoneError(state(conditions, steps)) from error


def late(conditions: Conditions, attempts: int, watch: lock_watch.Watch) -> UserError:
    """Return the error of a command whose attempts all failed to get their locks. It lists who holds the locks."""
    holders = lock_watch.census(conditions.observer, watch.relations)
    return UserError(
        f"Could not get the locks in {counted(attempts, 'attempt')} ({conditions.settings.limits.deadline:g} s)."
        + "".join(f"\n    {line}" for line in holders),
        why="Each attempt gave up at the lock timeout, so that the application does not wait behind it.",
        do="end those transactions or wait for them, then run this again. MIGRATION_DEADLINE in .env sets the time.",
        state=between_attempts(conditions),
    )


def between_attempts(conditions: Conditions) -> str:
    """Return the state that an attempt leaves when it gave up waiting."""
    return f"the database is at {', '.join(history.current(conditions.observer)) or 'base'}; the step was rolled back."


def _is_half_done(steps: Steps, error: Exception) -> bool:
    """Return whether a run that was killed inside an autocommit block explains this error."""
    if sqlstates.of(error) not in ALREADY_THERE or not steps.running:
        return False
    return bool(COMMITS.search(next_steps.source(steps)))


def state(conditions: Conditions, steps: Steps) -> str:
    """Return which state is left, read on a new connection. The old connections may have ended with the server."""
    outcome = _committed(steps) or "the step was rolled back"
    quick = replace(conditions.settings, connect_wait=min(2, conditions.settings.connect_wait))
    try:
        with connections.connect(quick, conditions.url, isolation_level="AUTOCOMMIT") as connection:
            at = ", ".join(history.current(connection)) or "base"
            return " ".join(
                [
                    f"the database is at {at}; {outcome}.",
                    *invalid_indexes.clear_up(connection, conditions.foreign_indexes),
                ]
            )
    except (UserError, DBAPIError):
        return f"the server does not answer; {outcome}. See: make status"


def _committed(steps: Steps) -> str:
    """Return what the revision has committed, or nothing."""
    if not steps.committed_within:
        return ""
    last = steps.committed_within[-1]
    if last.block:
        return "the work up to the end of its autocommit block is committed and stays"
    where = f"up to line {last.line}" if last.statement else f"before the commit in line {last.line}"
    return f"the work of {steps.revision} {where} is committed and stays; the rest was rolled back"
