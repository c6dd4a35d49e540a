"""Take a backup of the database, and check that it can be read.

    make backup
    make backup NAME=feature-x                  so that you can restore it by this name
    make backup EXCLUDE="public.events"         without the rows of some tables

The backup is a folder in BACKUP_DIR. No migration can run at the same time.
"""

import shlex
import sys
from collections.abc import Sequence

from scripts.core import settings
from scripts.core.backups import create
from scripts.core.backups.store import Backup
from scripts.core.cli import console, entry_point
from scripts.core.formatting import counted


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.backup")
    parser.add_argument("--name", default="", metavar="NAME", help="a name to find it by, such as that of a branch")
    parser.add_argument("--exclude", default="", metavar="TABLES", help="tables whose rows are left out")
    arguments = parser.parse_args(argv)

    wanted = create.Wanted(arguments.name, arguments.exclude.replace(",", " ").split())
    show(create.make(settings.load(), wanted))
    return 0


def show(backup: Backup) -> None:
    made = backup.manifest
    console.done(
        f"Backed up {made.database}, at {', '.join(made.revision) or 'base'}: {counted(len(made.tables), 'table')},"
        f" {counted(made.rows, 'row')}, {made.bytes / 1e6:,.1f} MB in {made.seconds:.1f} s."
    )
    if made.excluded:
        console.say(f"  Without the rows of {', '.join(made.excluded)}.")
    console.say(f"  make restore BACKUP={shlex.quote(backup.name)}")


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
