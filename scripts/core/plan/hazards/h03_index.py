"""Index not CONCURRENTLY

CREATE INDEX takes a SHARE lock: it reads and sorts the whole table, and blocks writes until the commit. CREATE INDEX
CONCURRENTLY takes longer, but writes go on. It cannot run in a transaction, so it needs an `autocommit_block`.
"""

from collections.abc import Iterator

from scripts.core.plan import advice
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.trace import Statement
from scripts.core.postgres.sql import typed
from scripts.core.schema.catalog_snapshot import Constraint, Index, Relation

ID, NAME = "H03", "index not CONCURRENTLY"


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        for name, index in built(subject, statement):
            severity = subject.weights.severity(name)
            if severity:
                message = (
                    f"{name} is read to build {index.name}, which blocks writes until the commit"
                    f"{subject.weights.words(name)}."
                )
                instead = _instead(subject, index)
                yield Finding(ID, NAME, severity, name, "writes", statement.line, message, instead)


def built(subject: Subject, statement: Statement) -> list[tuple[str, Index]]:
    """Return existing tables, each with the index that the statement builds on it while it blocks writes.

    Indexes of constraints and of rewrites are left out, and those of partitions if the partitioned table is there.
    """
    again = {was.name for _, was, now in subject.existing(statement, Index) if was and not now}
    constraints = {now.name for _, was, now in subject.every(statement, Constraint) if now and not was}
    locks = subject.holding(statement) | subject.locks(statement)
    found = [
        (change.relation, now)
        for change, was, now in subject.existing(statement, Index)
        if now and not was and now.name not in again and advice.bare(now.name) not in constraints
        if change.relation and change.relation.name in locks
    ]
    whole = [(relation.name, index) for relation, index in found if relation.kind == "p"]
    return whole or [(relation.name, index) for relation, index in found]


def _instead(subject: Subject, index: Index) -> str:
    relation, definition = subject.before.relations[index.relation], subject.definitions[index]
    if relation.kind == "p":
        return _partitioned(relation, index, definition)
    return f"Writes go on with:\n{advice.create_index(index, relation, subject.after, definition)}"


def _partitioned(relation: Relation, index: Index, definition: str) -> str:
    name = typed(advice.bare(index.name))
    return (
        "PostgreSQL cannot build a partitioned table's index CONCURRENTLY. Build one per partition and revision:\n"
        + advice.execute(definition)
        + "\n"
        + advice.later(
            advice.autocommit(advice.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS … ON <partition> (…)")),
            advice.execute(f"ALTER INDEX {name} ATTACH PARTITION …"),
        )
    )
