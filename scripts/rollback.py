"""Undo the newest revisions, and check the result.

    make rollback                one revision
    make rollback CONFIRM=app    even if rows or values are lost
    make rollback STEPS=3        three revisions
    make rollback REV=1a2b3c     all revisions after this one; REV=base: all revisions
    make rollback ACCEPT=irreversible   even if a downgrade does nothing and objects stay; rows may always stay

The next make rollback finishes one that was killed. make status shows it.
"""

import shlex
import sys
from collections.abc import Sequence

from alembic.script import Script

from scripts.core import messages, overrides, settings
from scripts.core.backups import create
from scripts.core.cli import console, entry_point
from scripts.core.errors import USAGE, UserError
from scripts.core.formatting import counted
from scripts.core.migrate import alembic_commands, guards, unfinished_rollback
from scripts.core.migrate.steps import Step
from scripts.core.postgres import connections, environments
from scripts.core.revisions import history, passed_over
from scripts.core.rollback import loss_detection, reversible
from scripts.core.rows.data_loss import Loss


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.rollback")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--steps", help="how many revisions (default: 1)")
    where.add_argument("--rev", metavar="REV", help="undo everything after this revision")
    arguments = parser.parse_args(argv)
    steps = None if arguments.steps is None else whole_number(arguments.steps)

    target = settings.load()
    revisions = history.load()
    goal = None if arguments.rev is None else history.resolve(revisions, arguments.rev)
    with connections.connect(target) as connection:
        at = history.current(connection)
        environment = environments.effective(target, environments.read(connection))
        history.require_known(revisions, at)
        passed_over.require_none(connection, revisions, at)
        begun = unfinished_rollback.resumed(connection, revisions, at, steps, goal)
    if begun:
        console.say(f"This continues {begun}.")
    wanted = begun.goal if begun else goal or steps_back(revisions, at, steps or 1)
    undone = history.undone(revisions, at, wanted) if at else []
    if undone:
        guards.require_before_backup(target, history.files(revisions, at))
        run(target, environment, undone, wanted)
        return 0
    console.done(f"Nothing to do: the database is at {', '.join(at) or 'base, no revision is applied'}.")
    with messages.sent_to(console.say):
        unfinished_rollback.settle(target)
    return 0


def steps_back(revisions: history.History, at: Sequence[str], steps: int) -> str:
    return history.steps_back(revisions, at, steps) if at else "base"


def run(target: settings.Settings, environment: str, undone: Sequence[Script], wanted: str) -> None:
    losses = show_losses(target, environment, undone, wanted)
    if any(loss.count for loss in losses):
        require_confirmation(str(target.database_url.database))
    undo(target, environment, wanted, losses)


def show_losses(target: settings.Settings, environment: str, undone: Sequence[Script], wanted: str) -> list[Loss]:
    """Show what would be undone and lost, and whether there is a better way. Return the losses."""
    console.say(f"{counted(len(undone), 'revision')} to undo:")
    for revision in undone:
        console.say(f"  {revision.revision}  {revision.doc}")
    for revision in undone:
        reversible.require(revision)
    for line in reversible.without_work(target, undone):
        console.say(f"  {line}")
    losses = loss_detection.find(target, wanted)
    if losses:
        console.say(f"{target.database_url.database} at {connections.address(target)} will lose:")
    for loss in losses:
        console.say(f"  {loss}")
    with connections.connect(target) as connection:
        if reversible.forward_is_better(connection, environment, undone, losses):
            console.say(f"A new revision that corrects the schema loses no data: {reversible.FORWARD}")
    return losses


def undo(target: settings.Settings, environment: str, wanted: str, losses: Sequence[Loss]) -> None:
    """Undo revisions. Outside development, take a backup first."""
    loses = any(loss.count for loss in losses)
    with messages.sent_to(console.say):
        backup = create.ensure_fresh(target, environment, of_now=loses)
        alembic_commands.downgrade(target, wanted, losses, show)
    console.done(f"The database is at {at(target)}.")
    if backup and loses:
        console.say(f"  The lost data are in the backup {backup.name}.")
        console.say(f"  Restore it as another database:  make restore BACKUP={shlex.quote(backup.name)} TO=before")
    unfinished_rollback.close(target)


def at(target: settings.Settings) -> str:
    """Return the revisions that the database is at, read on a new connection. A branch that stays is one of them."""
    with connections.connect(target) as connection:
        return ", ".join(history.current(connection)) or "base"


def require_confirmation(name: str) -> None:
    typed = overrides.confirmed() or console.ask(f"Type {name} to lose these data:")
    if typed != name:
        raise UserError(
            f"Not confirmed: {'you typed ' + typed if typed else 'no name was given'}.",
            why="Lost data cannot be recovered from the database.",
            do=f"make backup, which keeps them; or {reversible.FORWARD}. Override with CONFIRM={shlex.quote(name)}.",
        )


def whole_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise UserError(f"STEPS={text} is not a number of revisions.", do="make rollback STEPS=1", code=USAGE)
    return int(text)


def show(step: Step) -> None:
    console.say(f"  {step.revision}  undone in {step.seconds:.2f} s", "dim")


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
