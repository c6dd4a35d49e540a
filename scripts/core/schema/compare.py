"""The differences between two schemas, one line for each."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from scripts.core.postgres import connections, schema_copy, scratch
from scripts.core.postgres.scratch import Scratch
from scripts.core.schema import fingerprint
from scripts.core.schema.fingerprint import Schema
from scripts.core.schema.restored_text import canonical
from scripts.core.settings import Settings

_NAMED = re.compile(r"(?P<table>.+), (?P<kind>constraint|index) (?P<name>.+)")
_FREE_TEXT = re.compile(r", (comment|security label of .+)\Z")
LONG = 60
"""Characters. Longer definitions are shortened to the part after the first difference."""


@dataclass(frozen=True)
class Difference:
    name: str
    """The name of the object, as in Schema."""
    kind: Literal["structure", "access", "order"]
    """structure: objects; access: owners and grants; order: the columns of a table, which is harmless."""
    expected: str | None
    found: str | None
    """None if it is missing."""

    @property
    def harmless(self) -> bool:
        return self.kind == "order"

    @property
    def line(self) -> str:
        """Return the whole difference on one line, by which it is known again."""
        whole = self.expected is None or self.found is None
        return " ".join((str(self) if whole else f"{self.name}: {self.found}, expected {self.expected}").split())

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.name} is missing"
        if self.expected is None:
            return f"{self.name} is not expected"
        expected, found = _shortened(self.expected, self.found)
        what = f"{self.name}, order of columns" if self.kind == "order" else self.name
        return f"{what}: {found}, expected {expected}"


def between(expected: Schema, found: Schema) -> list[Difference]:
    """Return all differences, by name. Parts of a missing or unexpected object are not listed.

    Texts that print differently count as different; `compare` knows more.
    """
    differences = [
        *_differences("structure", expected.objects, found.objects),
        *_differences("access", expected.access, found.access),
        *_order(expected, found),
    ]
    whole = {one.name for one in differences if one.expected is None or one.found is None}
    return sorted((one for one in differences if not _is_part(one.name, whole)), key=lambda one: one.name)


Renaming = tuple[str, str]
"""The name of an object that was found, and the expected name of an equal one."""


def renamed(
    differences: Sequence[Difference], meaning: Callable[[str], str] = str
) -> tuple[list[Difference], list[Renaming]]:
    """Return the differences that are more than a name, and the constraints and indexes that only have another name.

    Definitions are equal if `meaning` returns the same for them.
    """
    missing = [one for one in differences if one.found is None]
    left, pairs = list(differences), list[Renaming]()
    for unexpected in (one for one in differences if one.expected is None):
        wanted = unnamed(unexpected, meaning)
        twin = next((one for one in missing if wanted and unnamed(one, meaning) == wanted), None)
        if twin:
            missing.remove(twin)
            left = [one for one in left if one not in (twin, unexpected)]
            pairs.append((unexpected.name, twin.name))
    return left, pairs


def only_named(pair: Renaming) -> str:
    """Return the note about another name."""
    found, expected = pair
    return f"Only a name differs: {found}: the same as {expected.rpartition(', ')[2]}"


def unnamed(difference: Difference, meaning: Callable[[str], str] = str) -> tuple[str, str] | None:
    """Return the table and the definition of a constraint or an index, without its name."""
    found = _NAMED.fullmatch(difference.name)
    if not found or difference.kind != "structure":
        return None
    definition = difference.expected or difference.found or ""
    unnamed = definition.replace(f" INDEX {found['name']} ON ", " INDEX ON ", 1)
    return f"{found['table']} {found['kind']}", meaning(unnamed)


def compare(server: Scratch, expected: Settings, found: Settings, known: Schema | None = None) -> list[Difference]:
    """Return all differences between the schemas of two databases, which are only read.

    `known`: the schema of `found`, if it was read before and nothing has changed it.

    PostgreSQL prints some expressions differently after a dump and a restore: CHECK (state IN ('new')) on a varchar,
    and similar ones in views, partial indexes and policies. If definitions differ in another way, both schemas go
    through pg_dump and pg_restore on the scratch server. Definitions that are equal afterwards are no difference. Raise
    UserError if a schema cannot be read, or does not fit the scratch server.
    """
    differences = [one for one in between(read(expected), known or read(found)) if not _is_rephrased(one)]
    if not any(_may_be_rephrased(one) for one in differences):
        return differences
    expected_copy, found_copy = (restored(server, one).objects for one in (expected, found))
    return [
        one
        for one in differences
        if not _may_be_rephrased(one)
        or one.name not in expected_copy
        or expected_copy[one.name] != found_copy.get(one.name)
    ]


def restored(server: Scratch, original: Settings) -> Schema:
    """Return the schema of a database on the scratch server, read from a copy of it."""
    made = schema_copy.restored(server, scratch.as_administrator(server, original))
    return read(scratch.as_administrator(server, made))


def _is_rephrased(difference: Difference) -> bool:
    """Return whether a restore is known to change one text into the other."""
    expected, found = difference.expected, difference.found
    if expected is None or found is None or not _may_be_rephrased(difference):
        return False
    return not _FREE_TEXT.search(difference.name) and canonical(expected) == canonical(found)


def _may_be_rephrased(difference: Difference) -> bool:
    """Return whether a restore may change the text. Versions of extensions are not in a dump, so they are left out."""
    is_changed = difference.expected is not None and difference.found is not None
    return difference.kind == "structure" and is_changed and not difference.name.startswith("extension ")


def _differences(
    kind: Literal["structure", "access"], expected: dict[str, str], found: dict[str, str]
) -> list[Difference]:
    changed = [name for name in expected.keys() & found.keys() if expected[name] != found[name]]
    names = [*(expected.keys() ^ found.keys()), *changed]
    return [Difference(name, kind, expected.get(name), found.get(name)) for name in names]


def _order(expected: Schema, found: Schema) -> list[Difference]:
    """Return differences in the order of the columns that both have."""
    differences = []
    for table in expected.order.keys() & found.order.keys():
        before, after = expected.order[table], found.order[table]
        if before == after:
            continue
        common = [column for column in before if column in after], [column for column in after if column in before]
        if common[0] != common[1]:
            differences.append(Difference(table, "order", ", ".join(common[0]), ", ".join(common[1])))
    return differences


def _is_part(name: str, whole: set[str]) -> bool:
    parts = name.split(", ")
    return any(", ".join(parts[:count]) in whole for count in range(1, len(parts)))


def read(settings: Settings) -> Schema:
    """Return the schema of a database."""
    with connections.connect(settings) as connection:
        return fingerprint.read(connection)


def _shortened(*definitions: str) -> list[str]:
    """Return each definition on one line. A long one is cut a few words before the first difference."""
    lines = [" ".join(definition.split()) for definition in definitions]
    if len(set(lines)) == 1:
        lines = [repr(definition) for definition in definitions]  # the definitions differ only in line breaks
    same = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(*lines, strict=False))))
    start = lines[0].rfind(" ", 0, max(0, same - 12)) + 1
    if max(map(len, lines)) <= LONG or same - start > LONG // 2:
        start = 0 if max(map(len, lines)) <= LONG else same
    return [_piece(line, start) for line in lines]


def _piece(line: str, start: int) -> str:
    end = start + LONG
    return ("…" if start else "") + line[start:end] + ("…" if line[end:] else "")
