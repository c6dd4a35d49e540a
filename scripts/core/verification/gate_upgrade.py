"""The upgrade: each revision runs on the real rows and is traced. Hazards with real sizes and the budgets decide."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, text

from scripts.core import child_process, messages, overrides, redaction
from scripts.core.child_process import Deadline
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.migrate.steps import Step
from scripts.core.plan import plan, rehearsal
from scripts.core.plan.trace import Trace
from scripts.core.postgres import connections, scratch_room, trial
from scripts.core.revisions import sources
from scripts.core.schema import fingerprint
from scripts.core.settings import Settings
from scripts.core.verification import failing_rows, lock_durations
from scripts.core.verification.context import FAILED, WARNED, Case, Outcome, Timed, as_administrator, clone, refused
from scripts.core.verification.failing_rows import Clue

ID, NAME, NEEDS = "upgrade", "upgrade", ("schema",)

_MEASURE = text("SELECT pg_database_size(current_database()) AS size, pg_current_wal_insert_lsn() - '0/0' AS wal")


@dataclass
class Applied:
    """What happened to the pending revisions on the copy."""

    trace: Trace = field(default_factory=lambda: Trace(peak=0))
    timed: list[Timed] = field(default_factory=list)
    failure: Outcome | None = None
    """Why the upgrade failed."""
    clue: Clue | None = None
    """What PostgreSQL's error says about that."""


def check(case: Case) -> Outcome:
    """Apply the pending revisions to a copy."""
    assert case.pristine
    copy = clone(case, case.pristine)
    failure = _apply(case, copy)
    if failure:
        return failure
    with connections.connect(as_administrator(case, copy)) as connection:
        case.migrated_schema = fingerprint.read(connection)
    case.migrated = copy
    return _judge(case)


def _apply(case: Case, copy: Settings) -> Outcome | None:
    limits = case.target.limits
    why = "With these rows it takes longer, or it sleeps, loops or waits."
    applied = trial.run(
        *(case.server, copy, apply, case.wanted, _files(case)),
        deadline=Deadline(limits.max_seconds, why, "MAX_SECONDS"),
        statement_timeout=limits.statement_timeout,
        partial=partial(_take, case),
    )
    _take(case, applied)
    if applied.failure:
        failed = [one.revision for one in case.pending[len(case.timed) :]]
        details = failing_rows.describe(case.server, copy, applied.clue, failed[0]) if failed else []
        return replace(applied.failure, details=[*applied.failure.details, *details])
    return None


def apply(copy: Settings, wanted: str, files: Mapping[str, str]) -> Applied:
    """Apply the revisions up to `wanted` in the child. `files` are their texts."""
    applied = Applied()
    with rehearsal.observed(copy) as observer:
        _apply_observed(copy, wanted, len(files), observer, applied)
    return applied


def _apply_observed(copy: Settings, wanted: str, pending: int, observer: Connection, applied: Applied) -> None:
    trace, measured, looked = applied.trace, [_measure(observer)], [0.0]

    def on_step(step: Step) -> None:
        measured.append(_measure(observer))
        (size, wal), (size_before, wal_before) = measured[-1], measured[-2]
        seconds = max(0.0, step.seconds - (trace.looking - looked[0]))
        looked[0] = trace.looking
        applied.timed.append(Timed(step.revision, seconds, size - size_before, wal - wal_before))
        messages.progress(len(applied.timed), pending, "revisions")

    trace.peak = measured[0][0]
    try:
        if pending:
            rehearsal.upgrade(copy, wanted, on_step, trace, rehearsal.tracing(observer, trace))
        trace.peak -= measured[0][0]
    except UserError as error:
        applied.failure, applied.clue = _failure(error), failing_rows.clue(error.__cause__)
    except KeyboardInterrupt as error:
        # An interrupted parent wants the results so far. Otherwise a revision was interrupted by itself.
        applied.failure = Outcome(child_process.interrupted(error), (), FAILED)


def _failure(error: UserError) -> Outcome:
    explained = scratch_room.explained(error)
    names = ("Why", "Do") if explained is not error else ("Why",)
    return Outcome(error.problem, [f"{name}: {fact}" for name, fact in explained.facts if name in names], FAILED)


def _take(case: Case, applied: Applied) -> None:
    """Leave the results for the report, also those of an interrupted migration."""
    case.trace, case.timed = applied.trace, applied.timed
    files = _files(case)
    for statement in case.trace.statements:
        statement.sql = redaction.statement(statement.sql, files[statement.revision])
    ran = {statement.revision for statement in case.trace.statements} | {timed.revision for timed in case.timed}
    assert case.weights
    done = [one for one in case.pending if one.revision in ran]
    case.planned = plan.planned(done, _rehearsal(case), case.weights)


def _files(case: Case) -> dict[str, str]:
    """Return the text of each pending revision."""
    return {one.revision: sources.text(Path(one.path)) for one in case.pending}


def _judge(case: Case) -> Outcome:
    """Return the outcome by the budgets and the hazards. Hazards that the user accepts are listed."""
    total = sum(timed.seconds for timed in case.timed)
    longest = lock_durations.longest(case)
    summary = f"{counted(len(case.timed), 'revision')} in {total:.2f} s" if case.pending else "nothing is pending"
    if longest:
        summary += f"; {longest.relation} blocked for {longest.seconds * 1000:.0f} ms"
    found = [one for revision in case.planned for one in revision.findings if one.severity == "block"]
    open_ = [one for one in found if not one.silenced]
    details = [
        f"{one.id} {one.relation}: {one.message}" + (f" ({one.silenced})" if one.silenced else "") for one in found
    ]
    limit = case.target.limits.max_block
    if longest and longest.seconds > limit:
        over = f"Over budget: MAX_BLOCK_MS is {limit * 1000:g}, but {longest.text} for {longest.seconds * 1000:.0f} ms."
        outcome = refused("budget", Outcome(summary, [over, *details]))
        if outcome.status == FAILED:
            return outcome
        details = list(outcome.details)
    refusals = sorted({one.id for one in open_ if not overrides.accepted(one.id)})
    if refusals:
        return Outcome(
            f"{summary}; stopped by {', '.join(refusals)}",
            [*details, f"Write the revision the safe way. Override with ACCEPT={','.join(refusals)}."],
            FAILED,
        )
    return Outcome(summary, details, WARNED if details else "passed")


def _rehearsal(case: Case) -> rehearsal.Rehearsal:
    return rehearsal.Rehearsal(case.trace)


def _measure(observer: Connection) -> tuple[int, int]:
    row = observer.execute(_MEASURE).one()
    return int(row.size), int(row.wal)
