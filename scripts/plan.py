"""Show what migrate would do, after trying it on a copy of the schema. The database itself is only read.

make plan                    all pending revisions
make plan REV=1a2b3c         up to a revision
make plan JSON=1             print one JSON document
"""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from scripts.core import settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.plan import plan, render
from scripts.core.postgres import connections
from scripts.core.revisions import history, passed_over


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.plan")
    parser.add_argument("rev", nargs="?", default="head", metavar="REV", help="default: head")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    arguments = parser.parse_args(argv)

    target = settings.load()
    revisions = history.load()
    wanted = history.resolve(revisions, arguments.rev)
    at = version(target, revisions)
    made = plan.make(target, revisions, at, wanted)
    if arguments.json:
        console.document(json.dumps(made.document(), indent=2))
    elif made.revisions:
        console.say(f"{counted(len(made.revisions), 'pending revision')}, run on {made.tried_on}, without rows:")
        for revision in made.revisions:
            for line in render.revision(revision):
                console.say(*line)
    else:
        console.done(f"Nothing to do: the database is at {', '.join(at) or 'base'}.")
    if made.failure:
        raise made.failure
    return 0


def version(target: settings.Settings, revisions: history.History) -> tuple[str, ...]:
    """Return the database's revisions; none if it does not answer. Raise UserError if they do not fit the files."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connections.connect(target))
        except UserError as error:
            console.warn(f"{error.problem} The plan begins with an empty database.")
            return ()
        at = history.current(connection)
        history.require_known(revisions, at)
        passed_over.require_none(connection, revisions, at)
        return at


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
