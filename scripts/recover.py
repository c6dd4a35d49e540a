"""Write again the file of a revision that the database has applied and this checkout lacks.

    make recover                     looks for it, shows it, and asks; your database is only read
    make recover CONFIRM=1a2b3c      writes it without a question; the id of the first revision that it shows

It looks in git first, on any branch, in any stash and in the reflog, and then in the database. It takes only the bytes
that were applied: their checksum is in the migration log. Commit what it writes.
"""

import shlex
import sys
from collections.abc import Sequence

from scripts.core import overrides, settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.postgres import connections
from scripts.core.revisions import recovered_files, recovery
from scripts.core.revisions.recovery import DATABASE, Recovered


def main(argv: Sequence[str] | None = None) -> int:
    entry_point.parser(__doc__, "scripts.recover").parse_args(argv)

    with connections.connect(settings.load()) as connection:
        found = recovery.find(connection)
    if not found:
        console.done("Nothing to recover: every revision of the database has its file here.")
        return 0
    for one in found:
        show(one)
    if folder := recovered_files.read_only(file for one in found for file in one.files):
        console.say(f"{folder} is read-only here, so nothing was written. Copy the text above.")
        return 0
    require_confirmation(found[0].revision)
    for one in reversed(found):
        for name in recovered_files.write(one.files):
            console.done(f"Wrote {name}")
    console.say("  Review and commit what was written. Then: make status")
    return 0


def show(one: Recovered) -> None:
    """Show where each file was found, and those from the database as a whole."""
    console.say(f"{one.revision}  ({one.applied})", "bold")
    for file in one.files:
        console.say(f"  {file.name}, from {file.where}")
        if missing := recovery.missing_modules(file.content) if file.name.endswith(".py") else []:
            console.warn(f"It imports {', '.join(missing)}, which this checkout lacks.")
        if file.where == DATABASE:
            console.document(file.text)


def require_confirmation(revision: str) -> None:
    """Raise UserError unless the user agrees."""
    confirmed = overrides.confirmed()
    if confirmed == revision or (not confirmed and console.ask("Write this? Type yes:") in ("y", "yes")):
        return
    raise UserError("Not confirmed.", do=f"make recover CONFIRM={shlex.quote(revision)}")


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
