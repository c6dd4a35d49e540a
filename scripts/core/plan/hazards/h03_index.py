"""Index not CONCURRENTLY

CREATE INDEX takes a SHARE lock: the whole table is read and sorted, and nobody writes to it until the commit. With
CONCURRENTLY it takes longer, and writes go on. It cannot run in a transaction: hence `autocommit_block`.
"""

from collections.abc import Iterator

from scripts.core.plan import advice
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.trace import Statement
from scripts.core.schema.catalog_snapshot import Constraint, Index, Relation

ID, NAME = "H03", "index not CONCURRENTLY"


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        for name, index in built(subject, statement):
            severity = subject.weights.severity(name)
            if severity:
                message = (
                    f"{name} is read to build {index.name}, and nobody writes to it until that is done"
                    f"{subject.weights.words(name)}."
                )
                instead = _instead(subject, index)
                yield Finding(ID, NAME, severity, name, "writes", statement.line, message, instead)


def built(subject: Subject, statement: Statement) -> list[tuple[str, Index]]:
    """Tables that the revision found, and the index that the statement builds there while writes wait.

    Not those of constraints, nor those that a rewrite makes anew, nor, beside a partitioned table's, its partitions'.
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
    name = advice.identifier(advice.bare(index.name))
    return (
        "A partitioned table's index cannot be built CONCURRENTLY; its partitions' can, one revision each:\n"
        + advice.execute(definition)
        + "\n"
        + advice.later(
            advice.autocommit(advice.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS … ON <partition> (…)")),
            advice.execute(f"ALTER INDEX {name} ATTACH PARTITION …"),
        )
    )
