"""The revision ends its own transaction

A revision and its version are committed together. After a COMMIT inside it, a failure leaves the schema between two
revisions. The next run starts from the beginning and finds objects that exist already. The limits and the retries of
`make migrate` also need one transaction. The same holds for `op.get_bind().commit()` and the driver's `commit()`.
"""

from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK

ID, NAME = "H14", "the revision ends its own transaction"


def find(subject: Subject) -> Iterator[Finding]:
    ours = [commit for commit in subject.commits if not commit.block]
    for line in dict.fromkeys(commit.line for commit in ours if not commit.statement) or {
        commit.line: None for commit in ours[:1]
    }:
        message = "The revision commits its transaction here. If it fails later, the work before the commit stays."
        instead = (
            "Remove the commit, and put what follows it into another revision. If a statement needs no transaction:\n"
            "with op.get_context().autocommit_block():\n"
            "    ..."
        )
        yield Finding(ID, NAME, BLOCK, "", "none", line or 1, message, instead)
