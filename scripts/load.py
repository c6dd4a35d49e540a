"""Load a dump of another program. The current database is kept under another name.

    make load FILE=app.dump                 asks for the database's name, if it has rows
    make load FILE=app.sql.gz CONFIRM=app   without a terminal
    make load FILE=... ACCEPT=superuser     with objects that only a superuser can make
    make load FILE=... ACCEPT=extensions    without the extensions that the server lacks

FILE is what pg_dump wrote of one database: SQL, SQL in gzip, or an archive (custom, tar, directory). A dump is a
program: it runs with the rights of the role that migrates, so load only what you trust. Owners and grants are left out.
The database has the environment that it had before. At the end you see what else it needs.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.core import settings
from scripts.core.adopt import database
from scripts.core.backups import dump_contents, dump_file, kept_databases, load, restore
from scripts.core.backups.dump_contents import DumpContents
from scripts.core.backups.load import Loaded
from scripts.core.backups.restore import State
from scripts.core.cli import confirmation, console, entry_point
from scripts.core.errors import USAGE, UserError
from scripts.core.formatting import counted
from scripts.core.postgres import connections, databases, environments, roles


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.load")
    parser.add_argument("file", nargs="?", default="", metavar="FILE", help="what pg_dump wrote of one database")
    parser.add_argument("--at", default="", metavar="PATH", help="where FILE is in this container")
    arguments = parser.parse_args(argv)
    if not arguments.file:
        raise UserError("No file was given.", do="make load FILE=path/to/the.dump", code=USAGE)

    target = settings.load()
    dump = dump_file.look(Path(arguments.at or arguments.file).expanduser(), arguments.file)
    contents = load.require_fitting(target, dump)
    state = restore.look(target)
    require_confirmation(target, state, dump.name)
    loaded = load.put_in_place(target, dump, contents, state.environment)
    report(target, dump.name, contents, loaded)
    say_environment(target)
    console.say("What this database needs once:")
    for need in database.needs(target):
        console.say(f"  {need}", "green" if need.is_done else "red")
    return 0


def require_confirmation(target: settings.Settings, state: State, file: str) -> None:
    """Raise UserError unless the database's name is typed. It is not required if the database has no rows."""
    name = databases.name_of(target.database_url)
    if at_stake := restore.rows_at_stake(target, state):
        console.say(at_stake)
        confirmation.require(name, "to replace it", f"make load FILE={shlex.quote(file)}")


def report(target: settings.Settings, file: str, contents: DumpContents, loaded: Loaded) -> None:
    name = databases.name_of(target.database_url)
    console.done(f"{name} has what {file} contains: {counted(loaded.tables, 'table')}, {counted(loaded.rows, 'row')}.")
    if without := dump_contents.listing(contents.left_out):
        console.say(f"  Left out: {without}.")
    if role := roles.application(target):
        console.say(f"  {role} has the application's usual rights.")
    for index in loaded.invalid_indexes:
        console.warn(f"The index {index} is invalid: REINDEX INDEX {index}")
    for constraint in loaded.not_valid:
        console.warn(
            f"The constraint {constraint} was never checked against the rows. It is NOT VALID in the dump too."
        )
    if loaded.hidden:
        console.warn(f"Not counted, because a policy hides rows: {', '.join(loaded.hidden)}")
    if loaded.old:
        console.document(kept_databases.commands(loaded.old, name))


def say_environment(target: settings.Settings) -> None:
    """Say the environment, read on a new connection."""
    with connections.connect(target) as connection:
        environment = environments.read(connection)
    console.say(f"  Its environment is {environment or environments.NOT_SET}.")
    if environment == "development":
        console.say("  make reset may drop it. If its rows are of production, who may see them is your decision.")


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
