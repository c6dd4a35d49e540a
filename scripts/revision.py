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
that no revision file makes.
"""

import itertools
import sys
from collections.abc import Iterator, Sequence

from scripts.core import overrides, revision_files, settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import USAGE, UserError
from scripts.core.formatting import counted
from scripts.core.migrate import alembic_commands, sql_revision
from scripts.core.models import accepted, by_hand, not_written, unproven_file, write
from scripts.core.models.written import Written
from scripts.core.plan import render
from scripts.core.plan.render import StyledLine
from scripts.core.plan.table_sizes import NOTE
from scripts.core.revisions import history, last_comparison


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
    written = write.revision(target, revisions, message, arguments.rename, arguments.fill)
    found = written.comparison
    last_comparison.keep(target, last_comparison.key(target), found.reads, found.lines)
    if written.path:
        by_hand.name_variables(found)
    return report(written, message)


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


def report(written: Written, message: str) -> int:
    lines = written.comparison.lines
    if written.path is None and not lines:
        console.done(f"Models and migrations match{written.comparison.exceptions}: there is nothing to write.")
        console.say(f'  To write a revision by hand: make revision m="{message}" EMPTY=1')
        return 0
    if written.path is None:
        console.say("✗ Models and revision files differ in what Alembic does not write:", "red")
    elif lines or written.not_undone:
        what = "the models describe more" if lines else "its downgrade does not restore the schema"
        console.say(f"✗ Wrote {revision_files.shown(written.path)}, but {what}:", "red")
    else:
        console.done(f"Wrote {revision_files.shown(written.path)}. It ran up, down and up on the scratch server.")
    for styled in itertools.chain(differences(written), findings(written)):
        console.say(*styled)
    for note in written.notes:
        console.say(f"  {note}", "yellow")
    for name, value in written.fills.items():
        _say_later(name, value)
    if lines:
        by_hand = "Add this by hand" if written.path else f'Write it by hand: make revision m="{message}" EMPTY=1'
        console.say(f"  {by_hand}. To keep all differences as they are: make revision ACCEPT=differences")
        return 1
    console.say("  Review it. Then: make plan, make migrate, and commit it.")
    return 1 if written.not_undone else 0


def differences(written: Written) -> Iterator[StyledLine]:
    """Yield what is not written, and why it cannot be."""
    yield from ((f"  {line}", "") for line in written.comparison.lines)
    for one in written.comparison.differences:
        yield from ((f"      {line}", "dim") for line in not_written.advice(one))


def _say_later(name: str, value: str | None) -> None:
    """Say which revision finishes a new column that is NOT NULL."""
    if value is None:
        console.say(f"  {name} may be NULL in this revision, because the rows that are there have no value.")
        console.say(f"  Fill them, then: make revision makes it NOT NULL. Or remove this file, and: FILL={name}=value")
    else:
        console.say(f"  {name} keeps its default {value!r} for code that does not write it yet.")
        console.say("  The next make revision drops that default, because the models do not state it.")


def findings(written: Written) -> Iterator[StyledLine]:
    """Yield the findings with the safe way."""
    if written.planned is None:
        return
    for one in written.planned.findings:
        yield render.finding(written.planned, one)
        if not one.silenced and one.severity != NOTE:
            yield from ((f"      {line}", "dim") for line in one.instead.splitlines())


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
