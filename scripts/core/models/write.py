"""Writes a revision from the models, and proves it: it runs up, down and up, and makes what the models describe.

It is compared with the shadow at head. So it does not matter in which state your database is, or whether it runs.
"""

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alembic.operations.ops import MigrationScript

from scripts.core import revision_files
from scripts.core.errors import UserError
from scripts.core.migrate import alembic_commands
from scripts.core.models import accepted, alike, compare, operations, rename
from scripts.core.models.compare import ModelComparison
from scripts.core.models.operations import ModelStep
from scripts.core.models.rename import Rename
from scripts.core.plan import plan, rehearsal, shadow, table_sizes
from scripts.core.plan.findings import Finding
from scripts.core.plan.hazards import h12_downgrade
from scripts.core.plan.plan import Planned
from scripts.core.plan.table_sizes import NOTE
from scripts.core.postgres import connections, rights, scratch, sql, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import history, naming, unimported
from scripts.core.revisions.history import History
from scripts.core.settings import Settings


@dataclass(frozen=True)
class Content:
    """What a new file has besides what autogenerate finds."""

    message: str
    more: Sequence[ModelStep]
    dropped: Sequence[str]
    """The names of columns and tables that may be dropped."""
    changed: Collection[tuple[str, ...]]
    """What differs: see `alike.changed`."""


@dataclass(frozen=True)
class Written:
    comparison: ModelComparison
    """What differs between the models and the revision files, including the new one."""
    path: Path | None = None
    """The new file; None if Alembic found nothing to write."""
    planned: Planned | None = None
    """What the new revision does, with its findings."""

    @property
    def not_undone(self) -> list[Finding]:
        """Return the findings about a downgrade that does not restore the schema."""
        found = self.planned.findings if self.planned else []
        return [one for one in found if one.id == h12_downgrade.ID and one.severity != NOTE]


def revision(settings: Settings, revisions: History, message: str, renames: str) -> Written:
    """Write a revision file with what the models have and the files before it do not make.

    `settings` name the scratch server; their target is not used. Raise UserError if a model is not imported, if the
    user has not said that something is dropped or renamed (see `rename.decide`), or if the new file does not run.
    """
    head = history.head(revisions)
    naming.fetch()  # once, before the child that runs the models is forked
    unimported.require_none(settings)
    with scratch.session(settings, rights.default(settings)) as server:
        before = compare.compare(server, revisions, [head], partial=True)
        named, dropped = rename.decide(before, renames)
        after, first = _first(server, revisions, before, named)
        content = Content(message, first, dropped, alike.changed(after))
        path = _write(server, revisions, content)
        written = _proven(server, settings, head, path) if path else Written(before)
        left = operations.steps(written.comparison.differences, before.described)
        if not left:
            return written
        if path:
            path.unlink()
        path = _write(server, revisions, replace(content, more=[*first, *left]))
        assert path
        return _proven(server, settings, head, path)


def _first(
    server: Scratch, revisions: History, before: ModelComparison, renames: Sequence[Rename]
) -> tuple[ModelComparison, list[ModelStep]]:
    """Return what differs after the renames, and the steps that come before what autogenerate finds."""
    steps = [step for step in operations.steps(before.differences, before.described) if step.first]
    if not renames:
        return before, steps
    steps += [one.step for one in renames]
    then = [statement for one in renames for statement in one.step.up]
    after = compare.compare(server, revisions, [history.head(revisions)], then, partial=True)
    return after, [*steps, *rename.names([pair for pair in after.renamed if pair not in before.renamed])]


def accept(settings: Settings, revisions: History) -> list[str]:
    """Write all differences between the models and the revision files into the list of accepted ones. Return them."""
    found = compare.at_head(settings, revisions)
    lines = [*found.accepted, *(one.line for one in found.failures), *(one.line for one in found.differences)]
    accepted.write(lines)
    return lines


def _write(server: Scratch, revisions: History, content: Content) -> Path | None:
    """Write a revision after the head in the child."""
    start = shadow.build(server, revisions, [history.head(revisions)], partial=True)
    try:
        path: Path | None = trial.run(server, start, new_file, content)
    except UserError as error:
        raise error.with_state("no revision was written.") from error.__cause__
    return path


def new_file(copy: Settings, content: Content) -> Path | None:
    """Do the work of `_write` in the child. Autogenerate meets a database in which the first steps are done."""
    with connections.connect(copy, isolation_level="AUTOCOMMIT") as connection:
        for statement in (statement for step in content.more if step.first for statement in step.up):
            sql.run(connection, statement)

    def add(script: MigrationScript) -> None:
        alike.leave_out(script.upgrade_ops, content.changed)
        operations.add(script, content.more, content.dropped)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Alembic cannot write: the comparison names it
        return alembic_commands.new_revision(copy, content.message, empty=False, add=add)


def _proven(server: Scratch, settings: Settings, head: str, path: Path) -> Written:
    revisions = history.load()
    script = next(one for one in revisions.walk_revisions() if Path(one.path) == path)

    def copy() -> Settings:
        return shadow.build(server, revisions, [head], partial=True)

    tried = rehearsal.run(server, revisions, [script.revision], script.revision, copy)
    if tried.failure:
        file = revision_files.shown(path)
        raise tried.failure.with_state(f"{file} was written, but it does not run. Your database was not used.")
    planned = plan.planned(script, tried, table_sizes.unknown(settings.limits))
    return Written(compare.compare(server, revisions, [script.revision], partial=True), path, planned)
