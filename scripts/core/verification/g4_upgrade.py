"""The upgrade, one revision at a time on the real rows, traced; hazards with real sizes, and the budgets."""

from pathlib import Path

from sqlalchemy import text

from scripts.core import gates, plan, postgres, rehearsal, schema, scratch, settings
from scripts.core.errors import UserError
from scripts.core.reports.words import counted
from scripts.core.settings import Settings
from scripts.core.steps import Step
from scripts.core.verification import blocking, literals, offenders
from scripts.core.verification.case import FAILED, WARNED, Case, Outcome, Timed, as_administrator, clone, refused

ID, NAME, NEEDS = "upgrade", "upgrade", ("schema",)

_MEASURE = text("SELECT pg_database_size(current_database()) AS size, pg_current_wal_insert_lsn() - '0/0' AS wal")


def check(case: Case) -> Outcome:
    """Applies what is pending to a copy."""
    assert case.pristine
    copy = clone(case, case.pristine)
    try:
        failure = _apply(case, copy)
    finally:
        files = _tell(case)
    if failure:
        why = [
            literals.masked(f"{name}: {fact}", "".join(files.values())) for name, fact in failure.facts if name == "Why"
        ]
        problem = literals.without_value(failure.problem, failure.__cause__)
        clue, failed = offenders.clue(failure.__cause__), [one.revision for one in case.pending[len(case.timed) :]]
        told = offenders.describe(case.server, copy, clue, failed[0], case.tell) if failed else []
        return Outcome(problem, [*why, *told], FAILED)
    with postgres.connect(as_administrator(case, copy)) as connection:
        case.migrated_schema = schema.read(connection)
    case.migrated = copy
    return _judge(case)


def _tell(case: Case) -> dict[str, str]:
    """Leaves what ran for the report, also of a migration that was interrupted; returns the revisions' files."""
    files = {one.revision: Path(one.path).read_text(encoding="utf-8") for one in case.pending}
    for statement in case.trace.statements:
        statement.sql = literals.masked(statement.sql, files[statement.revision])
    ran = {statement.revision for statement in case.trace.statements} | {timed.revision for timed in case.timed}
    case.planned = [plan.planned(one, _rehearsal(case), case.weights) for one in case.pending if one.revision in ran]
    return files


def _apply(case: Case, copy: Settings) -> UserError | None:
    """Why it did not come to its end."""
    limits = settings.limits()
    measured = [_measure(copy)]
    looked = [0.0]

    def on_step(step: Step) -> None:
        measured.append(_measure(copy))
        (size, wal), (size_before, wal_before) = measured[-1], measured[-2]
        seconds = max(0.0, step.seconds - (case.trace.looking - looked[0]))
        looked[0] = case.trace.looking
        case.timed.append(Timed(step.revision, seconds, size - size_before, wal - wal_before))
        case.show(len(case.timed), len(case.pending), "revisions")

    case.trace.peak = measured[0][0]
    why = "With these rows they take longer, or they sleep, loop or wait."
    with rehearsal.in_time(limits.max_seconds, why, "MAX_SECONDS"), scratch.only(copy, limits.statement_timeout):
        try:
            if case.pending:
                rehearsal.upgrade(copy, case.wanted, on_step, case.tell, case.trace)
        except UserError as error:
            return error
    case.trace.peak -= measured[0][0]
    return None


def _judge(case: Case) -> Outcome:
    """By the budgets and the hazards; those that the user accepts are told."""
    total = sum(timed.seconds for timed in case.timed)
    longest = blocking.longest(case)
    summary = f"{counted(len(case.timed), 'revision')} in {total:.2f} s" if case.pending else "nothing is pending"
    if longest:
        summary += f"; {longest.relation} blocked for {longest.seconds * 1000:.0f} ms"
    found = [one for revision in case.planned for one in revision.findings if one.severity == "block"]
    open_ = [one for one in found if not one.silenced]
    told = [f"{one.id} {one.relation}: {one.message}" + (f" ({one.silenced})" if one.silenced else "") for one in found]
    limit = settings.limits().max_block
    if longest and longest.seconds > limit:
        over = f"Budget: MAX_BLOCK_MS is {limit * 1000:g}, and {longest.text} for {longest.seconds * 1000:.0f} ms."
        outcome = refused("budget", Outcome(summary, [over, *told]))
        if outcome.status == FAILED:
            return outcome
        told = list(outcome.details)
    refusals = sorted({one.id for one in open_ if not gates.accepted(one.id)})
    if refusals:
        return Outcome(
            f"{summary}; stopped by {', '.join(refusals)}",
            [*told, f"Write it the safe way; or, knowing it: ACCEPT={','.join(refusals)}"],
            FAILED,
        )
    return Outcome(summary, told, WARNED if told else "passed")


def _rehearsal(case: Case) -> rehearsal.Rehearsal:
    return rehearsal.Rehearsal(case.trace)


def _measure(copy: Settings) -> tuple[int, int]:
    with postgres.connect(copy) as connection:
        row = connection.execute(_MEASURE).one()
        return int(row.size), int(row.wal)
