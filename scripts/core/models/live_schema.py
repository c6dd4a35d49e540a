"""The schema of the target against the revision files: is it that of one revision, or which one is nearest?

Owners, grants, the order of columns, and names of constraints and indexes do not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from scripts.core import messages
from scripts.core.errors import UserError
from scripts.core.models import included, revision_schemas
from scripts.core.models.revision_schemas import Known
from scripts.core.plan import shadow
from scripts.core.postgres import schema_copy, scratch, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import naming
from scripts.core.revisions.history import History
from scripts.core.schema import compare
from scripts.core.schema.compare import Difference
from scripts.core.settings import Settings

SHOWN = 20
"""Differences that are shown of many."""


@dataclass(frozen=True)
class Nearest:
    revisions: list[str]
    """The revisions with the fewest differences, newest first. All of them have the same schema."""
    differences: list[Difference] = field(default_factory=list)
    """What the database has in another form than they have. Nothing: their schema is its schema."""
    not_compared: dict[str, str] = field(default_factory=dict)
    """Revisions that cannot run on an empty database, and why. Those after them are not compared either."""
    unfinished: list[str] = field(default_factory=list)
    """Revisions that ended early there, because they need rows or an extension. What follows there is not known."""


def differences(settings: Settings, revisions: History, wanted: str) -> list[Difference]:
    """Return what the target has in another form than `wanted`. The target is only read.

    Raise UserError if the schema there cannot be built from the revision files, or the target's not be copied.
    """
    naming.fetch()  # once, before the child that runs the revisions is forked
    with scratch.session(settings) as server:
        return _differences(server, revisions, wanted, schema_copy.schema(server, settings))


def nearest(settings: Settings, revisions: History) -> Nearest:
    """Return the revision whose schema the target has, or the nearest one. The target is only read.

    Raise UserError as `differences` does.
    """
    naming.fetch()  # once, before the child that runs the revisions is forked
    with scratch.session(settings) as server:
        copy = schema_copy.schema(server, settings)
        empty, live = (_hashed(server, one) for one in (shadow.build(server, revisions, []), copy))
        known = revision_schemas.read(server, revisions)
        if live == empty:
            raise UserError("The database has no tables, so no revision is applied.", do="make migrate")
        out = _left_out(server, copy, list(live))
        live = {name: value for name, value in live.items() if name not in out}
        found = _fewest(revisions, known, live)
        is_same = bool(found) and known.schemas[found[0]] == live
        left = _differences(server, revisions, found[0], copy) if found and not is_same else []
    return Nearest(found, left, known.missing, known.unfinished)


def _hashed(server: Scratch, made: Settings) -> revision_schemas.Hashes:
    return revision_schemas.hashed(compare.read(scratch.as_administrator(server, made)))


def _fewest(revisions: History, known: Known, live: revision_schemas.Hashes) -> list[str]:
    """Return the nearest revision, and those with the same schema as it has, newest first."""
    distance = {revision: number for number, revision in revision_schemas.distances(known, live)}
    if not distance:
        return []
    fewest = min(distance.values())
    near = [one.revision for one in revisions.walk_revisions() if distance.get(one.revision) == fewest]
    return [one for one in near if known.schemas[one] == known.schemas[near[0]]]


def _differences(server: Scratch, revisions: History, wanted: str, copy: Settings) -> list[Difference]:
    built = shadow.build(server, revisions, [wanted], partial=True)
    expected, live = (scratch.as_administrator(server, one) for one in (built, copy))
    found, _ = compare.renamed(compare.compare(server, expected, live))
    found = [one for one in found if one.kind == "structure" and not one.name.startswith("extension ")]
    out = _left_out(server, copy, [one.name for one in found])
    return [one for one in found if one.name not in out]


def _left_out(server: Scratch, copy: Settings, names: Sequence[str]) -> set[str]:
    """Return the names that the application's filters leave out; nothing if the application cannot be imported."""
    try:
        found: set[str] = trial.run(server, copy, included.left_out, names)
    except UserError as error:
        messages.send(f"The filters of the application are not used: {error.problem}")
        return set()
    return found


def explained(error: UserError, wanted: str) -> UserError:
    """Return the error for a revision that cannot be compared."""
    return UserError(
        f"The schema of {wanted} cannot be compared with that of the database: {error.problem}",
        why="The revision files run on an empty database for that. One that needs rows cannot run there.",
        do="compare them by hand. Override with ACCEPT=stamp.",
    )


def listing(found: Sequence[Difference]) -> str:
    """Return the differences as indented lines, the first ones of many."""
    more = [f"\n    … and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "".join([*(f"\n    {one}" for one in found[:SHOWN]), *more])
