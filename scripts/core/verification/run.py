"""Run all gates, one after the other."""

import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

from sqlalchemy.exc import DBAPIError

from scripts.core import overrides
from scripts.core.errors import UserError
from scripts.core.postgres import connections, scratch_room
from scripts.core.verification import (
    gate_before,
    gate_data,
    gate_drift,
    gate_estimate,
    gate_restore,
    gate_rollback,
    gate_smoke,
    gate_source,
    gate_upgrade,
)
from scripts.core.verification.context import FAILED, INTERRUPTED, NOT_RUN, RANK, SKIPPED, WARNED, Case, Outcome, Result

ALL: tuple[ModuleType, ...] = (
    gate_source,
    gate_restore,
    gate_before,
    gate_upgrade,
    gate_drift,
    gate_data,
    gate_smoke,
    gate_rollback,
    gate_estimate,
)
"""The gates, in the order in which they run."""
OnResult = Callable[[Result], None]


def run(case: Case, on_result: OnResult, gates: Sequence[ModuleType] = ALL) -> list[Result]:
    """Return each gate's result. A gate is not run if it needs the result of a failed gate.

    Nothing is raised except our own bugs. An interruption is the result of the gate that it ends.
    """
    results: list[Result] = []
    for gate in gates:
        result = _interrupted(gate) if any(one.status == INTERRUPTED for one in results) else _result(case, gate)
        results.append(result)
        on_result(result)
    return results


def verdict(results: list[Result]) -> tuple[str, str]:
    """Return the worst status, and the reason for it."""
    worst = max(results, key=lambda result: RANK.index(result.status))
    if worst.status in (FAILED, INTERRUPTED):
        first = next(result for result in results if result.status == worst.status)
        return first.status, f"{first.name}: {first.summary}"
    notable = [result for result in results if result.status in (WARNED, SKIPPED, NOT_RUN)]
    if notable:
        return WARNED, "; ".join(f"{result.name}: {result.summary}" for result in notable)
    return "passed", "every gate has passed"


def _result(case: Case, gate: ModuleType) -> Result:
    started = time.monotonic()
    outcome = next(_missing(case, gate), None) or _check(case, gate)
    seconds = time.monotonic() - started
    return Result(gate.ID, gate.NAME, outcome.status, seconds, outcome.summary, list(outcome.details))


def _missing(case: Case, gate: ModuleType) -> Iterator[Outcome]:
    if case.server.server.invalidated:
        yield Outcome("the scratch server has stopped", (), NOT_RUN)
    for name in gate.NEEDS:
        if getattr(case, name) is None:
            yield Outcome("an earlier gate failed", (), NOT_RUN)
    if gate.NEEDS == ("migrated",) and overrides.accepted(gate.ID):
        yield Outcome(f"skipped by ACCEPT={gate.ID}", (), SKIPPED)


def _check(case: Case, gate: ModuleType) -> Outcome:
    try:
        outcome: Outcome = gate.check(case)
    except UserError as error:
        facts = [f"{name}: {fact}" for name, fact in error.facts if name != "State"]
        return Outcome(error.problem, facts, FAILED)
    except DBAPIError as error:
        explained = scratch_room.explained(UserError(f"PostgreSQL: {connections.first_line(error)}"))
        return Outcome(
            explained.problem, [f"{name}: {fact}" for name, fact in explained.facts if name != "State"], FAILED
        )
    except KeyboardInterrupt:
        return Outcome("interrupted here", (), INTERRUPTED)
    return outcome


def _interrupted(gate: ModuleType) -> Result:
    return Result(gate.ID, gate.NAME, NOT_RUN, 0.0, "interrupted before this gate")
