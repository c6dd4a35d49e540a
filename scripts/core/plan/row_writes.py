"""Which tables a statement writes, found from locks and keywords. The copy that it was traced on has no rows."""

import re

from scripts.core.plan.findings import Subject
from scripts.core.plan.trace import Statement
from scripts.core.postgres.lock_modes import ROW_EXCLUSIVE

_TRUNCATE = re.compile(r"\bTRUNCATE\b", re.IGNORECASE)
_DELETE = re.compile(r"\bDELETE\s+FROM\b", re.IGNORECASE)
_WHERE = re.compile(r"\bWHERE\b", re.IGNORECASE)
_CHANGES_ROWS = re.compile(r"\b(UPDATE|DELETE|MERGE)\b", re.IGNORECASE)


def truncated(subject: Subject, statement: Statement) -> list[str]:
    """Return existing tables that the statement empties. Each gets another file, as in a rewrite."""
    return [name for name in statement.rewrites if subject.found(name)] if _TRUNCATE.search(statement.sql) else []


def written(subject: Subject, statement: Statement) -> list[str]:
    """Return existing tables that the statement updates, deletes from or inserts into."""
    earlier = subject.statements[: subject.statements.index(statement) + 1]
    in_transaction = [one for one in earlier if one.transaction == statement.transaction]
    taken = {lock["relation"] for one in in_transaction for lock in one.locks if lock["mode"] == ROW_EXCLUSIVE}
    new = {lock["relation"] for lock in statement.locks if lock["mode"] == ROW_EXCLUSIVE}
    again = taken & set(statement.scans) if _CHANGES_ROWS.search(statement.sql) else set()
    return sorted(name for name in new | again if _has_rows_of_its_own(subject, name))


def _has_rows_of_its_own(subject: Subject, name: str) -> bool:
    """Return whether the relation stores its own rows. A materialized view's rows come from other tables."""
    relation = subject.found(name)
    return relation is not None and relation.kind != "m"


def deleted(subject: Subject, statement: Statement) -> list[str]:
    """Return tables from which the statement deletes rows."""
    return written(subject, statement) if _DELETE.search(statement.sql) else []


def everything(statement: Statement) -> bool:
    """Return whether a DELETE has no condition."""
    return not _WHERE.search(statement.sql)
