"""Set the recorded revision without running migrations.

make stamp REV=1a2b3c        an id, the beginning of one, head, or base
"""

import sys
from collections.abc import Sequence

from scripts.core import messages, settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import USAGE, UserError
from scripts.core.migrate import alembic_commands
from scripts.core.postgres import connections
from scripts.core.revisions import history


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.stamp")
    parser.add_argument("rev", nargs="?", default="", metavar="REV", help="the revision of the schema")
    arguments = parser.parse_args(argv)
    if not arguments.rev:
        raise UserError("No revision was given.", do="make stamp REV=head   (make history lists them)", code=USAGE)

    target = settings.load()
    revisions = history.load()
    wanted = history.resolve(revisions, arguments.rev)
    with connections.connect(target) as connection:
        at = history.current(connection)
    if (at or ("base",)) == (wanted,):
        console.done(f"Nothing to do: the recorded revision is {wanted} already.")
        return 0
    console.say(f"The recorded revision changes from {', '.join(at) or 'base'} to {wanted}. No revision runs:")
    for line in consequences(revisions, at, wanted):
        console.say(f"  {line}")
    with messages.sent_to(console.say):
        alembic_commands.stamp(target, wanted, forget=bool(history.unknown(revisions, at)))
    console.done(f"The recorded revision is {wanted}.")
    return 0


def consequences(revisions: history.History, at: Sequence[str], wanted: str) -> list[str]:
    """Return what Alembic concludes from the new version."""
    unknown = history.unknown(revisions, at)
    before = history.applied(revisions, [revision for revision in at if revision not in unknown])
    after = history.applied(revisions, [] if wanted == "base" else [wanted])
    return [
        *(f"{revision} (no file here) is deleted" for revision in unknown),
        *(f"{history.describe(revisions, revision)}: counts as applied" for revision in sorted(after - before)),
        *(f"{history.describe(revisions, revision)}: counts as pending" for revision in sorted(before - after)),
    ]


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
