"""Value of an enum taken away

Rows and running code have the old value: after ALTER TYPE … RENAME VALUE, or with a new type that lacks it, a query
that names it fails. PostgreSQL cannot remove a value; making the type anew rewrites every table that uses it. (A value
that was added can be used in the next revision: each has a transaction of its own.)
"""

from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK
from scripts.core.schema.catalog_snapshot import Label, Snapshot

ID, NAME = "H10", "value of an enum taken away"


def find(subject: Subject) -> Iterator[Finding]:
    before, after = _values(subject.before), _values(subject.after)
    for enum in sorted(before.keys() & after.keys()):
        for value in sorted(before[enum] - after[enum]):
            yield Finding(
                ID,
                NAME,
                BLOCK,
                enum,
                "none",
                _line(subject),
                f"{enum} has no value '{value}' any more; code that runs may write it or ask for it.",
                "Add the new value, let the application use it, change the rows in batches, and leave the old value"
                " there. Where values come and go, a text column with a CHECK is easier to change.",
            )


def _values(seen: Snapshot) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for label in seen.labels.values():
        found.setdefault(label.enum, set()).add(label.name)
    return found


def _line(subject: Subject) -> int:
    """Of the last statement that changed a value."""
    lines = [one.line for one in subject.statements for change in one.changes if isinstance(change.before, Label)]
    return lines[-1]
