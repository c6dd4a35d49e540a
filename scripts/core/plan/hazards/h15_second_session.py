"""A second session

What a revision does through a connection of its own is no part of its transaction: it stays when the revision fails,
and it waits for the locks that the revision holds itself. The waits of two sessions are not counted together, so the
application may wait longer than `LOCK_TIMEOUT`.
"""

from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK

ID, NAME = "H15", "a second session"


def find(subject: Subject) -> Iterator[Finding]:
    for line in dict.fromkeys(subject.sessions):
        message = "The revision opens a session of its own here, which is no part of its transaction."
        instead = "Use the connection that the revision has:\nconnection = op.get_bind()"
        yield Finding(ID, NAME, BLOCK, "", "none", line, message, instead)
