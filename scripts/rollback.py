"""Undo the newest revisions and check that they are undone.

make rollback                one revision
make rollback CONFIRM=app    also when there are rows in what goes
make rollback STEPS=3        three
make rollback REV=1a2b3c     everything after a revision; REV=base: everything
"""

import os
import sys
from collections.abc import Sequence

from alembic.script import Script

from scripts.core import (
    command,
    console,
    databases,
    downgrades,
    gates,
    history,
    migrations,
    postgres,
    rollback,
    settings,
)
from scripts.core.backups import dump
from scripts.core.backups import lost as lost_rows
from scripts.core.errors import USAGE, UserError
from scripts.core.losses import Loss
from scripts.core.steps import Step


def main(argv: Sequence[str] | None = None) -> int:
    parser = command.parser(__doc__, "rollback")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--steps", help="how many revisions (default: 1)")
    where.add_argument("--rev", metavar="REV", help="undo everything after this revision")
    arguments = parser.parse_args(argv)
    steps = whole_number("1" if arguments.steps is None else arguments.steps)

    target = settings.load()
    revisions = history.load()
    with postgres.connect(target) as connection:
        at = history.current(connection)
        environment = gates.effective(target, databases.mark(connection))
    history.require_known(revisions, at)
    if not at:
        console.done("Nothing to do: the database is at base, no revision is applied.")
        return 0
    wanted = (
        history.steps_back(revisions, at, steps) if arguments.rev is None else history.resolve(revisions, arguments.rev)
    )
    undone = history.undone(revisions, at, wanted)
    if not undone:
        console.done(f"Nothing to do: the database is at {', '.join(at)}.")
        return 0

    lost = show_losses(target, environment, undone, wanted)
    if any(loss.count for loss in lost):
        require_confirmation(str(target.database_url.database))
    undo(target, environment, wanted, lost)
    return 0


def show_losses(target: settings.Settings, environment: str, undone: Sequence[Script], wanted: str) -> list[Loss]:
    """What would be undone and lost is said, and whether there is a better way."""
    console.say(f"{len(undone)} to undo:")
    for revision in undone:
        console.say(f"  {revision.revision}  {revision.doc}")
    for revision in undone:
        downgrades.require(revision)
    lost = rollback.find(target, wanted, console.warn)
    if lost:
        console.say(f"{target.database_url.database} at {postgres.address(target)} will lose:")
    for loss in lost:
        console.say(f"  {loss}")
    with postgres.connect(target) as connection:
        if downgrades.forward_is_better(connection, environment, undone, lost):
            console.say(f"A new revision that mends it loses nothing: {downgrades.FORWARD}")
    return lost


def undo(target: settings.Settings, environment: str, wanted: str, lost: Sequence[Loss]) -> None:
    """Outside development everything is in a backup first, and what goes is kept by itself too."""
    dump.ensure_fresh(target, environment, console.say, console.bar)
    kept = lost_rows.keep(target, lost) if environment != "development" else None
    migrations.downgrade(target, wanted, lost, show, console.say)
    console.done(f"The database is at {wanted}.")
    if kept:
        console.say(f"  What went is kept in {kept}.")
        console.say(f"  Bring it back:  {lost_rows.command(kept)}")


def require_confirmation(name: str) -> None:
    typed = os.environ.get("CONFIRM") or console.ask(f"Type {name} to lose it:")
    if typed != name:
        raise UserError(
            f"Not confirmed: {'you typed ' + typed if typed else 'nobody typed the name'}.",
            why="What is lost does not come back.",
            do=f"{downgrades.FORWARD}; or, knowing it: make rollback CONFIRM={name}",
        )


def whole_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise UserError(f"STEPS={text} is not a number of revisions.", do="make rollback STEPS=1", code=USAGE)
    return int(text)


def show(step: Step) -> None:
    console.say(f"  {step.revision}  undone in {step.seconds:.2f} s", console.DIM)


if __name__ == "__main__":
    sys.exit(command.run(main))
