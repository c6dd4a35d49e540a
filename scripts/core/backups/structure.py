"""The schema of a backup, kept beside the dump as it was read, so that what a restore made of it can be told by name.

PostgreSQL prints some expressions differently after a restore: casts and parentheses of CHECK (state IN ('new')) on a
varchar move. The fingerprint of the original is therefore not that of its restored copy, and what printed the same but
for casts and parentheses counts as the same here. The text that pg_restore ran is what the original printed; a restore
without an error has read it again. What could still be wrong is an object that is missing, or another one: that shows.
"""

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

from scripts.core import differences
from scripts.core.differences import Difference
from scripts.core.schema import Schema

FILE = "schema.json"
_LONG_TYPES = "character varying|double precision|bit varying|time(?:stamp)? with(?:out)? time zone"
_CAST = re.compile(rf'::(?:{_LONG_TYPES}|(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)(?:\(\d+(?:,\d+)?\))?(?:\[\])*')


def write(folder: Path, schema: Schema) -> None:
    with (folder / FILE).open("w", encoding="utf-8") as file:
        json.dump(asdict(schema), file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> Schema:
    return Schema(**json.loads((folder / FILE).read_text(encoding="utf-8")))


def changes(expected: Schema, found: Schema) -> list[Difference]:
    """What a restore has lost, added or changed. A version of an extension is the server's, not the backup's."""
    return [one for one in differences.between(expected, found) if not (one.harmless or _is_the_same(one))]


def _is_the_same(difference: Difference) -> bool:
    if difference.kind != "structure" or difference.expected is None or difference.found is None:
        return False
    return difference.name.startswith("extension ") or _bare(difference.expected) == _bare(difference.found)


def _bare(definition: str) -> str:
    return re.sub(r"[()\[\]\s]", "", _CAST.sub("", definition))
