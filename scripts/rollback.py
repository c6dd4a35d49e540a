"""Undo the newest revisions and check that they are undone.

make rollback                one revision
make rollback CONFIRM=app    also when there are rows in what goes
make rollback STEPS=3        three
make rollback REV=1a2b3c     everything after a revision; REV=base: everything
"""

import os
import sys
from collections.abc import Sequence

from scripts.core import command, console, history, losses, migrations, postgres, settings
from scripts.core.errors import USAGE, UserError
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
    history.require_known(revisions, at)
    if not at:
        console.done("Nothing to do: the database is at base, no revision is applied.")
        return 0
    if arguments.rev is not None:
        wanted = history.resolve(revisions, arguments.rev)
    else:
        wanted = history.steps_back(revisions, at, steps)
    undone = history.undone(revisions, at, wanted)
    if not undone:
        console.done(f"Nothing to do: the database is at {', '.join(at)}.")
        return 0

    console.say(f"{len(undone)} to undo:")
    for revision in undone:
        console.say(f"  {revision.revision}  {revision.doc}")
    require_confirmation(target, losses.find(target, revisions, at, wanted, console.warn))
    migrations.downgrade(target, wanted, show, console.say)
    console.done(f"The database is at {wanted}.")
    return 0


def require_confirmation(target: settings.Settings, lost: Sequence[losses.Loss]) -> None:
    """What goes is said; where there is something in it, the database's name has to be typed."""
    name = str(target.database_url.database)
    if lost:
        console.say(f"{name} at {postgres.address(target)} will lose:")
    for loss in lost:
        console.say(f"  {loss}")
    if not any(loss.count for loss in lost):
        return
    typed = os.environ.get("CONFIRM") or console.ask(f"Type {name} to lose it:")
    if typed != name:
        raise UserError(
            f"Not confirmed: {'you typed ' + typed if typed else 'nobody typed the name'}.",
            why="What is lost does not come back. A new revision that mends what is wrong loses nothing.",
            do=f"make revision; or, knowing it: make rollback CONFIRM={name}",
        )


def whole_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise UserError(f"STEPS={text} is not a number of revisions.", do="make rollback STEPS=1", code=USAGE)
    return int(text)


def show(step: Step) -> None:
    console.say(f"  {step.revision}  undone in {step.seconds:.2f} s", console.DIM)


if __name__ == "__main__":
    sys.exit(command.run(main))
