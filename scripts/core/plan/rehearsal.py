"""Revisions on a throwaway database: the upgrade is traced, and the schema after the downgrade is compared."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from scripts.core import child_process, messages
from scripts.core.errors import UserError
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.steps import Commits, Excuse, OnStep, Step, Tracer
from scripts.core.plan import empty_copy, missing_extensions, missing_objects, statement_watch
from scripts.core.plan.empty_copy import EmptyCopy, Make
from scripts.core.plan.findings import Undone
from scripts.core.plan.trace import Trace
from scripts.core.postgres import connections, driver, extensions, session_timeouts, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import checksum, sources
from scripts.core.revisions.history import History
from scripts.core.schema import compare, repeated_reading
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings

FOR_SUPERUSERS = (
    "Only a superuser may create the extension {name}; the scratch server's has done it here. If your role is none:"
    " have a superuser create it first, and write CREATE EXTENSION IF NOT EXISTS in the file."
)


@dataclass
class Rehearsal:
    trace: Trace = field(default_factory=Trace)
    failure: UserError | None = None
    """Why the last traced revision failed."""
    undone: dict[str, Undone] = field(default_factory=dict)
    """The result of each downgrade that was run."""
    empty: EmptyCopy = field(default_factory=EmptyCopy)
    """What was not tried, because the copy has no rows."""


def run(
    server: Scratch, revisions: History, pending: Sequence[str], wanted: str, copy: Callable[[], Settings]
) -> Rehearsal:
    """Upgrade a new `copy` to `wanted`, and undo that again.

    A revision that ends early cannot be undone. Those before it are then undone on another copy.
    """
    lacks = EmptyCopy(missing_extensions.elsewhere(server), missing_extensions.lacking(server, revisions))
    made = copy()
    tried = trial.run(server, made, up_and_down, pending, wanted, lacks, make=missing_objects.maker(server, made))
    for name in tried.empty.for_superusers:
        messages.send(FOR_SUPERUSERS.format(name=name))
    earlier = pending[: pending.index(tried.empty.unfinished[0])] if tried.empty.unfinished else ()
    if earlier:
        with messages.sent_to(messages.nowhere):
            made = copy()
            make = missing_objects.maker(server, made)
            again = trial.run(server, made, up_and_down, earlier, earlier[-1], lacks, make=make)
        tried.undone |= again.undone
    return tried


def undo(server: Scratch, copy: Settings, wanted: str) -> Trace:
    """Undo everything after `wanted` on the copy. Raise UserError if that fails."""
    return trial.run(server, copy, down, wanted)


def up_and_down(
    copy: Settings,
    pending: Sequence[str],
    wanted: str,
    lacks: EmptyCopy | None = None,
    make: Make = empty_copy.nowhere,
) -> Rehearsal:
    """Do the work of `run` in the child. `lacks`: what is known of the copy before."""
    rehearsal, done = Rehearsal(empty=lacks or EmptyCopy()), list[tuple[str, Schema]]()
    with observed(copy) as observer:
        schemas = [_read(observer)]

        def on_step(step: Step) -> None:
            done.append((step.revision, schemas[-1]))
            if len(done) < len(pending):
                schemas.append(_read(observer))

        try:
            tracer = tracing(observer, rehearsal.trace, empty_copy.tracer(make, rehearsal.empty))
            upgrade(copy, wanted, on_step, rehearsal.trace, tracer)
        except UserError as error:
            rehearsal.failure = trial.failed(error)
        if rehearsal.empty.unfinished:
            _leave_out(rehearsal, pending[len(done) :])
        if not rehearsal.failure:
            _undo(copy, _undoable(done, rehearsal.empty)[::-1], observer, rehearsal)
    return rehearsal


def down(copy: Settings, wanted: str) -> Trace:
    """Do the work of `undo` in the child."""
    found = Trace()
    with observed(copy) as observer:
        alembic_commands.traced_downgrade(copy, wanted, lambda _step: None, tracing(observer, found))
    return found


def _leave_out(rehearsal: Rehearsal, revisions: Sequence[str]) -> None:
    """Note the revisions that failed or were not reached after one that ended early, and forget the failure."""
    first = rehearsal.empty.unfinished[0]
    if rehearsal.failure:
        problem = rehearsal.failure.problem.rstrip(".")
        text = f"It failed, and {first} was not finished: {problem}."
        rehearsal.empty.leave_out(revisions[0], 1, text, rehearsal.empty.needs)
    for revision in revisions[1:]:
        text = f"It was not tried, because {first} was not finished."
        rehearsal.empty.leave_out(revision, 1, text, rehearsal.empty.needs)
    rehearsal.failure = None


def upgrade(copy: Settings, wanted: str, on_step: OnStep, into: Trace, tracer: Tracer) -> None:
    """Upgrade the copy to `wanted`, and add each statement to the trace. Raise UserError if a revision fails.

    `tracer` is from `tracing`. Its observer is free while `on_step` runs.
    """

    def opened() -> None:
        place = checksum.running()
        into.sessions += [place] if place else []

    try:
        with driver.noticing(opened):
            alembic_commands.traced(copy, wanted, on_step, tracer)
    finally:
        into.read = sources.all_read()


def tracing(observer: Connection, into: Trace, also: Tracer | None = None) -> Tracer:
    """Return the tracer that adds each statement to the trace. `observer` is from `observed`."""

    def attach(connection: Connection, revision: Callable[[], str], commits: Commits) -> Excuse | None:
        statement_watch.attach(connection, observer, revision, commits, into)
        return also(connection, revision, commits) if also else None

    return attach


def _read(observer: Connection) -> Schema:
    with child_process.own_work():
        return repeated_reading.read(observer)


@contextmanager
def observed(copy: Settings) -> Iterator[Connection]:
    """Yield another session on the copy, in autocommit, which reads what the revisions do there."""
    with connections.connect(copy, application_name="alembic-trace", isolation_level="AUTOCOMMIT") as observer:
        session_timeouts.allow_idle(observer)
        yield observer


def _undoable(done: list[tuple[str, Schema]], empty: EmptyCopy) -> list[tuple[str, Schema]]:
    """Return the revisions after the last one that ended early."""
    unfinished = [number for number, (revision, _) in enumerate(done, start=1) if revision in empty.unfinished]
    return done[unfinished[-1] :] if unfinished else done


def _undo(copy: Settings, newest_first: list[tuple[str, Schema]], observer: Connection, rehearsal: Rehearsal) -> None:
    """Undo exactly these revisions, one by one. Each has the schema before it."""
    left, revisions = set[tuple[str, str | None]](), [revision for revision, _ in newest_first]
    if not revisions:
        return

    def check() -> None:
        revision, expected = newest_first[len(rehearsal.undone)]
        found = [one for one in compare.between(expected, _read(observer)) if not one.harmless]
        rehearsal.undone[revision] = Undone(differences=[one for one in found if (one.name, one.found) not in left])
        left.update((one.name, one.found) for one in found)

    try:
        with messages.sent_to(messages.nowhere):
            alembic_commands.undo(copy, revisions, lambda _step: check(), lambda *_: None)
    except UserError as error:
        revision = revisions[len(rehearsal.undone)]
        if rehearsal.empty.unfinished:
            first = rehearsal.empty.unfinished[0]
            rehearsal.empty.leave_out(
                revision, 1, f"Its downgrade failed, and {first} was not finished: {error.problem}"
            )
            return
        not_ours = extensions.refused(error.__cause__, "DROP EXTENSION")
        rehearsal.undone[revision] = Undone(failure=error.problem, is_of_another_owner=not_ours)
