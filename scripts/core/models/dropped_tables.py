"""Foreign keys that stand in the way of a table that is dropped. Autogenerate drops the table first."""

import re
from collections.abc import Collection, Iterator

from scripts.core.models import comparable, step
from scripts.core.models.step import ModelStep
from scripts.core.schema.fingerprint import Schema

_KEY = re.compile(rf"FOREIGN KEY \(.*\) REFERENCES (?:public\.)?(?P<other>{comparable.NAME})\(", re.DOTALL)


def steps(made: Schema, dropped: Collection[str]) -> Iterator[ModelStep]:
    """Yield the steps that drop the keys to dropped tables from those that stay, and from those that they refer to."""
    keys = list(_keys(made))
    for name, table, other in keys:
        if other in dropped and table != other and (table not in dropped or table in _reached(other, keys)):
            definition = made.objects[name]
            yield ModelStep(step.part(name, definition, None), step.part(name, None, definition), first=True)


def _keys(made: Schema) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each foreign key, its table, and the table that it refers to."""
    for name, definition in made.objects.items():
        part, key = comparable.PART.fullmatch(name), _KEY.match(definition)
        if part and key:
            yield name, part["table"], key["other"]


def _reached(table: str, keys: list[tuple[str, str, str]]) -> set[str]:
    found, left = set[str](), {table}
    while left:
        found |= left
        left = {other for _, one, other in keys if one in left} - found
    return found
