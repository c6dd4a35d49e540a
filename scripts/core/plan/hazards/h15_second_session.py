"""A second session

Work through another connection is no part of the revision's transaction. It stays if the revision fails, and it waits
for the locks of the revision itself. The waits of two sessions are not added up, so the application may wait longer
than `LOCK_TIMEOUT`.
"""

from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK

ID, NAME = "H15", "a second session"


def find(subject: Subject) -> Iterator[Finding]:
    for line in dict.fromkeys(subject.sessions):
        message = "The revision opens another session here, which is no part of its transaction."
        instead = "Use the revision's own connection:\nconnection = op.get_bind()"
        yield Finding(ID, NAME, BLOCK, "", "none", line, message, instead)
