"""The backup: intact, recent, of a known revision, and fit for the scratch server."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from scripts.core import messages
from scripts.core.backups import create, freshness, restore_into, selection, store, verify
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres import connections, databases, system_identifier
from scripts.core.revisions import history
from scripts.core.verification.context import WARNED, Case, Outcome, refused

ID, NAME, NEEDS = "source", "backup", ()
FRESH = timedelta(hours=24)
"""An older backup does not show the data that the migration will meet."""

_EXTENSIONS = text("SELECT name FROM pg_available_extensions")


def check(case: Case) -> Outcome:
    """Find the backup. If the newest one is old or of another revision than the target, take a new one."""
    at = _version(case)
    backup = _find(case, at)
    verify.require_whole(backup)
    found = backup.manifest
    history.require_known(case.revisions, found.revision)
    restore_into.require_server(backup, connections.version(case.server.server))
    lacking = sorted(found.extensions.keys() - set(case.server.server.scalars(_EXTENSIONS)))
    if lacking:
        raise UserError(
            f"The scratch server lacks the extensions {', '.join(lacking)}.", do="use an image that has them"
        )
    pending = history.pending(case.revisions, found.revision, case.wanted)
    case.backup, case.at, case.pending = backup, found.revision, pending
    what = f"{_name(case, backup)}, at {', '.join(found.revision) or 'base'}; {len(pending) or 'nothing'} pending"
    warnings = _warnings(case, backup, at)
    if datetime.now(UTC) - found.created > FRESH:
        return refused("stale", Outcome(f"{what}; older than {FRESH / timedelta(hours=1):g} h", warnings))
    since = freshness.written_since(case.target, found) if at is not None else ""
    details = [*warnings, since] if since else warnings
    return Outcome(what, details, WARNED) if warnings else Outcome(what, details)


def _name(case: Case, backup: Backup) -> str:
    whose = selection.whose(backup, databases.name_of(case.target.database_url), case.cluster)
    return f"{backup.name} ({whose})" if whose else backup.name


def _find(case: Case, at: list[str] | None) -> Backup:
    folder, database = case.target.backups.folder, databases.name_of(case.target.database_url)
    if case.wanted_backup != store.LATEST:
        return selection.find(folder, database, case.cluster, case.wanted_backup)
    ours = selection.of_database(store.list_all(folder), database, case.cluster)
    if ours and (at is None or _is_fresh(ours[-1], at)):
        return ours[-1]
    messages.send("Taking a backup first: there is none of the last 24 hours at the database's revision.")
    return create.make(case.target, create.Wanted())


def _is_fresh(backup: Backup, at: list[str]) -> bool:
    is_young = datetime.now(UTC) - backup.manifest.created <= FRESH
    return is_young and backup.manifest.revision == at and not backup.manifest.excluded


def _version(case: Case) -> list[str] | None:
    """Return the target's revision, or None if it does not answer. The case gets the identity of its server."""
    try:
        with connections.cancellable(case.target) as connection:
            case.cluster = system_identifier.identity(connection)
            return sorted(history.current(connection))
    except UserError as error:
        messages.send(error.problem)
        return None


def _warnings(case: Case, backup: Backup, at: list[str] | None) -> list[str]:
    found, doubts = backup.manifest, []
    if at is None:
        doubts.append("The database itself does not answer, so it may have changed since the backup.")
    elif at != found.revision:
        doubts.append(f"The database is at {', '.join(at) or 'base'} now, but the backup is of another revision.")
    if case.server.rights.extensions is None:
        doubts.append(
            f"The rights of {case.server.rights.name} there are unknown. The rights that make roles gives are used."
        )
    if found.excluded:
        doubts.append(f"Without the rows of {', '.join(found.excluded)}: their effects are not seen.")
    majors = found.server // 10000, connections.version(case.server.server) // 10000
    if majors[0] != majors[1]:
        doubts.append(f"Verified on PostgreSQL {majors[1]}, but the database is PostgreSQL {majors[0]}.")
    return doubts
