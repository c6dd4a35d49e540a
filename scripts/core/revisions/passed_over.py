"""Revisions before the current one that never ran. Their files were moved, and no upgrade would ever run them here."""

from collections.abc import Sequence

from alembic.util import to_tuple
from sqlalchemy import Connection

from scripts.core import revision_files
from scripts.core.errors import UserError
from scripts.core.revisions import history, migration_log
from scripts.core.revisions.history import History


def find(connection: Connection, revisions: History, at: Sequence[str]) -> list[str]:
    """Return these revisions, oldest first. Compare the migration log with the files.

    What is older than the log is not known. So a revision counts only if it follows one that the log has. If the log
    lacks the current revision, another program has set the version, and all before it is taken for applied.
    """
    known = [one for one in at if one not in history.unknown(revisions, at)]
    steps = migration_log.steps(connection) if known else []
    ran = _ran(revisions, steps)
    ran |= history.applied(revisions, [one for one in known if one not in ran])
    done = history.applied(revisions, known) if steps else set[str]()
    if done <= ran:
        return []
    follows, found = set(ran), list[str]()
    for script in history.oldest_first(revisions):
        before = {*to_tuple(script.down_revision, ()), *to_tuple(script.dependencies, ())}
        if before & follows:
            follows.add(script.revision)
            found += [script.revision] if script.revision in done - ran else []
    undone = {revision for revision, direction in steps if direction == "downgrade"}
    return [one.revision for one in history.oldest_first(revisions) if one.revision in {*found, *(undone & done - ran)}]


def require_none(connection: Connection, revisions: History, at: Sequence[str]) -> None:
    """Raise UserError if such a revision exists, in whatever environment. It names the way out."""
    for revision in find(connection, revisions, at)[:1]:
        file = revision_files.shown(history.script(revisions, revision).path)
        current = ", ".join(at)
        head = next((one for one in revisions.get_heads() if revision in history.applied(revisions, [one])), current)
        raise UserError(
            f"Revision {revision} comes before {current}, where the database is, but it never ran here.",
            why=f"{file}, or a file after it, has another down_revision than before. No upgrade would run it.",
            do=f'put it after the newest revision: down_revision = "{head}" in {file}, and let the file after it follow'
            f" {_before(revisions, revision)} again. If the schema has it already: make stamp REV={at[0]}",
            check="never-ran",
        )


def _before(revisions: History, revision: str) -> str:
    return ", ".join(to_tuple(history.script(revisions, revision).down_revision, ("None",)))


def _ran(revisions: History, steps: Sequence[tuple[str, str]]) -> set[str]:
    """Return the revisions that are applied by the log. After a stamp, all before it are."""
    ran = set[str]()
    for revision, direction in steps:
        if direction == "stamp":
            named = [one for one in revision.split(", ") if one != "base"]
            ran |= history.applied(revisions, [one for one in named if one not in history.unknown(revisions, named)])
        elif direction == "upgrade":
            ran.add(revision)
        elif direction == "downgrade":
            ran.discard(revision)
    return ran
