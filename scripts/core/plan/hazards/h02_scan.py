"""Table read under a lock

A statement reads a whole table while its transaction holds a lock on it that blocks writes, or reads too.
VALIDATE CONSTRAINT blocks neither, unless the same transaction has just added the constraint.
"""

import re
from collections.abc import Iterator

from scripts.core.plan import advice, row_writes
from scripts.core.plan.findings import Finding, Subject, blocks, whom
from scripts.core.plan.hazards import h01_rewrite, h03_index, h04_constraint, h09_computed_column
from scripts.core.plan.trace import Statement
from scripts.core.postgres.lock_modes import ACCESS_EXCLUSIVE
from scripts.core.schema.catalog_snapshot import Column, Constraint

_REINDEX = re.compile(r"^\s*REINDEX\s+(\([^)]*\)\s*)?(INDEX|TABLE|SCHEMA|DATABASE)\s+", re.IGNORECASE)
ID, NAME = "H02", "table read under a lock"


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        locks = subject.strongest(statement)
        for name in sorted((locks.keys() & set(statement.scans)) - _explained(subject, statement)):
            severity = subject.weights.severity(name)
            relation = subject.found(name)
            # Only a refresh writes to a materialized view.
            if severity and relation and (relation.kind != "m" or locks[name] == ACCESS_EXCLUSIVE):
                message = (
                    f"{name} is read completely while the transaction blocks {whom(locks[name])} of it"
                    f"{subject.weights.words(name)}."
                )
                instead = _instead(subject, statement)
                yield Finding(ID, NAME, severity, name, blocks(locks[name]), statement.line, message, instead)


def _explained(subject: Subject, statement: Statement) -> set[str]:
    """Return the tables whose reads another hazard reports."""
    columns = subject.existing(statement, Column)
    tables = {change.relation.name for change, was, _ in columns if change.relation and not was}
    tables |= {name for name, _ in h03_index.built(subject, statement)}
    tables |= {name for name, _ in h04_constraint.validated(subject, statement)}
    if any((relation := subject.found(name)) and relation.kind == "p" for name in tables):
        return set(statement.scans)  # of its partitions
    return tables | {
        *(relation.name for relation in h01_rewrite.rewritten(subject, statement)),
        *h09_computed_column.added(subject, statement),
        *row_writes.truncated(subject, statement),
        *row_writes.written(subject, statement),
    }


def _instead(subject: Subject, statement: Statement) -> str:
    for change, was, now in subject.existing(statement, Constraint):
        if change.relation and was and now and now.valid and not was.valid:
            return f"Validate it in a transaction of its own:\n{advice.validate(now, change.relation)}"
    if _REINDEX.search(statement.sql):
        concurrently = _REINDEX.sub(r"\g<0>CONCURRENTLY ", statement.sql, count=1).strip()
        return "Writes go on with:\n" + advice.autocommit(advice.execute(concurrently))
    return "Put the statement that reads the table into a revision before the one that locks it."
