"""Can be left half done

A revision is one transaction, so it is applied completely or not at all. An `autocommit_block` commits the work before
it, and then each of its statements. If one fails, the others stay, the version does not change, and the next run starts
from the beginning. So it should have one statement, be alone in its revision, and use IF NOT EXISTS or IF EXISTS. (Only
ALTER TYPE … ADD VALUE IF NOT EXISTS may come before other work, because a value that no row has harms nothing.)
"""

import re
from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import NOTE, WARN
from scripts.core.plan.trace import Statement
from scripts.core.postgres import statements

ID, NAME = "H11", "can be left half done"
# VACUUM, SET, VALIDATE and such do the same thing again. IF EXISTS of a dropped index belongs to the index built next.
_REPEATABLE = re.compile(
    r"\bIF\s+(NOT\s+)?EXISTS\b|\bVALIDATE\b|^\s*(VACUUM|ANALYZE|CLUSTER|REINDEX|REFRESH|COMMENT|GRANT|REVOKE)\b"
    r"|^\s*CREATE\s+OR\s+REPLACE\b|\bALTER\s+(COLUMN\s+)?\S+\s+(SET|DROP)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^\s*ALTER\s+TYPE\s.*\sADD\s+VALUE\s+IF\s+NOT\s+EXISTS\b", re.IGNORECASE | re.DOTALL)
"""A value that no row has yet harms nothing, and the next run leaves it out."""
_INDEX = re.compile(
    r"^\s*(DROP\s+INDEX\s+(?:CONCURRENTLY\s+)?IF\s+EXISTS|CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY"
    r"(?:\s+IF\s+NOT\s+EXISTS)?)\s+([^\s;]+)",
    re.IGNORECASE,
)


def find(subject: Subject) -> Iterator[Finding]:
    remaining, built = _without_prepared_drops(subject.statements)
    ours = [statement for statement in remaining if statement.changes or _is_ddl(statement)]
    alone = [statement for statement in ours if statement.alone]
    if not alone:
        return
    table = _table(alone[0])
    if len({statement.transaction for statement in ours if not _LABEL.match(statements.plain(statement.sql))}) > 1:
        message = f"{len(ours)} changes of the schema are committed one by one. If one fails, those before it stay."
        instead = "Write a revision for each statement of an autocommit_block, with nothing else in it."
        yield Finding(ID, NAME, WARN, table, "none", alone[0].line, message, instead)
    for statement in alone:
        if not (_REPEATABLE.search(statements.plain(statement.sql)) or id(statement) in built):
            message = (
                "If a run is stopped after this statement, the next run fails here, because the change exists already."
            )
            instead = "Use if_not_exists=True (if_exists=True for a drop). In SQL: IF NOT EXISTS, IF EXISTS."
            # The runner drops an invalid index that a stopped run left behind, and finds its place again.
            severity = NOTE if len(ours) == 1 else WARN
            yield Finding(ID, NAME, severity, table, "none", statement.line, message, instead)


def _table(statement: Statement) -> str:
    """Return the table that it changes, or else locks. Locks of a concurrent statement are not seen each time."""
    changed = (change.relation.name for change in statement.changes if change.relation)
    return next(changed, next((lock["relation"] for lock in statement.locks), ""))


def _without_prepared_drops(all_of_them: list[Statement]) -> tuple[list[Statement], set[int]]:
    """Return the statements without DROP INDEX IF EXISTS before the same index is built, and the identities of those
    that build them.
    """
    named = [(statement, _INDEX.match(statement.sql)) for statement in all_of_them]
    drops, built = set[int](), set[int]()
    for place, (statement, found) in enumerate(named):
        if found and found[1].upper().startswith("DROP"):
            later = (one for one, other in named[place + 1 :] if other and _builds(other, found[2]))
            if create := next(later, None):
                drops.add(id(statement))
                built.add(id(create))
    return [one for one in all_of_them if id(one) not in drops], built


def _builds(found: re.Match[str], index: str) -> bool:
    name = found[2].rpartition(".")[2]
    return found[1].upper().startswith("CREATE") and name.strip('"') == index.rpartition(".")[2].strip('"')


def _is_ddl(statement: Statement) -> bool:
    return bool(re.match(r"\s*(CREATE|ALTER|DROP|REINDEX)\b", statement.sql, re.IGNORECASE))
