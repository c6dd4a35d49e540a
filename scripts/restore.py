"""Restore a backup. The current database is kept under another name.

    make restore BACKUP=latest                  the newest backup; asks for the database's name
    make restore BACKUP=feature-x CONFIRM=app   the newest backup of this NAME, without a terminal
    make restore BACKUP=... TO=other            into another database; the current one stays as it is
    make restore BACKUP=... ACCEPT=superuser    with objects that only a superuser can make, or that other roles own

BACKUP can also name a kept database. Then the two databases swap names again. Applications lose their sessions once.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace

from scripts.core import settings
from scripts.core.backups import kept_databases, restore, selection
from scripts.core.backups.restore import State
from scripts.core.backups.store import Backup
from scripts.core.cli import confirmation, console, entry_point
from scripts.core.errors import USAGE, UserError
from scripts.core.formatting import counted
from scripts.core.postgres import connections, database_names, databases, system_identifier
from scripts.core.revisions import history


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.restore")
    parser.add_argument("backup", nargs="?", default="", metavar="BACKUP", help="latest, a name, or a kept database")
    parser.add_argument("--to", default="", metavar="NAME", help="the name of a new database besides the target")
    arguments = parser.parse_args(argv)
    if not arguments.backup:
        raise UserError("No backup was given.", do="make restore BACKUP=latest   (make backups lists them)", code=USAGE)

    target = settings.load()
    name = databases.name_of(target.database_url)
    with databases.server(target) as server:
        identity = system_identifier.identity(server)
        kept_databases.require_certain(server, name, arguments.backup)
        is_kept = arguments.backup in [found.name for found in kept_databases.list_all(server, name)]
        require_free(arguments.to, databases.exists(server, arguments.to), is_kept)
    if is_kept:
        return swap_back(target, arguments.backup)

    backup = selection.find(target.backups.folder, name, identity, arguments.backup)
    state = restore.look(target)
    restore.require_fitting(backup, history.load(), state.environment)
    if arguments.to:
        target = replace(target, database_url=target.database_url.set(database=arguments.to))
    else:
        if whose := selection.whose(backup, name, identity):
            console.warn(
                f"{backup.name} is a backup {whose}. It will be restored to {name} at {connections.address(target)}."
            )
        require_confirmation(target, state, arguments.backup)
    old = restore.put_in_place(target, backup, state.environment)
    report_restored(target, backup, old, arguments.to)
    return 0


def require_free(name: str, is_there: bool, is_kept: bool) -> None:
    """Raise UserError for a TO under which nothing can be restored."""
    if is_there:
        raise UserError(f"TO={name} exists already.", do="choose another name", code=USAGE)
    if len(name.encode()) > database_names.LIMIT:
        raise UserError(f"TO={name} is too long: a name has at most 63 bytes.", do="choose a shorter one", code=USAGE)
    if name and is_kept:
        raise UserError("TO is for backups; a kept database has a name of its own already.", code=USAGE)


def swap_back(target: settings.Settings, name: str) -> int:
    require_confirmation(target, restore.look(target), name)
    old = restore.bring_back(target, name)
    report(target, f"the kept database {name}", old)
    return 0


def require_confirmation(target: settings.Settings, state: State, backup: str) -> None:
    """Raise UserError unless the database's name is typed. It is not required if the database has no rows."""
    name = databases.name_of(target.database_url)
    if at_stake := restore.rows_at_stake(target, state):
        console.say(at_stake)
        confirmation.require(name, "to replace it", f"make restore BACKUP={shlex.quote(backup)}")


def report_restored(target: settings.Settings, backup: Backup, old: str, other: str) -> None:
    """Report the result. `other`: the database that was made beside the current one, or nothing."""
    time = f"{backup.manifest.created:%Y-%m-%d %H:%M %Z}"
    report(target, f"the state of {time}" if other else f"as it was at {time}", old)
    if other:
        console.document(kept_databases.inspect_commands(other))


def report(target: settings.Settings, what: str, old: str) -> None:
    """Report the result, read on a new connection."""
    name = databases.name_of(target.database_url)
    revisions = history.load()
    with connections.connect(target) as connection:
        at = history.current(connection)
    pending = [] if history.unknown(revisions, at) else history.missing(revisions, at)
    console.done(f"{name} is {what}, at {', '.join(at) or 'base'}.")
    if pending:
        console.say(f"  {counted(len(pending), 'pending revision')}: make migrate")
    if old:
        console.document(kept_databases.commands(old, name))


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
