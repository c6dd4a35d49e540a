"""Restore a backup on the scratch server, and compare it with its manifest. The backup records the result.

    make verify-backup                          the newest backup
    make verify-backup BACKUP=feature-x
    make verify-backup MODE=quick               read all of it, without a restore
    make verify-backup ACCEPT=superuser         with a superuser's rights, as for make restore ACCEPT=superuser

Without ACCEPT=superuser it has the rights of the role that migrates, as make restore has.
"""

import sys
from collections.abc import Sequence

from scripts.core import settings
from scripts.core.backups import freshness, selection, store, verify
from scripts.core.cli import console, entry_point
from scripts.core.formatting import counted
from scripts.core.postgres import databases, system_identifier


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.verify_backup")
    parser.add_argument("backup", nargs="?", default=store.LATEST, metavar="BACKUP", help="default: latest")
    parser.add_argument("--mode", choices=(verify.QUICK, verify.FULL), default=verify.FULL, help="default: full")
    arguments = parser.parse_args(argv)

    target = settings.load()
    name, folder = databases.name_of(target.database_url), target.backups.folder
    backup = selection.find(folder, name, system_identifier.look(target), arguments.backup)
    checked = verify.verify(target, backup, arguments.mode)
    seconds = checked.manifest.checks[-1].seconds
    if arguments.mode == verify.QUICK:
        console.done(f"{backup.name} is intact: every byte was read, in {seconds:.1f} s.")
    else:
        console.done(
            f"{backup.name} was restored on the scratch server in {seconds:.1f} s and equals what was backed up:"
            f" {counted(len(backup.manifest.tables), 'table')}, {counted(backup.manifest.rows, 'row')}."
        )
    since = freshness.written_since(target, backup.manifest)
    if since:
        console.warn(since)
    return 0


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
