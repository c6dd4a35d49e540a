"""Enum value removed

Rows and running code use the old value. After ALTER TYPE … RENAME VALUE, or with a new type that lacks it, a query that
names the value fails. PostgreSQL cannot remove a value, and a new type rewrites every table that uses it. (A value that
was added can be used in the next revision, because each revision has its own transaction.)
"""

from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK
from scripts.core.schema import catalog_snapshot
from scripts.core.schema.catalog_snapshot import Label

ID, NAME = "H10", "enum value removed"


def find(subject: Subject) -> Iterator[Finding]:
    before, after = catalog_snapshot.values(subject.before), catalog_snapshot.values(subject.after)
    for enum in sorted(before.keys() & after.keys()):
        for value in sorted(set(before[enum]) - set(after[enum])):
            yield Finding(
                ID,
                NAME,
                BLOCK,
                enum,
                "none",
                _line(subject, enum),
                f"{enum} no longer has the value '{value}', but running code may write it or search for it.",
                "Add the new value, let the application use it, and change the rows in batches. Leave the old value"
                " in the type. If values change often, a text column with a CHECK is easier to change.",
            )


def _line(subject: Subject, enum: str) -> int:
    """Return the line of the last statement that changed a value of the enum."""
    changed = [(one.line, change.before) for one in subject.statements for change in one.changes]
    return [line for line, before in changed if isinstance(before, Label) and before.enum == enum][-1]
