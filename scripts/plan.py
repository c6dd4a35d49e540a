"""Show what migrate would do, by running it on a copy of the schema; the database itself is only read.

make plan                    everything that is pending
make plan REV=1a2b3c         up to a revision
make plan JSON=1             one JSON document
"""

import json
import sys
from collections.abc import Sequence

from scripts.core import command, console, history, plan, postgres, settings
from scripts.core.errors import UserError
from scripts.core.plan import Planned
from scripts.core.trace import BLOCKS, Statement


def main(argv: Sequence[str] | None = None) -> int:
    parser = command.parser(__doc__, "plan")
    parser.add_argument("rev", nargs="?", default="head", metavar="REV", help="default: head")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    arguments = parser.parse_args(argv)

    target = settings.load()
    revisions = history.load()
    wanted = history.resolve(revisions, arguments.rev)
    at = version(target)
    history.require_known(revisions, at)
    if history.pending(revisions, at, wanted):
        made = plan.make(target, revisions, at, wanted, console.warn)
    else:
        made = plan.Plan("nothing", [], None)
    if arguments.json:
        console.say(json.dumps(made.document(), indent=2))
    elif made.revisions:
        console.say(f"{len(made.revisions)} pending, tried on {made.tried_on}, without rows:")
        for revision in made.revisions:
            show(revision)
    else:
        console.done(f"Nothing to do: the database is at {', '.join(at) or 'base'}.")
    if made.failure:
        raise made.failure
    return 0


def version(target: settings.Settings) -> tuple[str, ...]:
    """What the database says it is at; base where it does not answer."""
    try:
        with postgres.connect(target) as connection:
            return history.current(connection)
    except UserError as error:
        console.warn(f"{error.problem} Planned from an empty database.")
        return ()


def show(revision: Planned) -> None:
    console.say()
    console.say(f"{revision.revision}  {revision.message}", console.BOLD)
    console.say(f"  {revision.file}, {revision.author or 'not committed'}, {revision.seconds:.2f} s")
    for number, statement in enumerate(revision.statements):
        if number and statement.transaction != revision.statements[number - 1].transaction:
            console.say("  -- commit", console.DIM)
        console.say(f"  {' '.join(statement.sql.split())}")
        for line in effects(statement):
            console.say(f"      {line}", console.DIM)


def effects(statement: Statement) -> list[str]:
    """What the statement does to tables that were there before, in words."""
    locks = [lock for mode in BLOCKS for lock in statement.locks if lock["mode"] == mode]
    blocked = {lock["relation"]: BLOCKS[lock["mode"]] for lock in locks}
    return [
        *(f"blocks {whom} of {table} until the commit" for table, whom in blocked.items()),
        *(f"rewrites {name}" for name in statement.rewrites),
        *(f"reads all of {name}" for name in statement.scans),
        *(f"writes {rows} rows of {name}" for name, rows in statement.rows_written.items()),
    ]


if __name__ == "__main__":
    sys.exit(command.run(main))
