"""Show where the database stands. Exit 0 if it is at head, 1 if it is behind or in doubt.

make status
make status JSON=1           print one JSON document
"""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import text

from scripts.core import application, git, reloader, revision_files, settings
from scripts.core.backups import selection
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.migrate import unfinished_rollback
from scripts.core.migrate.unfinished_rollback import Rollback
from scripts.core.postgres import connections, environments, roles, system_identifier
from scripts.core.postgres.roles import Application, Owner
from scripts.core.revisions import history, last_comparison, migration_log, models, passed_over, unimported

MOST = 8
"""Names on a line."""
NEXT = """
Next:
  make psql                           look at the database
  make revision m="what it does"      write a revision from the models
  make migrate                        apply it"""
NEXT_ELSEWHERE = """
Next:
  make psql                           look at the database
  make history                        see what was applied
  make logs                           see what the application does"""


@dataclass(frozen=True)
class Status:
    runtime: str
    server: str
    address: str
    database: str
    environment: str | None
    current: list[str]
    head: str | None
    heads: list[str]
    pending: list[str]
    unknown: list[str]
    """Revisions of the database that have no file in this checkout."""
    fitting: list[str]
    """For such revisions: backups of this database at a revision of this checkout, the newest first."""
    uncommitted: list[str]
    edited: list[str]
    """Applied revisions whose file was changed later."""
    never_ran: list[str]
    """Revisions before the current one that never ran here: their files were moved."""
    owner: Owner
    """The role that migrates."""
    application: Application
    rollback: Rollback | None
    """A rollback that is not closed."""
    not_imported: list[str]
    """Files that define a model and are not imported by the module of the models."""
    models_fault: str
    """Why the models cannot be imported; empty if they can."""
    not_looked_at: list[str]
    """Modules of the application that cannot be imported, each with the cause. They may define a model."""
    models: list[str] | None
    """What the models describe and the revision files do not make; None: not compared."""

    @property
    def healthy(self) -> bool:
        """Return whether database and files fit. The models may be ahead of them: see `main`."""
        faults = self.pending, self.unknown, self.edited, self.never_ran, self.not_imported, self.models_fault
        return not (any(faults) or len(self.heads) > 1)


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.status")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--next", action="store_true", help="also print the usual next commands")
    arguments = parser.parse_args(argv)

    target = settings.load()
    status = look(target)
    if arguments.json:
        console.document(json.dumps(asdict(status), indent=2))
    else:
        show(status)
    if arguments.next:
        console.document(NEXT if target.app_env == "development" else NEXT_ELSEWHERE)
        return 0 if status.healthy else 1  # of make up, which a model that was just changed does not stop
    return 0 if status.healthy and not status.models else 1


def look(target: settings.Settings) -> Status:
    revisions = history.load()
    found, fault = modules(target)  # before the first connection, because it forks a child
    with connections.connect(target) as connection:
        at = history.current(connection)
        server, environment = connections.describe(connection), environments.read(connection)
        rollback = unfinished_rollback.find(connection)
        never_ran = passed_over.find(connection, revisions, at)
        edited = list(migration_log.edited(connection, history.files(revisions, at)))
        # A service file may name the login.
        login = target.application_url.username or str(connection.scalar(text("SELECT current_user")))
        owner, application = roles.owner(connection), roles.look(connection, login)
    heads, name = revisions.get_heads(), str(target.database_url.database)
    unknown = history.unknown(revisions, at)
    pending = [] if unknown else [found.revision for found in history.missing(revisions, at)]
    return Status(
        runtime=target.runtime,
        server=server,
        address=connections.address(target),
        database=name,
        environment=environment,
        current=list(at),
        head=heads[0] if len(heads) == 1 else None,
        heads=list(heads),
        pending=pending,
        unknown=unknown,
        fitting=selection.fitting(target.backups.folder, name, system_identifier.look(target), revisions)
        if unknown
        else [],
        uncommitted=git.uncommitted(revision_files.folders()),
        edited=edited,
        never_ran=never_ran,
        owner=owner,
        application=application,
        rollback=rollback,
        not_imported=found.files,
        models_fault=fault,
        not_looked_at=found.failed,
        models=last_comparison.differences(target),
    )


def modules(target: settings.Settings) -> tuple[unimported.Found, str]:
    """Return what the models do not import, and why they cannot be imported. The database is of interest anyway."""
    try:
        return unimported.look(target), ""
    except UserError as error:
        return unimported.Found([], [], is_empty=False), error.problem


def show(status: Status) -> None:
    names = {
        "Runtime": status.runtime,
        "Server": f"{status.server} at {status.address}",
        "Database": status.database,
        "Environment": status.environment or environments.NOT_SET,
        "Migrates as": str(status.owner),
        "Application": str(status.application),
        "Current": ", ".join(status.current) or "base",
        "Head": _head(status),
        "Pending": _few(status.pending) or "nothing",
        "No file here": ", ".join(status.unknown),
        "Backups": f"make restore BACKUP={shlex.quote(status.fitting[0])}" if status.fitting else "",
        "Edited": f"{_few(status.edited)}, after it was applied" if status.edited else "",
        "Never ran": f"{_few(status.never_ran)}, before the current one: make migrate explains"
        if status.never_ran
        else "",
        "Uncommitted": _few(status.uncommitted),
        "Not imported": _few(status.not_imported),
        "Models": status.models_fault or _models(status.models),
    }
    console.facts([(name, value) for name, value in names.items() if value])
    for module in status.not_looked_at:
        console.warn(f"Not looked at for models: {module}")
    if failure := reloader.failure(status.runtime):
        console.warn(failure)
    if status.rollback:
        console.warn(f"Not finished: {status.rollback}. To finish it: make rollback. To cancel it: make migrate")
    for fault, what in status.application.faults:
        console.warn(f"{fault} {what}: make roles")


def _head(status: Status) -> str:
    if not status.heads:
        return "none: there is no revision yet   (make revision m=...)"
    return status.head or f"{len(status.heads)} heads: {', '.join(status.heads)}   (make merge m=...)"


def _models(differences: list[str] | None) -> str:
    if not application.read().metadata:
        return models.NONE
    if differences is None:
        return "not compared: make lint"
    if not differences:
        return "match the revision files"
    return f"{counted(len(differences), 'difference')} from the revision files: make lint shows them"


def _few(names: list[str]) -> str:
    """Return the first names and the last one, with their number if some are left out."""
    if len(names) <= MOST:
        return ", ".join(names)
    return f"{len(names)}: {', '.join(names[: MOST - 1])}, … {names[-1]}"


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
