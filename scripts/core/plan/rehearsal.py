"""Revisions on a throwaway database: the upgrade is traced, and the schema after the downgrade is compared."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from scripts.core import messages
from scripts.core.errors import UserError
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.steps import OnStep, Tracer
from scripts.core.plan import trace
from scripts.core.plan.findings import Undone
from scripts.core.plan.trace import Trace
from scripts.core.postgres import connections, driver, extensions, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import checksum, history
from scripts.core.schema import compare, fingerprint
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings


@dataclass
class Rehearsal:
    trace: Trace = field(default_factory=Trace)
    failure: UserError | None = None
    """Why the last traced revision failed."""
    undone: dict[str, Undone] = field(default_factory=dict)
    """The result of each downgrade that was run."""


def run(server: Scratch, copy: Settings, pending: Sequence[str], wanted: str) -> Rehearsal:
    """Upgrade the copy to `wanted`, and undo that again if the copy is at one revision or none."""
    return trial.run(server, copy, up_and_down, pending, wanted)


def undo(server: Scratch, copy: Settings, wanted: str) -> Trace:
    """Undo everything after `wanted` on the copy. Raise UserError if that fails."""
    return trial.run(server, copy, down, wanted)


def up_and_down(copy: Settings, pending: Sequence[str], wanted: str) -> Rehearsal:
    """Do the work of `run` in the child."""
    rehearsal = Rehearsal()
    with connections.connect(copy) as connection:
        at, schemas = history.current(connection), [fingerprint.read(connection)]
    try:
        upgrade(copy, wanted, lambda _step: schemas.append(_read(copy)), rehearsal.trace)
    except UserError as error:
        rehearsal.failure = trial.failed(error)
    if not rehearsal.failure and len(at) < 2:
        _undo(copy, pending, at[0] if at else "base", schemas, rehearsal)
    return rehearsal


def down(copy: Settings, wanted: str) -> Trace:
    """Do the work of `undo` in the child."""
    found = Trace()
    with _observer(copy) as observer:
        alembic_commands.traced_downgrade(copy, wanted, _tracer(observer, found))
    return found


def upgrade(copy: Settings, wanted: str, on_step: OnStep, into: Trace) -> None:
    """Upgrade the copy to `wanted`, and add each statement to the trace. Raise UserError if a revision fails."""

    def opened() -> None:
        place = checksum.running()
        into.sessions += [place] if place else []

    with _observer(copy) as observer, driver.noticing(opened):
        alembic_commands.traced(
            copy,
            wanted,
            on_step,
            _tracer(observer, into),
        )


def _tracer(observer: Connection, into: Trace) -> Tracer:
    return lambda connection, revision, commits: trace.attach(connection, observer, revision, commits, into)


@contextmanager
def _observer(copy: Settings) -> Iterator[Connection]:
    """Yield another session on the copy, which observes it."""
    with connections.connect(copy, application_name="alembic-trace", isolation_level="AUTOCOMMIT") as observer:
        yield observer


def _undo(copy: Settings, pending: Sequence[str], start: str, schemas: list[Schema], rehearsal: Rehearsal) -> None:
    """Undo the revisions one by one. `schemas` has the schema at the start, then that after each revision."""
    newest_first = list(reversed(list(zip(pending, schemas[:-1], strict=True))))

    def check() -> None:
        revision, expected = newest_first[len(rehearsal.undone)]
        found = compare.between(expected, _read(copy))
        rehearsal.undone[revision] = Undone(differences=[str(one) for one in found if not one.harmless])

    try:
        with messages.sent_to(messages.nowhere):
            alembic_commands.downgrade(copy, start, [], lambda _step: check())
    except UserError as error:
        revision, _ = newest_first[len(rehearsal.undone)]
        not_ours = extensions.refused(error.__cause__, "DROP EXTENSION")
        rehearsal.undone[revision] = Undone(failure=error.problem, is_of_another_owner=not_ours)


def _read(copy: Settings) -> Schema:
    with connections.connect(copy) as connection:
        return fingerprint.read(connection)
