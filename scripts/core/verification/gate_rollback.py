"""Rollback: a downgrade restores the schema and the rows of the start, and another upgrade gives the same result."""

from collections.abc import Sequence

from scripts.core import messages
from scripts.core.child_process import Deadline
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.steps import OnStep, Step
from scripts.core.plan.trace import Statement
from scripts.core.postgres import connections, extensions, trial
from scripts.core.rows import content_hash
from scripts.core.rows.content_hash import Table
from scripts.core.schema import compare, fingerprint
from scripts.core.schema.catalog_snapshot import Column, Relation
from scripts.core.schema.catalogs import unknown
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings
from scripts.core.verification import table_comparison
from scripts.core.verification.context import FAILED, PASSED, WARNED, Case, Outcome, as_administrator

ID, NAME, NEEDS = "rollback", "rollback", ("migrated",)
UNEXPLAINED = "for an unknown reason"


def check(case: Case) -> Outcome:
    """Undo what was applied, compare with the start, and apply it again."""
    assert case.migrated
    assert case.schema
    assert case.migrated_schema
    if not case.pending:
        return Outcome("nothing is pending, so there is nothing to undo")
    faults, losses = list[str](), list[str]()
    refusal = _move(case, case.migrated, down=True)
    if not refusal:
        faults, losses = _differences("After the downgrade", case.schema, case, case.migrated), _losses(case)
        refusal = _move(case, case.migrated, down=False)
    if refusal:
        return refusal
    faults += _differences("After the second upgrade", case.migrated_schema, case, case.migrated)
    if faults or any(line.endswith(UNEXPLAINED) for line in losses):
        return Outcome("downgrade and upgrade do not give the same result", [*faults, *losses], FAILED)
    if losses:
        return Outcome("the downgrade restores the schema, but not all data", losses, WARNED)
    sampled = [was.table.name for was in case.rows.values() if was.ranges]
    where = f"; only a part of {', '.join(sampled)} was compared" if sampled else ""
    named = [unknown.report(one) for one in dict.fromkeys([*case.schema.unknown, *case.migrated_schema.unknown])]
    return Outcome(f"after downgrade and upgrade: the same schema and the same rows{where}", named, PASSED)


def _move(case: Case, copy: Settings, *, down: bool) -> Outcome | None:
    """Run the downgrade or the upgrade. Return the outcome if it stops, else None."""
    limits = case.target.limits
    why = "It sleeps, loops or waits, or takes longer than the upgrade may."
    wanted = [one.revision for one in reversed(case.pending)] if down else case.wanted
    done: list[Step] = []

    def on_step(step: Step) -> None:
        done.append(step)
        messages.progress(len(done), len(case.pending), f"revisions {'down' if down else 'up'}")

    try:
        trial.run(
            *(case.server, copy, downgrade if down else upgrade, wanted),
            deadline=Deadline(limits.max_seconds, why, "MAX_SECONDS"),
            statement_timeout=limits.statement_timeout,
            on_step=on_step,
        )
    except UserError as error:
        if isinstance(error.__cause__, NotImplementedError):
            return Outcome("declared irreversible: only a restore undoes it", [error.problem], WARNED)
        if extensions.refused(error.__cause__, "DROP EXTENSION"):
            return Outcome("cannot be undone: it drops an extension that another role owns", [error.problem], WARNED)
        way = "The downgrade" if down else "The second upgrade"
        return Outcome(f"{way} fails: {error.problem}", [fact for name, fact in error.facts if name == "Why"], FAILED)
    return None


def downgrade(copy: Settings, revisions: Sequence[str], *, on_step: OnStep) -> None:
    """Undo exactly these revisions, in the child."""
    with messages.sent_to(messages.nowhere):
        alembic_commands.undo(copy, revisions, on_step)


def upgrade(copy: Settings, wanted: str, *, on_step: OnStep) -> None:
    """Apply everything up to `wanted`, in the child."""
    with messages.sent_to(messages.nowhere):
        alembic_commands.upgrade(copy, wanted, on_step)


def _differences(when: str, expected: Schema, case: Case, copy: Settings) -> list[str]:
    with connections.connect(as_administrator(case, copy)) as connection:
        found = compare.between(expected, fingerprint.read(connection))
    return [f"{when}: {one}" for one in found if not one.harmless]


def _losses(case: Case) -> list[str]:
    """Return columns whose contents differ from the start, by name, because a recreated column has a new number."""
    assert case.pristine
    assert case.migrated
    migrated = as_administrator(case, case.migrated)
    with connections.cancellable(case.pristine) as before, connections.cancellable(migrated) as after:
        content_hash.pin(before)
        content_hash.pin(after)
        now = {table.name: table for table in content_hash.tables(after).values()}
        losses = []
        for was in case.rows.values():
            name = was.table.name
            if name not in now:
                continue
            numbers = {column.name: number for number, column in now[name].columns.items()}
            there = {number: numbers[one.name] for number, one in was.table.columns.items() if one.name in numbers}
            found = table_comparison.compare(was, now[name], there, before, after)
            changed = [was.table.columns[number].name for number in found.changed]
            if changed or was.rows != found.rows:
                losses.append(_words(case, was.table, was.rows, found.rows, changed))
    return losses


def _words(case: Case, table: Table, was: int, now: int, columns: Sequence[str]) -> str:
    names = _names(case, table)
    culprits = [one.revision for one in case.pending if _touches(case, one.revision, names, columns)]
    count = f"{counted(was, 'row')} before, {now:,} after" if was != now else f"other contents in {', '.join(columns)}"
    return f"{table.name}: {count}; " + (f"lost by {', '.join(culprits)}" if culprits else f"lost {UNEXPLAINED}")


def _names(case: Case, table: Table) -> set[str]:
    """Return the names of the table while the revisions ran."""
    seen = [*case.trace.before.values(), *case.trace.after.values()]
    return {table.name} | {one.relations[table.number].name for one in seen if table.number in one.relations}


def _touches(case: Case, revision: str, names: set[str], columns: Sequence[str]) -> bool:
    """Return whether the revision wrote, emptied or dropped the table, or changed one of the columns."""
    return any(
        names & statement.rows_written.keys() or _destroys(statement, names, columns)
        for statement in case.trace.statements
        if statement.revision == revision
    )


def _destroys(statement: Statement, names: set[str], columns: Sequence[str]) -> bool:
    changes = [change for change in statement.changes if change.relation and change.relation.name in names]
    changed = [change.before for change in changes if isinstance(change.before, Column)]
    is_dropped = any(isinstance(change.before, Relation) and change.after is None for change in changes)
    is_emptied = not names.isdisjoint(statement.rewrites) and not changed
    return is_dropped or is_emptied or any(column.name in columns for column in changed)
