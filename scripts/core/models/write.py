"""Writes a revision from the models, and proves it: it runs up, down and up, and makes what the models describe.

It is compared with the shadow at head. So it does not matter in which state your database is, or whether it runs.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from alembic.operations.ops import MigrationScript
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scripts.core import revision_files
from scripts.core.errors import UserError
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.request import Compared
from scripts.core.models import (
    accepted,
    alike,
    comparable,
    compare,
    conversions,
    defaults,
    dropped_tables,
    dropped_types,
    fill,
    function_texts,
    operations,
    plugins,
    rename,
    unproven_file,
)
from scripts.core.models.compare import ModelComparison
from scripts.core.models.rename import Rename
from scripts.core.models.step import ModelStep
from scripts.core.models.unproven_file import UnprovenFile
from scripts.core.models.written import Asked, Content, Written
from scripts.core.plan import plan, rehearsal, shadow, table_sizes
from scripts.core.plan.findings import Undone
from scripts.core.postgres import connections, rights, scratch, sql, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.postgres.sql import Sql
from scripts.core.revisions import autogenerate, history, unimported
from scripts.core.revisions.history import History
from scripts.core.settings import Settings

_ROUNDS = 4
"""How often the file is written with what the one before it left."""
_PARTITION = " PARTITION BY "


def revision(settings: Settings, revisions: History, asked: Asked) -> Written:
    """Write a revision file with what the models have and the files before it do not make.

    `settings` name the scratch server; their target is not used. Raise UserError if a model is not imported, if
    something would be dropped without the user's word, or if the new file does not run.
    """
    head = history.head(revisions)
    with (
        unproven_file.begun(revisions, [head], asked.rev_id) as file,
        unimported.imported(settings) as models,
        scratch.session(settings, rights.default(settings), models) as server,
    ):
        before = compare.compare(server, revisions, [head], partial=True)
        tables = rename.tables(before, asked.renames)
        named = _after(server, revisions, [one.step for one in tables]) if tables else before
        columns, dropped = rename.decide(named, asked.renames, tables)
        after, first = _first(server, revisions, before, [*tables, *columns])
        dropped_names = [one.name for one in dropped if not one.column]
        first += [
            *dropped_tables.steps(after.made, dropped_names),
            *dropped_types.steps(server, revisions, after, dropped),
        ]
        keys = {one.key: one.definition.partition(_PARTITION)[2] for one in dropped}
        filled = fill.decide(after, asked.fills, revisions)
        content, left = Content(file.new, asked.message, first, keys, alike.changed(after), filled), list[ModelStep]()
        for rounds in range(_ROUNDS):
            path, start = _write(server, revisions, replace(content, more=[*first, *left]))
            file.is_at(path)
            written = _proven(server, head, file, after, start) if file.path else Written(after)
            more = [step for step in _left(written, after) if step not in left]
            if not more or rounds == _ROUNDS - 1:
                break
            left += more
            file.remove()
        file.keep()
        _keep_defaults(written.comparison, filled)
        gone = [one.name for one in [*(rename.gone for rename in [*tables, *columns]), *dropped]]
        notes = function_texts.naming(server, revisions, gone)
        return replace(written, path=file.path, fills=filled, notes=notes)


def _first(
    server: Scratch, revisions: History, before: ModelComparison, renames: Sequence[Rename]
) -> tuple[ModelComparison, list[ModelStep]]:
    """Return what differs after the renames, and the steps that come before what autogenerate finds."""
    done = [one.step for one in renames]
    after = _after(server, revisions, done) if done else before
    if names := list(rename.names([pair for pair in after.renamed if pair not in before.renamed])):
        done += names
        after = _after(server, revisions, done)
    ours = _ours(after)
    steps = [step for step in operations.steps(ours) if step.first]
    if conversions.are_needed(ours):
        start = shadow.build(server, revisions, [history.head(revisions)], partial=True)
        with connections.connect(start) as connection:
            for statement in (statement for step in done for statement in step.up):
                sql.run(connection, statement)
            steps += conversions.steps(ours, connection)
    return after, [*done, *steps]


def _after(server: Scratch, revisions: History, done: Sequence[ModelStep]) -> ModelComparison:
    then = [statement for step in done for statement in step.up]
    return compare.compare(server, revisions, [history.head(revisions)], then, partial=True)


def _left(written: Written, start: ModelComparison) -> Iterator[ModelStep]:
    """Yield the steps for what the file lacks: above, and below in its downgrade."""
    yield from operations.steps(_ours(written.comparison))
    below = ModelComparison(list(written.undone.differences), described=start.made, made=start.made)
    yield from (ModelStep([], step.up, first=True) for step in operations.steps(below) if not step.autocommit)


def _ours(found: ModelComparison) -> ModelComparison:
    """Return what this tool may write: not the enums if a plug-in of Alembic writes them."""
    if not plugins.write_enums():
        return found
    return replace(found, differences=[one for one in found.differences if not one.name.startswith("enum ")])


def accept(settings: Settings, revisions: History) -> list[str]:
    """Write all differences between the models and the revision files into the list of accepted ones. Return them."""
    found = compare.at_head(settings, revisions)
    lines = acceptable(found)
    accepted.write(lines)
    return lines


def acceptable(found: ModelComparison) -> list[str]:
    """Return the lines by which all differences are known again, with those that are accepted already."""
    lines = [*found.accepted, *(one.line for one in found.failures), *(one.line for one in found.differences)]
    return [*lines, *found.of_plugins, *(one for one in found.notes if defaults.UNSTATED in one)]


def _keep_defaults(found: ModelComparison, filled: fill.Fills) -> None:
    """Accept the defaults with which old rows were filled: the next revision would drop them without a word."""
    of = {comparable.parts(name) for name, value in filled.items() if value is not None}
    lines = [
        one
        for one in found.notes
        if defaults.UNSTATED in one
        and (part := comparable.PART.fullmatch(one.partition(defaults.UNSTATED)[0]))
        and (*comparable.parts(part["table"]), *comparable.parts(part["name"])) in of
    ]
    if lines:
        accepted.write({*accepted.read(), *lines})


def _write(server: Scratch, revisions: History, content: Content) -> tuple[Path | None, Settings | None]:
    """Write a revision after the head in the child. Return its path, and a database that is still at the head."""
    start = shadow.build(server, revisions, [history.head(revisions)], partial=True)
    try:
        path: Path | None = trial.run_models(server, start, new_file, content)
    except UserError as error:
        raise error.with_state("no revision was written.") from error.__cause__
    return path, None if content.more else start


def new_file(copy: Settings, content: Content) -> Path | None:
    """Do the work of `_write` in the child. Autogenerate meets a database in which the first steps are done."""
    with connections.connect(copy, isolation_level="AUTOCOMMIT") as connection:
        # New labels are committed by themselves. If the rest fails, only they are there, which the next run leaves out.
        steps = sorted(content.more, key=lambda step: not step.autocommit)
        first = _in_order(connection, [step for step in steps if step.first])
        keys = autogenerate.keys_of_partitions(connection)
    later = [replace(step, first=False) for step in content.more if step not in first]

    def add(script: MigrationScript) -> None:
        assert script.upgrade_ops
        plugins.leave_out_own_rights(script.upgrade_ops, str(copy.database_url.username))
        alike.leave_out(script.upgrade_ops, content.changed)
        fill.into(script.upgrade_ops, content.fills)
        operations.leave_out_keys(script.upgrade_ops, keys)
        operations.add(script, [*first, *later], content.dropped)

    schemas = [key[1] for key in content.dropped if len(key) > (3 if key[0] == "column" else 2)]
    with plugins.explained(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Alembic cannot write: the comparison names it
        of = Compared(schemas, alike.has_default(content.changed))
        return alembic_commands.new_revision(copy, content.message, content.new, add, compared=of)


def _in_order(connection: Connection, steps: Sequence[ModelStep]) -> list[ModelStep]:
    """Run the steps, and return them in an order in which they run. One may need another, or what comes later."""
    waiting, done = list(steps), list[ModelStep]()
    while ready := [step for step in waiting if _runs(connection, step)]:
        done += ready
        waiting = [step for step in waiting if step not in ready]
    return done


def _runs(connection: Connection, step: ModelStep) -> bool:
    around = ("", "", "") if step.autocommit else ("BEGIN", "COMMIT", "ROLLBACK")
    begin, commit, undo = map(Sql, around)
    try:
        for statement in filter(None, (begin, *step.up, commit)):
            sql.run(connection, statement)
    except DBAPIError:
        if undo:
            sql.run(connection, undo)
        return False
    return True


def _proven(server: Scratch, head: str, file: UnprovenFile, start: ModelComparison, copy: Settings | None) -> Written:
    revisions = history.load()
    script = history.script(revisions, file.new.revision)
    migrated = copy or shadow.build(server, revisions, [head], partial=True)
    tried = rehearsal.run(server, revisions, [script.revision], script.revision, lambda: migrated)
    if tried.failure:
        raise _refused(file, tried.failure, "it does not run")
    [planned] = plan.planned([script], tried, table_sizes.unknown(server.administrator.limits))
    undone = tried.undone.get(script.revision)
    if undone and not (undone.failure or undone.differences):
        try:
            shadow.run(server, migrated, [script.revision], partial=True)
        except UserError as error:
            raise _refused(file, error, "it does not run after its downgrade") from error.__cause__
        found = compare.again(server, revisions, start, [script.revision], migrated)
    else:
        found = compare.compare(server, revisions, [script.revision], partial=True)
    file.require_unedited()
    return Written(found, file.path, planned, undone or Undone())


def _refused(file: UnprovenFile, error: UserError, why: str) -> UserError:
    """Return the error of a file that is kept, so that you can correct it."""
    file.keep()
    return error.with_state(
        f"{revision_files.shown(str(file.path))} was written, but {why}. Your database was not used."
    )
