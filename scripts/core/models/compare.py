"""Models against revision files: both are built, and their objects are compared field by field."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from scripts.core import application
from scripts.core.formatting import counted
from scripts.core.models import (
    accepted,
    comparable,
    defaults,
    included,
    model_database,
    plugins,
    without_extensions,
    wording,
)
from scripts.core.models.comparable import Read
from scripts.core.models.creation import Uncreated
from scripts.core.models.model_database import Sides
from scripts.core.plan import shadow
from scripts.core.postgres import connections, rights, scratch, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.postgres.sql import Sql
from scripts.core.revisions import history, unimported
from scripts.core.revisions.history import History
from scripts.core.revisions.last_comparison import Reads
from scripts.core.schema import compare as schemas
from scripts.core.schema.compare import Difference, Renaming
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings

EMPTY = Schema({}, {}, {})


@dataclass(frozen=True)
class ModelComparison:
    differences: list[Difference] = field(default_factory=list)
    """What the revision files lack or have in another form. The models' side is what is expected."""
    failures: list[Uncreated] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What else differs without a consequence: the order of labels, defaults that the models do not state."""

    renamed: list[Renaming] = field(default_factory=list)
    """What has another name and is otherwise equal."""
    of_plugins: list[str] = field(default_factory=list)
    """What plug-ins of Alembic would write: see `plugins.wanted`. Only `at_head` asks them."""
    accepted: list[str] = field(default_factory=list)
    """Differences that alembic/accepted_differences.txt lists."""
    not_compared: list[str] = field(default_factory=list)
    """Objects that need an extension which the scratch server lacks."""

    described: Schema = field(default=EMPTY, compare=False, repr=False)
    """What the models own, as they describe it."""
    made: Schema = field(default=EMPTY, compare=False, repr=False)
    """All that the revision files make."""
    reads: Reads = field(default=Reads(), compare=False, repr=False)
    described_defaults: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    made_defaults: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    """The default of each column of the models' tables, by the column's name in Schema."""
    sides: Sides | None = field(default=None, compare=False, repr=False)

    @property
    def lines(self) -> list[str]:
        """Return the failures, the differences and the wishes; nothing if models and revision files match."""
        return [*map(str, self.failures), *map(str, self.differences), *self.of_plugins]

    @property
    def exceptions(self) -> str:
        """Return what a sentence that says "match" leaves out, as its end; nothing if it leaves nothing out."""
        known = [f"{counted(len(self.accepted), 'difference')} in {accepted.FILE}"] if self.accepted else []
        known += (
            [f"{counted(len(self.not_compared), 'object')} that could not be compared"] if self.not_compared else []
        )
        return f", but for {' and '.join(known)}" if known else ""


def at_head(settings: Settings, revisions: History) -> ModelComparison:
    """Compare the models with all revision files. `settings` name the scratch server; their target is not used.

    Nothing differs if pyproject.toml says that there are no models.
    Raise UserError as `compare` does, or without a scratch server.
    """
    head = history.head(revisions)
    if not application.read().metadata:
        return ModelComparison()
    with unimported.imported(settings) as models, scratch.session(settings, rights.default(settings), models) as server:
        found = compare(server, revisions, [head], partial=True)
        start = shadow.build(server, revisions, [head], partial=True)
        return with_plugins(found, trial.run_models(server, start, plugins.wanted))


def with_plugins(found: ModelComparison, wanted: Sequence[str]) -> ModelComparison:
    """Return the comparison with what plug-ins of Alembic want."""
    known = accepted.read()
    return replace(
        found,
        of_plugins=[line for line in wanted if line not in known],
        accepted=[*found.accepted, *(line for line in wanted if line in known)],
    )


def compare(
    server: Scratch, revisions: History, at: Sequence[str], then: Sequence[Sql] = (), *, partial: bool = False
) -> ModelComparison:
    """Compare the objects that the models describe with those that the revision files make up to `at`.

    The statements `then` run after the files. `partial` is as for a shadow. Raise UserError if the models cannot be
    imported, or if a revision fails.
    """
    sides = model_database.build(server, revisions, at, then, partial=partial)
    return _compared(server, revisions, sides, partial=partial)


def again(
    server: Scratch, revisions: History, start: ModelComparison, at: Sequence[str], migrated: Settings
) -> ModelComparison:
    """Compare as `compare` does in part, after more revisions: `migrated` is a database at `at`, which this changes."""
    sides = start.sides and model_database.reread(server, start.sides, migrated)
    return _compared(server, revisions, sides, partial=True) if sides else compare(server, revisions, at, partial=True)


def _compared(server: Scratch, revisions: History, made: Sides, *, partial: bool) -> ModelComparison:
    expected, found = made.described, made.made
    failed = [*_failed(made)]
    differences, renamed, notes = _by_meaning(server, made)
    changed, unstated = defaults.compare(made.files, expected, found)
    missing = [Difference(name, "structure", "", None) for name in made.lacking]
    every = [*missing, *differences, *changed, *_undescribed(expected, found)]
    left = _of_others(every, failed)
    names = [*failed, *(one.name for one in left), *(one[0] for one in renamed)]
    out = trial.run_models(server, made.files(), included.left_out, names) if names and made.has_filters else set()
    left, renamed = [one for one in left if one.name not in out], [one for one in renamed if one[0] not in out]
    failures = [one for name, one in zip(failed, made.failures, strict=True) if name not in out]
    not_compared: list[str] = []
    if partial:
        failures, left, not_compared = without_extensions.leave_out(server, revisions, failures, left, expected.owned)
    notes += [f"{one.kind} {one.name} is a view in the revision files, so it is not compared" for one in made.views]
    known = accepted.read()
    lines = [*(one.line for one in failures), *(one.line for one in left), *unstated]
    return ModelComparison(
        differences=sorted((one for one in left if one.line not in known), key=lambda one: one.name),
        failures=[one for one in failures if one.line not in known],
        notes=[*map(schemas.only_named, renamed), *notes, *(one for one in unstated if one not in known)],
        renamed=renamed,
        accepted=[line for line in lines if line in known],
        not_compared=not_compared,
        described=expected.owned,
        made=found.schema,
        reads=made.reads,
        described_defaults={name: one.expression for name, one in expected.defaults.items()},
        made_defaults={name: one.expression for name, one in found.defaults.items()},
        sides=made,
    )


def _of_others(every: Sequence[Difference], failed: Sequence[str]) -> list[Difference]:
    """Return the differences that do not follow from another one, or from what failed."""
    whole = [*failed, *(one.name for one in every if one.expected is None or one.found is None)]
    return [
        one for one in every if not any(_is_of(one.name, name) for name in failed) and not _is_numbering(one, whole)
    ]


def _failed(made: Sides) -> Iterator[str]:
    """Yield the names of objects that could not be created, so that there is nothing to compare."""
    if not made.failures:
        return
    with connections.connect(made.models) as connection:
        names = comparable.names(connection, [one.owned for one in made.failures])
    for name, failure in zip(names, made.failures, strict=True):
        yield f"{name}, {failure.part}" if failure.part else name


def _is_numbering(one: Difference, whole: Sequence[str]) -> bool:
    """Return whether this is a sequence of a table or a column that is missing or not expected itself."""
    table, column = comparable.owner(one.expected or one.found or "")
    return one.name.startswith("sequence ") and bool({f"table {table}", f"table {table}, column {column}"} & {*whole})


def _is_of(name: str, whole: str) -> bool:
    return name == whole or name.startswith(f"{whole}, ")


def _by_meaning(server: Scratch, sides: Sides) -> tuple[list[Difference], list[Renaming], list[str]]:
    """Return the differences in more than spelling, what has another name only, and notes about the order of labels."""
    expected, found = sides.described, sides.made
    differences = [one for one in schemas.between(expected.owned, found.owned) if not _means_the_same(one)]
    changed = [one for one in differences if one.expected and one.found and not one.name.startswith("enum ")]
    if changed:
        restored = [schemas.restored(server, one).objects for one in (sides.models, sides.files())]
        same = {one.name for one in changed if wording.is_same(one.name, *(side.get(one.name) for side in restored))}
        differences = [one for one in differences if one.name not in same]
    left, renamed = schemas.renamed(differences, wording.plain)
    left, twice = _stated_twice(left, expected.owned)
    left, sequences = _renamed_sequences(left)
    enums = [one for one in left if one.name.startswith("enum ") and one.expected and one.found]
    reordered = [one for one in enums if _labels(one.expected) == _labels(one.found)]
    notes = [f"Only the order of labels differs: {one.name}" for one in reordered]
    notes += [f"{name}: the models state the same twice" for name in twice]
    return [one for one in left if one not in reordered], [*renamed, *sequences], notes


def _stated_twice(differences: list[Difference], expected: Schema) -> tuple[list[Difference], list[str]]:
    """Take away missing constraints and indexes that are there under another name. Return their names too."""
    missing = {one.name for one in differences if one.found is None}
    if not any(schemas.unnamed(one) for one in differences if one.found is None):
        return differences, []
    there = [
        Difference(name, "structure", definition, None)
        for name, definition in expected.objects.items()
        if name not in missing
    ]
    known = {schemas.unnamed(one, wording.plain) for one in there} - {None}
    twice = [one for one in differences if one.name in missing and schemas.unnamed(one, wording.plain) in known]
    return [one for one in differences if one not in twice], [one.name for one in twice]


def _means_the_same(difference: Difference) -> bool:
    both = difference.expected, difference.found
    return None not in both and wording.is_same(difference.name, *both)


def _labels(definition: str | None) -> list[str]:
    return sorted(re.findall(wording.LITERAL, definition or ""))


def _renamed_sequences(differences: list[Difference]) -> tuple[list[Difference], list[Renaming]]:
    """Take away pairs of sequences of one column that differ in their names only."""
    left, pairs = list(differences), list[Renaming]()
    for unexpected in (one for one in differences if one.name.startswith("sequence ") and one.expected is None):
        twin = next((one for one in left if one.found is None and one.expected == unexpected.found), None)
        if twin and " OWNED BY " in str(twin.expected):
            left = [one for one in left if one not in (twin, unexpected)]
            pairs.append((unexpected.name, twin.name))
    return left, pairs


def _undescribed(expected: Read, found: Read) -> Iterator[Difference]:
    """Yield the tables of the revision files that no model describes. Partitions belong to their table."""
    for name, definition in found.schema.objects.items():
        is_table = (
            comparable.TABLE.fullmatch(name) and definition.startswith("TABLE") and " PARTITION OF " not in definition
        )
        if is_table and name not in found.owned.objects and name not in expected.owned.objects:
            yield Difference(name, "structure", None, definition)
