"""Can be left half done

A revision is one transaction, so it is applied completely or not at all. An `autocommit_block` commits the work before
it, and then each of its statements. If one fails, the others stay, the version does not change, and the next run starts
from the beginning. So it should have one statement, be alone in its revision, and use IF NOT EXISTS or IF EXISTS.
"""

import re
from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import WARN
from scripts.core.plan.trace import Statement

ID, NAME = "H11", "can be left half done"
_REPEATABLE = re.compile(r"\bIF\s+(NOT\s+)?EXISTS\b|\bREINDEX\b|\bREFRESH\b|\bVALIDATE\b", re.IGNORECASE)


def find(subject: Subject) -> Iterator[Finding]:
    ours = [statement for statement in subject.statements if statement.changes or _is_ddl(statement)]
    alone = [statement for statement in ours if statement.alone]
    if not alone:
        return
    table = next((lock["relation"] for lock in alone[0].locks), "")
    if len({statement.transaction for statement in ours}) > 1:
        message = f"{len(ours)} changes of the schema are committed one by one. If one fails, those before it stay."
        instead = "Write a revision for each statement of an autocommit_block, with nothing else in it."
        yield Finding(ID, NAME, WARN, table, "none", alone[0].line, message, instead)
    for statement in alone:
        if not _REPEATABLE.search(statement.sql):
            message = (
                "If a run is stopped after this statement, the next run fails here, because the change exists already."
            )
            instead = "Use if_not_exists=True (if_exists=True for a drop). In SQL: IF NOT EXISTS, IF EXISTS."
            yield Finding(ID, NAME, WARN, table, "none", statement.line, message, instead)


def _is_ddl(statement: Statement) -> bool:
    return bool(re.match(r"\s*(CREATE|ALTER|DROP|REINDEX)\b", statement.sql, re.IGNORECASE))
