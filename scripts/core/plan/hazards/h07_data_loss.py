"""Data loss

DROP, TRUNCATE and DELETE remove data, and a narrower type cuts off or rounds values. Only a backup brings them back: a
downgrade restores the column, but not its values.
"""

from collections.abc import Iterator

from scripts.core.formatting import counted
from scripts.core.plan import casts, row_writes
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK, WARN
from scripts.core.plan.trace import Statement
from scripts.core.postgres import statements
from scripts.core.schema.catalog_snapshot import Column, Relation

ID, NAME = "H07", "data loss"

UNUSED = "First release code that does not use it. Then drop it."

Danger = tuple[str, str, str, str]
"""Table, severity if there are rows, message, the safe way."""


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        losses = [*_dropped(subject, statement), *_narrowed(subject, statement), *_removed(subject, statement)]
        for name, severity, message, instead in losses:
            if subject.weights.severity(name) and subject.weights.rows(name) != 0:
                yield Finding(ID, NAME, severity, name, "none", statement.line, message, instead)


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
            and not _is_computed_again(subject, column)
        ):
            rows = _rows(subject, table.name)
            yield table.name, WARN, f"{table.name}.{column.name} and all its values are lost{rows}.", UNUSED


def _narrowed(subject: Subject, statement: Statement) -> Iterator[Danger]:
    for change, was, now in subject.existing(statement, Column):
        is_cast = "USING" in statements.plain(statement.sql).upper().split()
        how = casts.narrowed(was.type, now.type, is_cast=is_cast) if was and now else ""
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


def _is_computed_again(subject: Subject, column: Column) -> bool:
    again = (one for one in subject.after.columns.values() if one.relation == column.relation)
    return bool(column.generated) and any(one.generated and one.name == column.name for one in again)


def _rows(subject: Subject, name: str) -> str:
    rows = subject.weights.rows(name)
    return "" if rows is None else f" (about {counted(rows, 'row')})"
