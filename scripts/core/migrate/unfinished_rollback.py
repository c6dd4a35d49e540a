"""A rollback that has begun and is not closed: a row of the migration log, written before its first step.

The steps of a rollback count from the database's revision. After a kill, the same command would count from another
revision and undo more. So the log records the start and the goal, until the rollback is reported as done.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from alembic.script.revision import RevisionError
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from scripts.core import messages
from scripts.core.errors import UserError
from scripts.core.migrate.run_context import Conditions
from scripts.core.migrate.steps import Steps
from scripts.core.postgres import advisory_lock, connections
from scripts.core.postgres.own_tables import LOG
from scripts.core.revisions import history, migration_log
from scripts.core.revisions.history import History
from scripts.core.settings import Settings

# A log from a restored backup belongs to another database. A log of an older version lacks the columns.
_PLACE = (
    "(SELECT system_identifier || '/' || oid FROM pg_control_system(), pg_database WHERE datname = current_database())"
)
_OPEN = (
    f"direction = '{migration_log.ROLLBACK}' AND to_jsonb(log)->>'closed_at' IS NULL"
    f" AND to_jsonb(log)->>'database_id' = {_PLACE}"
)
_FIND = text(
    "SELECT to_jsonb(log)->'start_revisions' AS start, revision AS goal, to_jsonb(log)->'undoes' AS undoes, run_by,"
    f" to_char(started_at, 'YYYY-MM-DD HH24:MI TZ') AS began FROM {LOG} log WHERE {_OPEN} ORDER BY id DESC LIMIT 1"
)
_WRITE = text(
    f"INSERT INTO {LOG} (revision, direction, started_at, seconds, run_by, start_revisions, undoes, database_id)"
    f" VALUES (:goal, '{migration_log.ROLLBACK}', clock_timestamp(), 0, :run_by, :start, :undoes, {_PLACE})"
)
_CLOSE = text(f"UPDATE {LOG} log SET closed_at = clock_timestamp() WHERE {_OPEN}")
_RELATIVE = re.compile(r"-(\d+)")


@dataclass(frozen=True)
class Rollback:
    start: list[str]
    """The revisions that the database was at."""
    goal: str
    """The revision at which it ends, or base."""
    undoes: list[str]
    """All revisions that it undoes."""
    began: str
    run_by: str

    def __str__(self) -> str:
        return f"the rollback from {', '.join(self.start)} to {self.goal}, started {self.began} by {self.run_by}"

    def left(self, revisions: History, at: Sequence[str]) -> list[str] | None:
        """Return what it still has to undo for a database at `at`, or None if `at` is not on its way."""
        try:
            left = [found.revision for found in history.undone(revisions, at, self.goal)]
        except (UserError, RevisionError):
            return None
        return left if set(left) <= set(self.undoes) else None


def find(connection: Connection) -> Rollback | None:
    """Return the rollback of the connected database that is not closed, or None."""
    if not migration_log.exists(connection):
        return None
    row = connection.execute(_FIND).one_or_none()
    return Rollback(row.start, row.goal, row.undoes, row.began, row.run_by) if row else None


def resumed(
    connection: Connection, revisions: History, at: Sequence[str], steps: int | None, goal: str | None = None
) -> Rollback | None:
    """Return the rollback that this many steps, this goal, or neither of them continues, or None."""
    found = find(connection)
    if not found or found.left(revisions, at) is None:
        return None
    is_same = found.goal == goal if goal else steps in (None, len(found.undoes))
    return found if is_same else None


def resumed_by_hand(connection: Connection, revisions: History, at: Sequence[str], destination: str) -> Rollback | None:
    """Return the rollback that the argument of `alembic downgrade` continues, or None."""
    relative = _RELATIVE.fullmatch(destination)
    return resumed(connection, revisions, at, int(relative[1])) if relative else None


def record(conditions: Conditions, steps: Steps, at: Sequence[str], destination: str) -> None:
    """Write a downgrade into the log before its first step, unless it is there. Close any other rollback.

    Raise UserError if the log cannot be written.
    """
    goal = _goal(steps, destination) if steps.command == "downgrade" else None
    undoes = [str(info.up_revision_id) for info in steps.infos]
    found = find(conditions.observer)
    if found and found.goal == goal and set(undoes) <= set(found.undoes):
        if conditions.confirmed is None:
            messages.send(f"This continues {found}.")
        return
    _close(conditions.observer, found, at)
    if goal:
        _write(conditions, undoes, at, goal)


def close(settings: Settings, url: URL | None = None) -> None:
    """Close the rollback that was reported as done."""
    with connections.connect(settings, url, isolation_level="AUTOCOMMIT") as connection:
        connection.execute(_CLOSE)


def settle(settings: Settings, url: URL | None = None) -> None:
    """Close an open rollback because the database stays as it is. Wait for a rollback that runs."""
    with connections.connect(settings, url, isolation_level="AUTOCOMMIT") as connection:
        if not find(connection):
            return
        with advisory_lock.hold(connection, settings.limits.wait):
            _close(connection, find(connection), history.current(connection))


def _goal(steps: Steps, destination: str) -> str | None:
    """Return the revision at which a downgrade ends, however it was named. Return None if the history forks there."""
    last = steps.infos[-1]
    try:
        named = last.revision_map.get_revision(destination)
    except RevisionError:
        named = None
    below = last.destination_revision_ids
    return named.revision if named else None if len(below) > 1 else next(iter(below), "base")


def _close(connection: Connection, found: Rollback | None, at: Sequence[str]) -> None:
    if found:
        connection.execute(_CLOSE)
        # After its end, other branches may still be applied beside its goal.
        is_complete = found.left(history.load(), at) == []
        messages.send(f"{'Completed' if is_complete else 'Closed before it was finished'}: {found}.")


def _write(conditions: Conditions, undoes: list[str], at: Sequence[str], goal: str) -> None:
    options = f"-c lock_timeout={conditions.settings.limits.lock_timeout * 1000:.0f}"
    values = {"goal": goal, "run_by": migration_log.who(), "start": list(at), "undoes": undoes}
    with connections.connect(conditions.settings, conditions.url, options=options) as connection:
        try:
            migration_log.ensure(connection)
            connection.execute(_WRITE, values)
            connection.commit()
        except DBAPIError as error:
            raise UserError(
                f"The rollback cannot be written into {LOG}: {connections.first_line(error)}.",
                why="Without that row, a rollback that is killed and run again would undo more revisions.",
                do=f"make the migrating role the owner of {LOG}, end the sessions that lock it, then run this again",
            ) from error
