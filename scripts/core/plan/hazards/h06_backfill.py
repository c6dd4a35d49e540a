"""Backfill in one transaction

An UPDATE of a whole table locks every row until the commit and leaves as many dead rows behind. A retry of the revision
starts it again. Together with a change of the schema, it also holds the locks of that change.
"""

from collections.abc import Iterator

from scripts.core.plan import batches, row_writes
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK, WARN
from scripts.core.plan.trace import Statement

ID, NAME = "H06", "backfill in one transaction"


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        if not (written := row_writes.written(subject, statement)):
            continue
        for name in statement.scans:
            severity = subject.weights.severity(name)
            if not severity or not subject.found(name):
                continue
            locks = subject.locked(statement)
            message = (
                f"{written[0]} is written from all rows of {name} in one transaction"
                + (f", which also locks {', '.join(locks)}" if locks else "")
                + f"{subject.weights.words(name)}."
            )
            # Row locks block only other writers of those rows.
            capped = severity if locks or severity != BLOCK else WARN
            yield Finding(
                ID,
                NAME,
                capped,
                written[0],
                "writes",
                statement.line,
                message,
                _instead(subject, statement, written[0], name),
            )


def _instead(subject: Subject, statement: Statement, written: str, name: str) -> str:
    relation = subject.found(name)
    code = batches.of(subject.before, relation, statement.sql) if relation and name == written else ""
    words = "In a revision of its own, in batches by key with a commit each"
    return f"{words}:\n{code}" if code else f"{words}."
