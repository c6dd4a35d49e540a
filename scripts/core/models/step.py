"""What a revision does besides what autogenerate finds, as statements up and down."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.core.models import comparable
from scripts.core.postgres.sql import Sql, compose, spelled

_ONLY = re.compile(rf"\A(CREATE (?:UNIQUE )?INDEX {comparable.QUOTED} )ON ONLY ")


@dataclass(frozen=True)
class ModelStep:
    """Statements up, and those down. An enum's new label has none down: PostgreSQL cannot remove it."""

    up: Sequence[Sql]
    down: Sequence[Sql]
    autocommit: bool = False
    """Whether `up` runs outside of the revision's transaction."""
    first: bool = False
    """Whether it comes before what autogenerate finds: a label that may be used, or a new name."""


def part(name: str, was: str | None, wanted: str | None) -> list[Sql]:
    """Return the statements that replace a constraint or an index of this name in Schema by its other definition."""
    found = comparable.PART.fullmatch(name)
    assert found
    table, own = spelled(found["table"]), spelled(found["name"])
    if found["kind"] == "constraint":
        drop, add = compose("ALTER TABLE {} DROP CONSTRAINT {}", table, own), "ALTER TABLE {} ADD CONSTRAINT {} {}"
        return [*[drop] * bool(was), *([compose(add, table, own, spelled(wanted))] if wanted else [])]
    space = found["table"].removesuffix(re.findall(comparable.QUOTED, found["table"])[-1])
    index = spelled(f"{space}{own}")
    # PostgreSQL prints ON ONLY for a partitioned table. Run so, it would leave the partitions out.
    made = [spelled(_ONLY.sub(r"\1ON ", wanted, count=1))] if wanted else []
    return [*[compose("DROP INDEX {}", index)] * bool(was), *made]
