"""Write a revision file from the difference between the models and the database.

make revision m="add posts.title"             review the file, then: make plan, make migrate
make revision m="backfill titles" EMPTY=1     an empty file, to write by hand
"""

import sys
from collections.abc import Sequence

from scripts.core import revision_files, settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import USAGE, UserError
from scripts.core.migrate import alembic_commands
from scripts.core.postgres import connections, databases
from scripts.core.revisions import history


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.revision")
    parser.add_argument("--message", default="", metavar="TEXT", help="what the revision does")
    parser.add_argument("--empty", action="store_true", help="write a revision without operations")
    arguments = parser.parse_args(argv)
    message = arguments.message.strip()
    if not message:
        raise UserError("A revision needs a message.", do='make revision m="what it does"', code=USAGE)

    target = settings.load()
    revisions = history.load()
    head = history.head(revisions)
    if not arguments.empty:
        require_at_head(target, revisions, head)
    path = alembic_commands.new_revision(target, message, empty=arguments.empty)
    if path is None:
        console.done("Models and migrations match: there is nothing to write.")
        console.say(f'  To write a revision by hand: make revision m="{message}" EMPTY=1')
        return 0
    console.done(f"Wrote {revision_files.shown(path)}")
    what = "Write it" if arguments.empty else "Review it: a rename looks like a drop and an add"
    console.say(f"  {what}. Then: make plan, make migrate, and commit it.")
    return 0


def require_at_head(target: settings.Settings, revisions: history.History, head: str) -> None:
    """Raise UserError if the database lacks revisions. Its schema is compared with the models."""
    databases.ensure(target)
    with connections.connect(target) as connection:
        at = history.current(connection)
    history.require_known(revisions, at)
    if history.pending(revisions, at, head):
        raise UserError(
            "The database is behind the revision files, so model changes cannot be told from pending revisions.",
            do="make migrate",
        )


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
