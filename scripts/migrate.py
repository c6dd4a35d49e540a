"""Apply the pending revisions and check that they are applied.

make migrate                 everything
make migrate REV=1a2b3c      up to a revision: an id, a prefix of one, or head
"""

import sys
from collections.abc import Sequence

from scripts.core import command, console, databases, gates, history, migrations, postgres, settings
from scripts.core.steps import Step


def main(argv: Sequence[str] | None = None) -> int:
    parser = command.parser(__doc__, "migrate")
    parser.add_argument("rev", nargs="?", default="head", metavar="REV", help="default: head")
    arguments = parser.parse_args(argv)

    target = settings.load()
    if databases.ensure(target):
        console.done(f"Created the database {target.database_url.database}, marked environment={target.app_env}.")
    revisions = history.load()
    wanted = history.resolve(revisions, arguments.rev)
    with postgres.connect(target) as connection:
        at = history.current(connection)
        history.require_known(revisions, at)
        pending = history.pending(revisions, at, wanted)
        if not pending:
            environment = gates.effective(target, databases.mark(connection))
            gates.check_edited(connection, environment, history.files(revisions, at), console.warn)
    if not pending:
        console.done(f"Nothing to do: the database is at {', '.join(at) or 'base'}.")
        return 0

    console.say(f"{len(pending)} pending:")
    for revision in pending:
        console.say(f"  {revision.revision}  {revision.doc}")
    migrations.upgrade(target, wanted, show, console.say)
    console.done(f"The database is at {wanted}.")
    return 0


def show(step: Step) -> None:
    console.say(f"  {step.revision}  applied in {step.seconds:.2f} s", console.DIM)


if __name__ == "__main__":
    sys.exit(command.run(main))
