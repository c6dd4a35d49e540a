"""Set the recorded revision without running migrations.

make stamp                   find the revision whose schema the database has, or the nearest one; write nothing
make stamp REV=1a2b3c        an id, the beginning of one, head, or base
make stamp REV=1a2b3c ACCEPT=stamp   even if the schema there differs from that of the database

The schemas are built from the revision files on the scratch server. The first search runs all revisions.
"""

import sys
from collections.abc import Sequence

from scripts.core import messages, overrides, settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.migrate import alembic_commands
from scripts.core.models import live_schema
from scripts.core.postgres import connections, environments
from scripts.core.revisions import history, passed_over


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.stamp")
    parser.add_argument("rev", nargs="?", default="", metavar="REV", help="the revision of the schema")
    arguments = parser.parse_args(argv)

    target = settings.load()
    revisions = history.load()
    wanted = history.resolve(revisions, arguments.rev) if arguments.rev else ""
    with connections.connect(target) as connection:
        at = history.current(connection)
        environments.effective(target, environments.read(connection))
        never_ran = passed_over.find(connection, revisions, at)
    if not wanted:
        return propose(target, revisions, at)
    is_there = (at or ("base",)) == (wanted,)
    if is_there and not never_ran:
        console.done(f"Nothing to do: the recorded revision is {wanted} already.")
        return 0
    require_equal(target, revisions, wanted)
    say_consequences(revisions, at, wanted)
    with messages.sent_to(console.say):
        # Without the purge Alembic writes nothing for the recorded revision, and the log needs a row.
        alembic_commands.stamp(target, wanted, forget=is_there or bool(history.unknown(revisions, at)))
    console.done(f"The recorded revision is {wanted}.")
    return 0


def require_equal(target: settings.Settings, revisions: history.History, wanted: str) -> None:
    """Raise UserError if the database has another schema than `wanted`, unless the user overrides that."""
    if overrides.accepted("stamp"):
        return
    try:
        found = live_schema.differences(target, revisions, wanted)
    except UserError as error:
        raise live_schema.explained(error, wanted) from error
    if found:
        raise UserError(
            f"The database has another schema than {wanted}:{live_schema.listing(found)}",
            why="A revision that counts as applied never runs.",
            do="make stamp, which finds the revision of this schema. Override with ACCEPT=stamp.",
        )


def propose(target: settings.Settings, revisions: history.History, at: Sequence[str]) -> int:
    """Show the nearest revision and the command that records it. Return 0 if the database has exactly its schema."""
    found = live_schema.nearest(target, revisions)
    for revision, problem in found.not_compared.items():
        console.warn(f"{revision} and those after it are not compared, because it does not run alone: {problem}")
    for revision in found.unfinished:
        console.warn(f"{revision} needs rows or an extension. What it makes after that is not compared.")
    if not found.revisions:
        raise UserError("No revision can be compared with the database.", do="make history")
    newest, *same = found.revisions
    if found.differences:
        number = counted(len(found.differences), "difference")
        console.say(
            f"✗ No revision has this schema. The nearest one is {history.describe(revisions, newest)}, with {number}:"
        )
        console.say(live_schema.listing(found.differences).lstrip("\n"))
        console.say(f"  To record it nevertheless: make stamp REV={newest} ACCEPT=stamp")
        return 1
    console.done(f"The schema is that of {history.describe(revisions, newest)}")
    for revision in same:
        console.say(f"  {history.describe(revisions, revision)}: has the same schema. Only rows differ, if anything.")
    if list(at) in ([one] for one in found.revisions):
        console.say(f"  The recorded revision is {at[0]} already.")
    else:
        console.say(f"  To record it: make stamp REV={newest}")
    return 0


def say_consequences(revisions: history.History, at: Sequence[str], wanted: str) -> None:
    console.say(f"The recorded revision changes from {', '.join(at) or 'base'} to {wanted}. No revision runs:")
    for line in consequences(revisions, at, wanted):
        console.say(f"  {line}")


def consequences(revisions: history.History, at: Sequence[str], wanted: str) -> list[str]:
    """Return what Alembic concludes from the new version."""
    unknown = history.unknown(revisions, at)
    before = history.applied(revisions, [revision for revision in at if revision not in unknown])
    after = history.applied(revisions, [] if wanted == "base" else [wanted])
    changed = [one.revision for one in history.oldest_first(revisions) if one.revision in before ^ after]
    counts = {revision: "applied" if revision in after else "pending" for revision in changed}
    return [
        *(f"{revision} (no file here) is deleted" for revision in unknown),
        *(f"{history.describe(revisions, revision)}: counts as {how}" for revision, how in counts.items()),
    ]


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
