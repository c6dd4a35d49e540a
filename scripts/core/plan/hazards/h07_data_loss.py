"""Data loss

DROP, TRUNCATE and DELETE remove data, and a narrower type cuts off or rounds values. Only a backup brings them back: a
downgrade restores the column, but not its values.
"""

import re
from collections.abc import Iterator

from scripts.core.formatting import counted
from scripts.core.plan import row_writes
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK, NOTE, WARN
from scripts.core.plan.trace import Statement
from scripts.core.schema.catalog_snapshot import Column, Relation

ID, NAME = "H07", "data loss"

# Casts that round or cut silently; see "Numeric Types" and "Date/Time Types" in PostgreSQL's documentation.
WHOLE = ("smallint", "integer", "bigint")
ROUNDS = {"real": WHOLE, "double precision": (*WHOLE, "real"), "numeric": WHOLE}
UNUSED = "First release code that does not use it. Then drop it."

Danger = tuple[str, str, str, str]
"""Table, severity if there are rows, message, the safe way."""


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        losses = [*_dropped(subject, statement), *_narrowed(subject, statement), *_removed(subject, statement)]
        for name, severity, message, instead in losses:
            if subject.weights.severity(name):
                weighed = NOTE if subject.weights.rows(name) == 0 else severity
                yield Finding(ID, NAME, weighed, name, "none", statement.line, message, instead)


def _dropped(subject: Subject, statement: Statement) -> Iterator[Danger]:
    for _, was, now in subject.existing(statement, Relation):
        if was and not now and was.kind in ("r", "p"):
            yield was.name, WARN, f"{was.name} and all its rows are lost{_rows(subject, was.name)}.", UNUSED
    for change, column, remaining in subject.existing(statement, Column):
        table = change.relation
        if (
            column
            and not remaining
            and table
            and table.kind in ("r", "p")
            and not table.partition
            and _stays(subject, table)
        ):
            rows = _rows(subject, table.name)
            yield table.name, WARN, f"{table.name}.{column.name} and all its values are lost{rows}.", UNUSED


def _narrowed(subject: Subject, statement: Statement) -> Iterator[Danger]:
    for change, was, now in subject.existing(statement, Column):
        how = narrowed(was.type, now.type, statement.sql) if was and now else ""
        if how and change.relation and was and now:
            severity = WARN if how == "fails" else BLOCK
            effect = "fails for a value that does not fit" if how == "fails" else f"{how} values silently"
            message = f"{change.relation.name}.{was.name}: from {was.type} to {now.type}, which {effect}."
            yield change.relation.name, severity, message, "Look for values that do not fit first, and correct them."


def _removed(subject: Subject, statement: Statement) -> Iterator[Danger]:
    for name in row_writes.truncated(subject, statement):
        message = f"{name} is emptied{_rows(subject, name)}."
        yield name, BLOCK, message, "Delete rows in the application, not in a revision."
    for name in row_writes.deleted(subject, statement):
        severity = BLOCK if row_writes.everything(statement) else WARN
        message = f"Rows of {name} are deleted{_rows(subject, name)}."
        yield name, severity, message, "Copy them into another table first."


def _stays(subject: Subject, table: Relation) -> bool:
    return table.number in subject.after.relations


def narrowed(before: str, after: str, sql: str) -> str:
    """Return what a cast does to values that do not fit: "cuts", "rounds", "fails", or nothing if all fit."""
    old, new = _base(before), _base(after)
    shorter = _size(after, 0) is not None and (_size(before, 0) is None or _size(after, 0) < _size(before, 0))  # type: ignore[operator]
    if new.startswith("character") and shorter:
        return "cuts" if re.search(r"\bUSING\b", sql, re.IGNORECASE) else "fails"
    if old == new == "numeric" and (_size(after, 1) or 0) < (_size(before, 1) or 0):
        return "rounds"
    if new in ROUNDS.get(old, ()):
        return "rounds"
    if old in WHOLE and new in WHOLE and WHOLE.index(new) < WHOLE.index(old):
        return "fails"
    return "cuts" if old.startswith("timestamp") and new in ("date", "time without time zone") else ""


def _base(name: str) -> str:
    return re.sub(r"\(.*?\)", "", name)


def _size(name: str, place: int) -> int | None:
    found = re.search(r"\(([\d,]+)\)", name)
    numbers = found[1].split(",") if found else []
    return int(numbers[place]) if place < len(numbers) else None


def _rows(subject: Subject, name: str) -> str:
    rows = subject.weights.rows(name)
    return "" if rows is None else f" (about {counted(rows, 'row')})"
