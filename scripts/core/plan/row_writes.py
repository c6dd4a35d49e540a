"""Which tables a statement writes, found from locks and keywords. The copy that it was traced on has no rows."""

import re

from scripts.core.plan import advice
from scripts.core.plan.findings import Subject
from scripts.core.plan.trace import Statement
from scripts.core.postgres import statements
from scripts.core.postgres.lock_modes import ROW_EXCLUSIVE

_TRUNCATE = re.compile(r"\bTRUNCATE\b", re.IGNORECASE)
NAME = r'(?:"(?:[^"]|"")*"|[\w$]+)'
_DELETE = re.compile(rf"\bDELETE\s+FROM\s+(?:ONLY\s+)?((?:{NAME}\s*\.\s*)?{NAME})", re.IGNORECASE)
_MOVE = re.compile(r"^\s*WITH\b.*\bDELETE\b.*\bRETURNING\b.*\)\s*INSERT\s+INTO\b", re.IGNORECASE)
_WHERE = re.compile(r"\bWHERE\b(?!\s+(?:TRUE|1\s*=\s*1)\s*(?:$|;|\)|RETURNING\b))", re.IGNORECASE)
_CHANGES_ROWS = re.compile(r"\b(UPDATE|DELETE|MERGE)\b", re.IGNORECASE)


def truncated(subject: Subject, statement: Statement) -> list[str]:
    """Return existing tables that the statement empties. Each gets another file, as in a rewrite."""
    is_meant = statement.rewrites and _TRUNCATE.search(statements.plain(statement.sql))
    return [name for name in statement.rewrites if subject.found(name)] if is_meant else []


def written(subject: Subject, statement: Statement) -> list[str]:
    """Return existing tables that the statement updates, deletes from or inserts into."""
    new = {lock["relation"] for lock in statement.locks if lock["mode"] == ROW_EXCLUSIVE}
    again = subject.writing(statement) & set(statement.scans) if _CHANGES_ROWS.search(statement.sql) else set()
    return sorted(name for name in new | again if _has_rows_of_its_own(subject, name))


def _has_rows_of_its_own(subject: Subject, name: str) -> bool:
    """Return whether it is a table that stores its own rows. A materialized view's rows come from other tables."""
    relation = subject.found(name)
    return relation is not None and relation.kind not in ("m", "S")


def deleted(subject: Subject, statement: Statement) -> list[str]:
    """Return tables from which the statement deletes rows: those that it names, or all if it names none of them.

    Rows that are moved into another table are not lost.
    """
    if not _DELETE.search(statement.sql):
        return []
    sql = statements.plain(statement.sql)
    named = set() if _MOVE.search(sql) else {bare(name) for name in _DELETE.findall(sql)}
    tables = written(subject, statement) if named else []
    relations = [relation for name in tables if (relation := subject.found(name))]
    return [relation.name for relation in relations if relation.bare in named] or tables


def everything(statement: Statement) -> bool:
    """Return whether a DELETE has no condition."""
    return not _WHERE.search(statements.plain(statement.sql))


def bare(name: str) -> str:
    """Return a table's name from SQL as the catalogs have it, without its schema."""
    last = name.rpartition(".")[2].strip()
    return advice.bare(last) if last.startswith('"') else last.lower()
