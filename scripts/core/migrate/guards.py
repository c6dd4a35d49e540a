"""What must hold before the version of a database is changed. Checked under the mutex, performed elsewhere."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from scripts.core import maintenance_window, overrides, settings
from scripts.core.backups import freshness
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.migrate import failure_report
from scripts.core.migrate.run_context import Conditions
from scripts.core.migrate.steps import Steps
from scripts.core.postgres import databases, environments, system_identifier
from scripts.core.postgres.advisory_lock import Tell
from scripts.core.reports import proof
from scripts.core.revisions import history, migration_log
from scripts.core.rows import data_loss
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Limits


@dataclass(frozen=True)
class Seen:
    """What a plan has shown of an upgrade before it."""

    revisions: frozenset[str]
    blocking: tuple[str, ...]
    """Ids of the hazards that it found and that are not silenced."""


def check(conditions: Conditions, steps: Steps, files: dict[str, Path], seen: Seen | None) -> Conditions:
    """The conditions with the refusals that had to be overridden and the backup that is there. Raises UserError for the
    first gate that is closed, with the word that opens it.
    """
    environment = environments.effective(conditions.settings, environments.read(conditions.observer))
    used = check_edited(conditions.observer, environment, files, conditions.tell)
    careful = environment != "development" and steps.command != "stamp"
    if careful:
        used += _window(conditions.limits)
    careful = careful and not databases.is_empty(conditions.observer)
    if careful and steps.command == "upgrade":
        used += _plan(steps, seen)
        used += _verified(conditions, steps)
    if steps.command == "downgrade":
        check_losses(conditions)
    backup = _backup(conditions) if careful else None
    if careful and not backup:
        used.append("backup")
    return replace(conditions, overrides=used, backup=backup.name if backup else "")


def check_edited(connection: Connection, environment: str, files: dict[str, Path], tell: Tell) -> list[str]:
    """A revision edited after it was applied is a warning in development; elsewhere raises UserError, unless that is
    overridden; returns whether it was.
    """
    used: list[str] = []
    for revision in migration_log.edited(connection, files):
        what = f"{files[revision].name} was edited after revision {revision} was applied"
        if environment == "development" or overrides.accepted("edited"):
            tell(f"{what}; this database has what it did before.")
            used = [] if environment == "development" else ["edited"]
            continue
        raise UserError(
            f"{what}.",
            why="The schema here is not what the file says any more, and another database would get another schema.",
            do="put the file back and write a new revision; or, knowing it: ACCEPT=edited",
        )
    return used


def _plan(steps: Steps, seen: Seen | None) -> list[str]:
    """A plan has to have shown what will happen, and found nothing that stops the application."""
    revisions = {info.up_revision_id for info in steps.infos}
    planned = seen is not None and revisions <= seen.revisions
    if not planned and not overrides.accepted("plan"):
        raise UserError(
            "Nobody has seen what this would do.",
            why="Outside development the pending revisions are tried on a copy of the schema before they run.",
            do="make migrate, which plans first; or, knowing it: ACCEPT=plan",
        )
    blocking = list(dict.fromkeys(seen.blocking if seen else ()))
    refused = [hazard for hazard in blocking if not overrides.accepted(hazard)]
    if refused:
        raise UserError(
            f"Not applied, because of {', '.join(refused)}: see the plan.",
            why="The application would have to wait or would fail, or data would be lost.",
            do=f"write the revision the safe way; or, knowing it: ACCEPT={','.join(blocking)}",
        )
    return [*blocking, *(["plan"] if not planned else [])]


def _verified(conditions: Conditions, steps: Steps) -> list[str]:
    """A verification has to have passed with exactly the files that are to run."""
    days = conditions.limits.verify_fresh
    files = {str(info.up_revision_id): Path(getattr(info.up_revision, "path", "")) for info in steps.infos}
    database, at = databases.name_of(conditions.url), list(history.current(conditions.observer))
    state = proof.DatabaseState(database, system_identifier.identity(conditions.observer), at)
    if days is None or proof.find(settings.reports(), state, files, days):
        return []
    if not overrides.accepted("unverified"):
        raise UserError(
            f"Nobody has verified {', '.join(files)} on a copy of the data of {database}.",
            why=f"Outside development a report that is no older than {days:g} days has to say that these files are"
            " well; VERIFY_FRESH in .env.",
            do="make verify-staging; or, knowing it: ACCEPT=unverified",
        )
    return ["unverified"]


def check_losses(conditions: Conditions, state: str = "nothing was changed.") -> None:
    """Raises UserError when a downgrade would lose more than was confirmed. One that was typed by hand has told nobody
    what it loses: it must not meet a row, unless CONFIRM names the database.
    """
    name, confirmed = str(conditions.url.database), conditions.confirmed
    if confirmed is None and os.environ.get("CONFIRM") == name:
        return
    with data_loss.counting(conditions.settings, conditions.url) as connection:
        table = data_loss.table_with_rows(connection) if confirmed is None else None
        if table:
            raise UserError(
                f"Refusing to downgrade {name} by hand: it has rows, in {table} for one.",
                why="Nothing has found out and said which of them would be lost.",
                do=f"make rollback; or, knowing it: CONFIRM={name}",
                state=state,
            )
        for loss in confirmed or ():
            _refuse_more(loss, data_loss.count(connection, loss), state)


def keep_empty(connection: Connection, conditions: Conditions) -> None:
    """For the start of a downgrade's transaction: nobody can write any more to the tables that were said to be empty,
    and nobody has. A session that it waits for, and would see nothing of, may just have done so.
    """
    for loss in conditions.confirmed or ():
        if loss.count == 0 and data_loss.lock(connection, loss):
            _refuse_more(loss, data_loss.count(connection, loss), failure_report.between_attempts(conditions))


def _refuse_more(loss: Loss, now: int, state: str) -> None:
    if now > loss.count:
        raise UserError(
            f"{loss.place}: now there are {now} {loss.kind}; {loss.count} were confirmed.",
            why="The others came after the question.",
            do="run this again",
            state=state,
        )


def _backup(conditions: Conditions) -> Backup | None:
    """What the database can be restored from; None when the user goes without."""
    fresh_for, name = conditions.limits.backup_fresh, conditions.settings.database_url.database
    found = freshness.find(conditions.observer, settings.backups().folder, fresh_for)
    if not found and not overrides.accepted("backup"):
        raise UserError(
            f"There is no fresh backup of {name}.",
            why=f"Outside development nothing is changed without one that is whole, was taken since the last migration"
            f" and in the last {fresh_for:g} s.",
            do="the make target, which takes one; or make backup; or, knowing it: ACCEPT=backup",
        )
    return found


def _window(limits: Limits) -> list[str]:
    closed = maintenance_window.closed_until(limits.windows)
    if closed and not overrides.accepted("window"):
        raise UserError(
            f"Outside the maintenance window {limits.maintenance_window}.",
            why=f"It opens {closed:%A %Y-%m-%d %H:%M %Z}.",
            do="wait; or, knowing it: ACCEPT=window",
        )
    return ["window"] if closed else []
