"""Constraint validated at once

Adding a CHECK, FOREIGN KEY, UNIQUE, PRIMARY KEY or EXCLUDE constraint, a NOT NULL, or a condition of a domain reads the
whole table under a lock. With NOT VALID, PostgreSQL checks only new rows at once. VALIDATE CONSTRAINT checks the old
rows later, while reads and writes go on. (That of a domain stops the writes of the tables that use it.)
"""

from collections.abc import Iterator

from scripts.core.plan import constraint_advice
from scripts.core.plan.findings import Finding, Subject, blocks, whom
from scripts.core.plan.trace import Statement
from scripts.core.schema.catalog_snapshot import Column, Constraint, Relation

ID, NAME = "H04", "constraint validated at once"


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        locks = subject.strongest(statement)
        for name, what in validated(subject, statement):
            severity = subject.weights.severity(name)
            if severity and name in locks:
                title = (
                    f"NOT NULL of {what.name}"
                    if isinstance(what, Column)
                    else f"{constraint_advice.KINDS[what.type]} {what.name}"
                )
                message = (
                    f"{title}: {name} is read completely, which blocks {whom(locks[name])} until the commit"
                    f"{subject.weights.words(name)}."
                )
                instead = constraint_advice.instead(subject, statement, what)
                yield Finding(ID, NAME, severity, name, blocks(locks[name]), statement.line, message, instead)


def validated(subject: Subject, statement: Statement) -> list[tuple[str, Constraint | Column]]:
    """Return existing tables that the statement reads, each with its new constraint or NOT NULL."""
    # A change of a column's type creates its constraints again.
    rebuilt = {(was.relation, was.name) for _, was, now in subject.existing(statement, Constraint) if was and not now}
    added = [
        (change.relation.name, now)
        for change, was, now in subject.existing(statement, Constraint)
        if change.relation and now and not was and now.valid and (now.relation, now.name) not in rebuilt
        if _is_read(change.relation, statement)
    ]
    keys = {now.relation for _, now in added if now.type == "p"}
    columns = [
        (change.relation.name, now)
        for change, was, now in subject.existing(statement, Column)
        if change.relation and was and now and now.not_null and not was.not_null and now.relation not in keys
        if _is_read(change.relation, statement)
    ]
    return [*added, *columns, *_of_domains(subject, statement)]


def _of_domains(subject: Subject, statement: Statement) -> Iterator[tuple[str, Constraint]]:
    for _, was, now in subject.every(statement, Constraint):
        if now and not was and now.domain and now.valid:
            yield from ((name, now) for name in statement.scans if subject.found(name))


def _is_read(relation: Relation, statement: Statement) -> bool:
    """Return whether the statement reads the table. A partitioned table has no rows of its own."""
    return relation.name in statement.scans or (relation.kind == "p" and bool(statement.scans))
