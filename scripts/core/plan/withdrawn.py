"""What statements take away from running code without a change of tables: rights, rows behind policies, functions."""

import re
from collections.abc import Iterator

from scripts.core.plan.findings import Subject
from scripts.core.plan.row_writes import NAME, bare
from scripts.core.plan.trace import Statement
from scripts.core.postgres import statements
from scripts.core.schema.catalog_snapshot import Relation

_NAMED = rf"((?:{NAME}\s*\.\s*)?{NAME})"
_ANY = re.compile(r"\bROW\s+LEVEL\b|\bREVOKE\b|\bDROP\b", re.IGNORECASE)
_GUARDED = re.compile(r"\bENABLE\s+ROW\s+LEVEL\s+SECURITY\b", re.IGNORECASE)
# What is created in future needs no right yet, and an application creates nothing in a schema.
_REVOKED = re.compile(
    r"^(?!\s*ALTER\s+DEFAULT\b)(?!\s*REVOKE\s+CREATE\s+ON\b).*?\bREVOKE\b.*?"
    rf"\bON\s+(TABLE\s+|FUNCTION\s+|SEQUENCE\s+|SCHEMA\s+|TYPE\s+|DOMAIN\s+|DATABASE\s+|ALL\s+)?{_NAMED}",
    re.IGNORECASE,
)
_DROPPED = re.compile(rf"\bDROP\s+(?:FUNCTION|PROCEDURE|ROUTINE)\s+(?:IF\s+EXISTS\s+)?{_NAMED}", re.IGNORECASE)
_CREATED = re.compile(
    r"\bCREATE\s+(?:OR\s+REPLACE\s+)?"
    r"(?:FUNCTION|PROCEDURE|TABLE|SEQUENCE|SCHEMA|TYPE|DOMAIN|VIEW|MATERIALIZED\s+VIEW)"
    rf"\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAMED}",
    re.IGNORECASE,
)
_TRIGGER = re.compile(r"\bDROP\s+TRIGGER\b", re.IGNORECASE)

Withdrawn = tuple[str, str, str]
"""Table or nothing, message, the safe way."""


def found(subject: Subject, statement: Statement) -> Iterator[Withdrawn]:
    yield from _detached(subject, statement)
    if not _ANY.search(statement.sql):
        return
    sql = statements.plain(statement.sql)
    if _GUARDED.search(sql):
        for name in sorted({lock["relation"] for lock in statement.locks if subject.found(lock["relation"])}):
            yield (
                name,
                f"Running code no longer sees the rows of {name} that no policy allows.",
                "Create its policies first, and look at what the application's role sees with them.",
            )
    for kind, name in _REVOKED.findall(sql):
        if not _is_own(subject, name):
            what = f"{kind.lower().strip()} {name}".strip()
            yield "", f"A right on {what} is revoked, which running code may need.", _RELEASE_FIRST
    for name in _DROPPED.findall(sql):
        if not _is_own(subject, name) and not any(_TRIGGER.search(one.sql) for one in subject.statements):
            yield "", f"The function {name} is dropped, which running code may call.", _RELEASE_FIRST


def _is_own(subject: Subject, name: str) -> bool:
    """Return whether the revision creates an object of that name."""
    texts = (statements.plain(one.sql) for one in subject.statements if "CREATE" in one.sql.upper())
    return any(bare(name) == bare(created) for text in texts for created in _CREATED.findall(text))


_RELEASE_FIRST = "First release code that does without it."


def _detached(subject: Subject, statement: Statement) -> Iterator[Withdrawn]:
    for _, was, now in subject.existing(statement, Relation):
        if was and now and was.partition and not now.partition:
            message = (
                f"{was.name} is no partition any more, so running code no longer finds its rows in the whole table."
            )
            yield was.name, message, "First release code that does without these rows."
