"""Apply the pending revisions, and check the result. First show what they do, from a run on a copy.

make migrate                 all pending revisions
make migrate REV=1a2b3c      up to a revision: an id, the beginning of one, or head
make migrate ACCEPT=H03      outside development, despite this hazard; make plan explains it
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.script import Script
from sqlalchemy import Connection

from scripts.core import messages, overrides, settings
from scripts.core.backups import create, selection
from scripts.core.cli import console, entry_point
from scripts.core.errors import LateError, UserError
from scripts.core.formatting import counted
from scripts.core.migrate import alembic_commands, guards, unfinished_rollback
from scripts.core.migrate.steps import Step
from scripts.core.postgres import connections, databases, declared_extensions, environments, system_identifier
from scripts.core.revisions import history, passed_over

# Most runs find nothing to do. Importing what makes a plan takes an eighth of their time, so only a plan does it.
if TYPE_CHECKING:
    from scripts.core.plan.plan import Plan


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.migrate")
    parser.add_argument("rev", nargs="?", default="head", metavar="REV", help="default: head")
    arguments = parser.parse_args(argv)

    target = settings.load()
    create_database(target)
    revisions = history.load()
    wanted = history.resolve(revisions, arguments.rev)
    with connections.connect(target) as connection:
        at = history.current(connection)
        require_fitting(target, connection, revisions, at)
        pending = history.pending(revisions, at, wanted)
        environment, empty = (
            environments.effective(target, environments.read(connection)),
            databases.is_empty(connection),
        )
        if not pending:
            guards.check_edited(connection, environment, history.files(revisions, at))
    create_extensions(target)
    if not pending:
        console.done(f"Nothing to do: the database is at {', '.join(at) or 'base'}.")
        with messages.sent_to(console.say):
            unfinished_rollback.settle(target)
        return 0

    console.say(f"{counted(len(pending), 'pending revision')}:")
    made = None if empty else look(target, revisions, at, wanted, environment)
    show_plan(pending, made)
    files = {revision.revision: Path(revision.path) for revision in pending}
    guards.require_before_backup(target, history.files(revisions, at), files, made.seen if made else None)
    apply(target, environment, wanted, made)
    return 0


def create_database(target: settings.Settings) -> None:
    """Create the target's database, if it is missing on a server of this project."""
    if databases.ensure(target):
        console.done(f"Created the database {target.database_url.database}. Its environment is {target.app_env}.")


def create_extensions(target: settings.Settings) -> None:
    """Create those that [tool.app] names and the database lacks. Raise UserError if this command may not."""
    for name in declared_extensions.ensure(target):
        console.done(f"Created the extension {name}.")


def require_fitting(
    target: settings.Settings, connection: Connection, revisions: history.History, at: Sequence[str]
) -> None:
    """Raise UserError for a database whose revisions are not those of the files.

    Before that, name the backups that fit, if the revision has no file.
    """
    if history.unknown(revisions, at):
        folder, name = target.backups.folder, databases.name_of(target.database_url)
        for backup in selection.fitting(folder, name, system_identifier.look(target), revisions)[:3]:
            console.warn(f"This backup fits the checkout: make restore BACKUP={shlex.quote(str(backup))}")
    history.require_known(revisions, at)
    passed_over.require_none(connection, revisions, at)


def look(
    target: settings.Settings, revisions: history.History, at: Sequence[str], wanted: str, environment: str
) -> "Plan | None":
    """Return a plan. In development a failed plan is only a warning, unless a revision does not end."""
    from scripts.core.plan import plan

    try:
        made = plan.make(target, revisions, at, wanted)
        if made.failure:
            raise made.failure
    except UserError as error:
        is_needed = environment != "development" or isinstance(error, LateError)
        if is_needed and not overrides.accepted("plan"):
            raise
        console.warn(f"Not planned: {error.problem}")
        return None
    return made


def show_plan(pending: Sequence[Script], made: "Plan | None") -> None:
    from scripts.core.plan import render

    if made is None:
        for revision in pending:
            console.say(f"  {revision.revision}  {revision.doc}")
        return
    for planned in made.revisions:
        for line in render.short(planned):
            console.say(*line)
    if made.blocking:
        console.say("  See the safe way: make plan")


def apply(target: settings.Settings, environment: str, wanted: str, made: "Plan | None") -> None:
    """Apply revisions. Outside development there is a backup first."""
    with messages.sent_to(console.say):
        create.ensure_fresh(target, environment)
        alembic_commands.upgrade_seen(target, wanted, show, made.seen if made else None)
    with connections.connect(target) as connection:
        console.done(f"The database is at {', '.join(history.current(connection)) or 'base'}.")


def show(step: Step) -> None:
    console.say(f"  {step.revision}  applied in {step.seconds:.2f} s", "dim")


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
