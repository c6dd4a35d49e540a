"""List all revisions, the newest first, with when each was applied and by whom.

make history
"""

import sys
from collections.abc import Sequence

from scripts.core import settings
from scripts.core.cli import console, entry_point
from scripts.core.postgres import connections
from scripts.core.revisions import history, migration_log


def main(argv: Sequence[str] | None = None) -> int:
    entry_point.parser(__doc__, "scripts.history").parse_args(argv)

    revisions = history.load()
    with connections.connect(settings.load()) as connection:
        at = history.current(connection)
        log = migration_log.latest(connection)
    done = history.applied(revisions, [revision for revision in at if revision not in history.unknown(revisions, at)])
    for revision in history.unknown(revisions, at):
        console.say(f"* {revision}  has no file in this checkout")
    for found in revisions.walk_revisions():
        state = log.get(found.revision, "applied") if found.revision in done else "pending"
        console.say(f"{'*' if found.revision in at else ' '} {found.revision}  {found.doc}  ({state})")
    return 0


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
