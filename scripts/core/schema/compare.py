"""What differs between two schemas, one readable line for each difference."""

from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from scripts.core.postgres import connections, schema_copy, scratch
from scripts.core.postgres.scratch import Scratch
from scripts.core.schema import fingerprint
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings

LONG = 60
"""Characters of a definition that are told whole; of a longer one only what follows the first difference."""


@dataclass(frozen=True)
class Difference:
    name: str
    """Of the object, as in Schema."""
    kind: Literal["structure", "access", "order"]
    """Of the objects themselves; of owners and grants; of the columns of a table, which is harmless."""
    expected: str | None
    found: str | None
    """None for what is not there."""

    @property
    def harmless(self) -> bool:
        return self.kind == "order"

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.name} is missing"
        if self.expected is None:
            return f"{self.name} is not expected"
        expected, found = _shortened(self.expected, self.found)
        what = f"{self.name}, order of columns" if self.kind == "order" else self.name
        return f"{what}: {found}, expected {expected}"


def between(expected: Schema, found: Schema) -> list[Difference]:
    """All differences, by name. The parts of what is missing, or not expected, are not told one by one.

    Whatever prints differently counts; `compare` knows better.
    """
    differences = [
        *_differences("structure", expected.objects, found.objects),
        *_differences("access", expected.access, found.access),
        *_order(expected, found),
    ]
    whole = {one.name for one in differences if one.expected is None or one.found is None}
    return sorted((one for one in differences if not _is_part(one.name, whole)), key=lambda one: one.name)


def compare(server: Scratch, expected: Settings, found: Settings) -> list[Difference]:
    """All differences between the schemas of two databases, which are only read.

    PostgreSQL prints some expressions differently once they were dumped and restored: CHECK (state IN ('new')) on a
    varchar, and the like in views, partial indexes and policies. Where definitions differ, both schemas go through
    pg_dump and pg_restore on the scratch server, and what then is equal is no difference. Raises UserError when a
    schema cannot be read, or does not fit the scratch server.
    """
    differences = between(_read(expected), _read(found))
    if not any(_may_be_rephrased(one) for one in differences):
        return differences
    expected_copy, found_copy = (_restored(server, one).objects for one in (expected, found))
    return [
        one
        for one in differences
        if not _may_be_rephrased(one)
        or one.name not in expected_copy
        or expected_copy[one.name] != found_copy.get(one.name)
    ]


def _restored(server: Scratch, original: Settings) -> Schema:
    """The schema of a database of the scratch server, read from a copy of it."""
    made = schema_copy.restored(server, scratch.as_administrator(server, original))
    return _read(scratch.as_administrator(server, made))


def _may_be_rephrased(difference: Difference) -> bool:
    """A dump has no versions of extensions: the copies have the scratch server's."""
    is_changed = difference.expected is not None and difference.found is not None
    return difference.kind == "structure" and is_changed and not difference.name.startswith("extension ")


def _differences(
    kind: Literal["structure", "access"], expected: dict[str, str], found: dict[str, str]
) -> list[Difference]:
    names = expected.keys() | found.keys()
    differences = (Difference(name, kind, expected.get(name), found.get(name)) for name in names)
    return [one for one in differences if one.expected != one.found]


def _order(expected: Schema, found: Schema) -> list[Difference]:
    """Of the columns that both have."""
    differences = []
    for table in expected.order.keys() & found.order.keys():
        before, after = expected.order[table], found.order[table]
        common = [column for column in before if column in after], [column for column in after if column in before]
        if common[0] != common[1]:
            differences.append(Difference(table, "order", ", ".join(common[0]), ", ".join(common[1])))
    return differences


def _is_part(name: str, whole: set[str]) -> bool:
    parts = name.split(", ")
    return any(", ".join(parts[:count]) in whole for count in range(1, len(parts)))


def _read(settings: Settings) -> Schema:
    with connections.connect(settings) as connection:
        return fingerprint.read(connection)


def _shortened(*definitions: str) -> list[str]:
    """On one line each; of long ones a piece that begins some words before the first difference."""
    lines = [" ".join(definition.split()) for definition in definitions]
    if len(set(lines)) == 1:
        lines = [repr(definition) for definition in definitions]  # other line breaks
    same = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(*lines, strict=False))))
    start = lines[0].rfind(" ", 0, max(0, same - 12)) + 1
    if max(map(len, lines)) <= LONG or same - start > LONG // 2:
        start = 0 if max(map(len, lines)) <= LONG else same
    return [_piece(line, start) for line in lines]


def _piece(line: str, start: int) -> str:
    end = start + LONG
    return ("…" if start else "") + line[start:end] + ("…" if line[end:] else "")
