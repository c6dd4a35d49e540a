"""Downgrade does not restore the schema

The plan runs the downgrade right after the upgrade. If it fails, or leaves another schema than before the upgrade,
`make rollback` cannot undo this revision. `raise NotImplementedError("why")` declares a revision irreversible. Only its
owner can drop an extension.
"""

from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import NOTE, WARN

ID, NAME = "H12", "downgrade does not restore the schema"


def find(subject: Subject) -> Iterator[Finding]:
    undone = subject.undone
    if undone.failure:
        is_meant = undone.is_of_another_owner or "NotImplementedError" in undone.failure
        yield _finding(subject, NOTE if is_meant else WARN, f"The downgrade fails: {undone.failure}.")
    elif undone.differences:
        first, *others = undone.differences
        more = f" (and {len(others)} more)" if others else ""
        yield _finding(
            subject, WARN, f"The downgrade does not restore the schema from before the upgrade: {first}{more}."
        )


def _finding(subject: Subject, severity: str, message: str) -> Finding:
    instead = 'Undo all of upgrade() in downgrade(), or declare it irreversible: raise NotImplementedError("why").'
    return Finding(ID, NAME, severity, "", "none", subject.downgrade_line, message, instead)
