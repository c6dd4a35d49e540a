"""The schema of a backup, stored beside the dump, so that a restored copy can be compared object by object.

PostgreSQL prints some expressions differently after a restore (schema/restored_text.py). So the fingerprint of the
original differs from its restored copy's. Only what a dump and a restore change counts as equal here.
"""

import json
import re
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

from scripts.core import durable_files
from scripts.core.schema import compare
from scripts.core.schema.compare import Difference
from scripts.core.schema.fingerprint import Schema
from scripts.core.schema.restored_text import canonical

FILE = "schema.json"
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
_INVALID = re.compile(f"{_QUOTED.pattern}| INVALID")


def write(folder: Path, schema: Schema) -> None:
    durable_files.write(folder / FILE, json.dumps(asdict(schema), indent=1))


def read(folder: Path) -> Schema:
    return Schema(**json.loads((folder / FILE).read_text(encoding="utf-8")))


def undumped(schema: Schema) -> dict[str, str]:
    """Return what pg_dump leaves out by design, by name: why, and what to do.

    An invalid index of a partitioned table is in the dump. It becomes valid with the indexes of its partitions.
    """
    found = {}
    for name, definition in schema.objects.items():
        bare = "" if name.endswith(", comment") else _QUOTED.sub("", definition)
        if ", index " in name and " INVALID" in bare and " ON ONLY " not in bare:
            found[name] = "it is invalid, and no query uses it. Drop it, or REINDEX it"
        if ", disabled check of " in name:
            found[name] = "the check is enabled after a restore. ALTER TABLE … DISABLE TRIGGER disables it again"
    for name in _validated_below(schema):
        found[name] = "it is NOT VALID after a restore, like its parent's. ALTER TABLE … VALIDATE CONSTRAINT checks it"
    return dict(sorted(found.items()))


def _validated_below(schema: Schema) -> list[str]:
    """Return the checks that are validated in a child and NOT VALID in its parent. A dump has only the parent's.

    A partition has its own check in the dump.
    """
    checks = {}
    for name, definition in schema.objects.items():
        table, _, constraint = name.partition(", constraint ")
        if definition.startswith("CHECK ") and " PARTITION OF " not in schema.objects.get(table, ""):
            checks[name] = (constraint, definition.removesuffix(" INHERITED"))
    waiting = {one for one in checks.values() if one[1].endswith(" NOT VALID")}
    return [
        name
        for name, (constraint, definition) in checks.items()
        if schema.objects[name] != definition and (constraint, f"{definition} NOT VALID") in waiting
    ]


def restorable_in_parallel(schema: Schema) -> bool:
    """Return whether no row can break a domain's check. With --jobs, pg_restore may add the check before the rows."""
    return not any(
        name.startswith("domain ") and definition.endswith(" NOT VALID") for name, definition in schema.objects.items()
    )


def changes(expected: Schema, found: Schema) -> list[Difference]:
    """Return what a restore has lost, added or changed. Versions of extensions are the server's."""
    left_out = undumped(expected).keys()
    differences = [one for one in compare.between(expected, found) if one.found is not None or one.name not in left_out]
    return [one for one in differences if not (one.harmless or _is_the_same(one) or _is_unchecked(one, left_out))]


def _is_the_same(difference: Difference) -> bool:
    if difference.kind != "structure" or difference.expected is None or difference.found is None:
        return False
    if difference.name.endswith(", comment"):
        return False
    is_valid = difference.found == _as_valid(difference.found)
    before = _as_valid(difference.expected) if is_valid else difference.expected
    return difference.name.startswith("extension ") or canonical(before) == canonical(difference.found)


def _is_unchecked(difference: Difference, left_out: Collection[str]) -> bool:
    if difference.name not in left_out or difference.expected is None or difference.found is None:
        return False
    unchecked = difference.expected.removesuffix(" INHERITED") + " NOT VALID INHERITED"
    return canonical(unchecked) == canonical(difference.found)


def _as_valid(definition: str) -> str:
    """Return the definition as valid. A partitioned index becomes valid when its last partition is attached again."""
    return _INVALID.sub(lambda found: "" if found[0] == " INVALID" else found[0], definition)
