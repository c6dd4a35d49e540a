"""What must hold before the version of a database changes. It is checked under the advisory lock, never done here."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from scripts.core import maintenance_window, messages, overrides
from scripts.core.backups import freshness
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.limits import Limits
from scripts.core.migrate import failure_report
from scripts.core.migrate.run_context import Conditions
from scripts.core.migrate.steps import Steps
from scripts.core.postgres import connections, databases, environments, invalid_indexes, system_identifier
from scripts.core.reports import proof
from scripts.core.revisions import history, migration_log, recovered_files
from scripts.core.rows import data_loss
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Settings


@dataclass(frozen=True)
class Seen:
    """The revisions and hazards that a plan has shown before this upgrade."""

    revisions: frozenset[str]
    blocking: tuple[str, ...]
    """Ids of the hazards that the plan found and that are not suppressed."""


def check(conditions: Conditions, steps: Steps, files: dict[str, Path], seen: Seen | None) -> Conditions:
    """Return the conditions with the overrides that were used and the backup that exists.

    Raise UserError if a guard refuses. Its text names the override.
    """
    environment = environments.effective(conditions.settings, environments.read(conditions.observer))
    used = check_edited(conditions.observer, environment, files)
    careful = environment != "development" and steps.command != "stamp"
    if careful:
        used += _window(conditions.settings.limits)
    careful = careful and not databases.is_empty(conditions.observer)
    if careful and steps.command == "upgrade":
        used += _recovered() + _plan(steps.files, seen)
        used += _verified(conditions.settings, conditions.observer, steps.files)
    if steps.command == "stamp" and overrides.accepted("stamp"):
        used.append("stamp")
    if steps.command == "downgrade":
        check_losses(conditions)
        used += ["irreversible"] if overrides.accepted("irreversible") else []
    backup = _backup(conditions) if careful else None
    if careful and not backup:
        used.append("backup")
    return replace(conditions, overrides=used, backup=backup.name if backup else "")


def check_indexes(conditions: Conditions, steps: Steps) -> Conditions:
    """Return the conditions with the invalid indexes that no step names. They stay, unless the user overrides that."""
    found = invalid_indexes.foreign(conditions.observer, steps.source)
    if found and overrides.accepted("index"):
        return replace(conditions, overrides=[*conditions.overrides, "index"])
    for name in found:
        messages.send(
            f"The index {name} is invalid: no query uses it. No revision that runs names it, so it stays."
            " To drop it, run this again with ACCEPT=index."
        )
    return replace(conditions, foreign_indexes=found)


def require_before_backup(
    settings: Settings, files: dict[str, Path], pending: dict[str, Path] | None = None, seen: Seen | None = None
) -> None:
    """Raise UserError for whatever `check` will refuse without a look at the backup, before one is taken.

    `files`: of the applied revisions. `pending`: of those to apply; None for a downgrade.
    """
    with connections.connect(settings) as connection, messages.sent_to(messages.nowhere):
        environment = environments.effective(settings, environments.read(connection))
        if environment == "development":
            return
        check_edited(connection, environment, files)
        _window(settings.limits)
        if pending and not databases.is_empty(connection):
            _recovered()
            _plan(pending, seen)
            _verified(settings, connection, pending)


def check_edited(connection: Connection, environment: str, files: dict[str, Path]) -> list[str]:
    """Return ["edited"] if a revision was edited after it was applied and the user overrode that, else [].

    In development it is only a warning. Elsewhere raise UserError without the override.
    """
    used: list[str] = []
    for revision, name in migration_log.edited(connection, files).items():
        what = f"{name} was edited after revision {revision} was applied"
        if environment == "development" or overrides.accepted("edited"):
            messages.send(f"{what}; this database has the result of the old version.")
            used = [] if environment == "development" else ["edited"]
            continue
        raise UserError(
            f"{what}.",
            why="The schema here is no longer the result of this file, so another database would get another schema.",
            do="restore the file and write a new revision. Override with ACCEPT=edited.",
            check="edited-files",
        )
    return used


def _recovered() -> list[str]:
    """Return the overrides used. Raise UserError if a file that make recover wrote is not committed."""
    names = recovered_files.uncommitted()
    if names and not overrides.accepted("recovered"):
        raise UserError(
            f"Recovered and not committed: {', '.join(names)}.",
            why="Other checkouts lack this file, so the next one could not migrate this database.",
            do="review it, git add and git commit. Override with ACCEPT=recovered.",
            check="uncommitted-files",
        )
    return ["recovered"] if names else []


def _plan(pending: dict[str, Path], seen: Seen | None) -> list[str]:
    """Return the overrides used. Raise UserError if no plan has shown these revisions or it found a blocking hazard."""
    planned = seen is not None and pending.keys() <= seen.revisions
    if not planned and not overrides.accepted("plan"):
        raise UserError(
            "These revisions have not been planned.",
            why="Outside development, pending revisions run on a copy of the schema before they run on the database.",
            do="make migrate, which plans first. Override with ACCEPT=plan.",
        )
    blocking = list(dict.fromkeys(seen.blocking if seen else ()))
    refused = [hazard for hazard in blocking if not overrides.accepted(hazard)]
    if refused:
        raise UserError(
            f"Not applied, because of {', '.join(refused)}: see the plan.",
            why="The application would wait or fail, or data would be lost.",
            do=f"write the revision the safe way. Override with ACCEPT={','.join(blocking)}.",
        )
    return [*blocking, *(["plan"] if not planned else [])]


def _verified(settings: Settings, connection: Connection, files: dict[str, Path]) -> list[str]:
    """Return the overrides used. Raise UserError if no verification has passed with exactly these files."""
    days = settings.limits.verify_fresh
    database, at = databases.name_of(connection.engine.url), list(history.current(connection))
    state = proof.DatabaseState(database, system_identifier.identity(connection), at)
    if days is None or proof.find(settings.reports, state, files, days):
        return []
    if not overrides.accepted("unverified"):
        raise UserError(
            f"Not verified on a copy of the data of {database}: {', '.join(files)}.",
            why="Outside development, these files must have passed a verification in the last"
            f" {days:g} day{'s' if days != 1 else ''} (VERIFY_FRESH in .env).",
            do="make verify-staging. Override with ACCEPT=unverified.",
        )
    return ["unverified"]


def check_losses(conditions: Conditions, state: str = "nothing was changed.") -> None:
    """Raise UserError if a downgrade would lose more than was confirmed.

    Nothing was confirmed for a downgrade typed by hand. CONFIRM=<database> allows it despite rows.
    """
    name, confirmed = str(conditions.url.database), conditions.confirmed
    nothing_to_count = overrides.confirmed() == name if confirmed is None else not confirmed
    if nothing_to_count:
        return
    with data_loss.counting(conditions.settings, conditions.url) as connection:
        table = data_loss.table_with_rows(connection) if confirmed is None else None
        if table:
            raise UserError(
                f"Refusing to downgrade {name} by hand: there are rows, for example in {table}.",
                why="It is not known which of these rows would be lost.",
                do=f"make rollback. Override with CONFIRM={shlex.quote(name)}.",
                state=state,
            )
        for loss in confirmed or ():
            _refuse_more(loss, data_loss.count(connection, loss), state)


def keep_empty(connection: Connection, conditions: Conditions) -> None:
    """Lock the tables that were confirmed as empty, at the start of a downgrade's transaction.

    Raise UserError if they have rows now. A session that the lock waited for may have just written them.
    """
    for loss in conditions.confirmed or ():
        if loss.count == 0 and data_loss.lock(connection, loss):
            _refuse_more(loss, data_loss.count(connection, loss), failure_report.between_attempts(conditions))


def _refuse_more(loss: Loss, now: int, state: str) -> None:
    if now > loss.count:
        raise UserError(
            f"{loss.place}: {loss.counted(now)} now, but you confirmed {loss.count:,}.",
            why="Rows were added after you confirmed.",
            do="run this again",
            state=state,
        )


def _backup(conditions: Conditions) -> Backup | None:
    """Return the backup that the database can be restored from, or None if the user overrode that."""
    fresh_for, name = conditions.settings.limits.backup_fresh, conditions.settings.database_url.database
    found = freshness.find(conditions.observer, conditions.settings.backups.folder, fresh_for)
    if not found and not overrides.accepted("backup"):
        raise UserError(
            f"There is no recent backup of {name}.",
            why="Outside development, a change needs an intact backup. It must be newer than the last migration"
            f" and at most {fresh_for:g} s old.",
            do="the make target, which takes a backup; or make backup. Override with ACCEPT=backup.",
        )
    return found


def _window(limits: Limits) -> list[str]:
    closed = maintenance_window.closed_until(limits.windows)
    if closed and not overrides.accepted("window"):
        raise UserError(
            f"Outside the maintenance window {limits.maintenance_window}.",
            why=f"It opens {closed:%A %Y-%m-%d %H:%M %Z}.",
            do="wait. Override with ACCEPT=window.",
        )
    return ["window"] if closed else []
