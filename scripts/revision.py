"""Write a revision file from the difference between the models and the revision files, and try it.

make revision m="add posts.title"             review the file, then: make plan, make migrate
make revision m="backfill titles" EMPTY=1     an empty file, to write by hand
make revision m="backfill titles" SQL=1       the same with two SQL files, for the upgrade and the downgrade
make revision m="e-mail" RENAME=users.mail:email      a column with a new name; a table: posts:articles
make revision m="commas" RENAME='t."a,b":c'   names with signs, quoted as in SQL; swap two columns by hand
make revision m="no notes" ACCEPT=drop.users.note     a column or a table that goes, with what its rows have there
make revision m="plans" FILL=users.plan=free  a new NOT NULL column, with a value for the rows that are there
make revision ACCEPT=differences              keep what differs now: list it in alembic/accepted_differences.txt

The file runs up, down and up on the scratch server. Your database is not used. Exit 1 if the models describe something
that no revision file makes. `alembic revision --autogenerate` does the same; RENAME and FILL are variables there too.
"""

import sys
from collections.abc import Sequence

from scripts.core import overrides, revision_files, settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import USAGE, UserError
from scripts.core.formatting import counted
from scripts.core.migrate import alembic_commands, sql_revision
from scripts.core.models import accepted, by_hand, report, unproven_file, write
from scripts.core.models.written import Asked
from scripts.core.revisions import history


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.revision")
    parser.add_argument("--message", default="", metavar="TEXT", help="what the revision does")
    parser.add_argument(
        "--rename", default="", metavar="OLD:NEW", help="users.mail:email or posts:articles, with commas"
    )
    parser.add_argument(
        "--fill", default="", metavar="COLUMN=VALUE", help="users.plan=free for a new NOT NULL column, with commas"
    )
    parser.add_argument("--empty", action="store_true", help="write a revision without operations")
    parser.add_argument("--sql", action="store_true", help="write an empty revision with two SQL files")
    arguments = parser.parse_args(argv)
    message = arguments.message.strip()
    if not message and not overrides.accepted("differences"):
        raise UserError("A revision needs a message.", do='make revision m="what it does"', code=USAGE)

    target = settings.load()
    revisions = history.load()
    history.head(revisions)
    if not message:
        listed = write.accept(target, revisions)
        console.done(f"Wrote {counted(len(listed), 'difference')} to {accepted.FILE}. Review and commit it.")
        return 0
    if arguments.empty or arguments.sql:
        write_empty(target, revisions, message, with_sql=arguments.sql)
        return 0
    written = by_hand.write_revision(target, revisions, Asked(message, arguments.rename, arguments.fill))
    for styled in report.lines(written, message):
        console.say(*styled)
    return 0 if report.is_whole(written) else 1


def write_empty(target: settings.Settings, revisions: history.History, message: str, *, with_sql: bool) -> None:
    """Write a revision without operations, with or without SQL files. The revision is there only with them."""
    with unproven_file.begun(revisions, [history.head(revisions)]) as file:
        file.is_at(alembic_commands.new_revision(target, message, file.new))
        if file.path and with_sql:
            sql_revision.make(file.path)
        made = file.keep()
    for path in reversed(made):
        console.done(f"Wrote {revision_files.shown(path)}")
    console.say("  Write it. Then: make plan, make migrate, and commit it.")


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
