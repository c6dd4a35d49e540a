"""Downgrade does not lead back

The downgrade is tried right after the upgrade. When it fails, or the schema after it is not the one before the upgrade,
`make rollback` cannot undo this revision. `raise NotImplementedError("why")` says so on purpose. An extension that
another role owns is dropped by that role only.
"""

from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import NOTE, WARN

ID, NAME = "H12", "downgrade does not lead back"


def find(subject: Subject) -> Iterator[Finding]:
    undone = subject.undone
    if undone.failure:
        is_meant = undone.is_of_another_owner or "NotImplementedError" in undone.failure
        yield _finding(subject, NOTE if is_meant else WARN, f"The downgrade fails: {undone.failure}.")
    elif undone.differences:
        first, *others = undone.differences
        more = f" (and {len(others)} more)" if others else ""
        yield _finding(
            subject, WARN, f"After the downgrade the schema is another than before the upgrade: {first}{more}."
        )


def _finding(subject: Subject, severity: str, message: str) -> Finding:
    instead = 'Undo in downgrade() all that upgrade() does, or say that it cannot be: raise NotImplementedError("why").'
    return Finding(ID, NAME, severity, "", "none", subject.downgrade_line, message, instead)
