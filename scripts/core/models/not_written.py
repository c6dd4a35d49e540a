"""What make revision cannot write, and what to do instead."""

from scripts.core.models import comparable
from scripts.core.schema.compare import Difference

PARTITION = " PARTITION BY "


def advice(one: Difference) -> list[str]:
    """Return why no statement makes this of what is there, and the way to it. Return nothing for other differences."""
    both = one.expected or "", one.found or ""
    if not (all(both) and comparable.TABLE.fullmatch(one.name)):
        return []
    wanted, found = (text.partition(PARTITION)[2] for text in both)
    if wanted == found:
        return []
    table = one.name.removeprefix("table ")
    if not wanted:
        return [f"PostgreSQL cannot make a plain table of the partitioned {table}. {_COPY}."]
    attach = "; or attach the old table to the new one: ALTER TABLE … ATTACH PARTITION … DEFAULT"
    return [f"PostgreSQL cannot partition {table}, because it exists. {_COPY}{attach}."]


_COPY = "Rename it, create the table that the models describe, and copy the rows in batches"
