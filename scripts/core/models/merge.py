"""Writes a merge revision, and proves it: both branches run in each order, and the merge runs up, down and up."""

from collections.abc import Sequence
from pathlib import Path

from scripts.core import overrides
from scripts.core.errors import UserError
from scripts.core.migrate import alembic_commands
from scripts.core.models import unproven_file
from scripts.core.plan import rehearsal, shadow
from scripts.core.postgres import rights, scratch
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import history, naming
from scripts.core.schema import compare
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings

STATE = "no merge revision was written."


def write(settings: Settings, heads: Sequence[str], message: str) -> Path:
    """Write a revision that follows all of `heads`, and return its path. Your database is not used.

    Raise UserError, without the file, if the branches do not run together or the merge cannot be undone.
    """
    naming.fetch()  # once, before the child that runs the revisions is forked
    with (
        unproven_file.begun(history.load(), heads) as file,
        scratch.session(settings, rights.default(settings)) as server,
    ):
        file.is_at(alembic_commands.merge([*heads], message, file.new))
        try:
            _prove(server, heads, file.new.revision)
        except UserError as error:
            raise error.with_state(STATE) from error.__cause__
        return file.keep()[-1]


def _prove(server: Scratch, heads: Sequence[str], merge: str) -> None:
    revisions = history.load()

    def copy() -> Settings:
        return shadow.build(server, revisions, heads, partial=True)

    tried = rehearsal.run(server, revisions, [merge], merge, copy)
    if tried.failure:
        raise tried.failure
    undone = tried.undone.get(merge)
    if undone and (undone.failure or undone.differences):
        raise UserError(f"Undoing the merge fails: {undone.failure or next(iter(undone.differences))}")
    ends = [_end(server, revisions, head, merge) for head in heads]
    for other in ends[1:]:
        differences = [one for one in compare.between(ends[0], other) if not one.harmless]
        if differences and not overrides.accepted("merge"):
            raise UserError(
                f"The branches end in another schema when {heads[1]} runs before {heads[0]}:"
                + "".join(f"\n    {one}" for one in differences),
                why="A database that has already run one of them gets the other one afterwards.",
                do="let one branch leave alone what the other one changes. Override with ACCEPT=merge.",
            )


def _end(server: Scratch, revisions: history.History, first: str, merge: str) -> Schema:
    """Return the schema of a database that had run one branch before the merge."""
    made = shadow.build(server, revisions, [first], partial=True)
    shadow.run(server, made, [merge], partial=True)
    return compare.read(scratch.as_administrator(server, made))
