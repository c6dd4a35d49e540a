"""Index not CONCURRENTLY

CREATE INDEX takes a SHARE lock: it reads and sorts the whole table, and blocks writes until the commit. CREATE INDEX
CONCURRENTLY takes longer, but writes go on. It cannot run in a transaction, so it needs an `autocommit_block`.
"""

from collections.abc import Iterator

from scripts.core.plan import advice
from scripts.core.plan.findings import Finding, Subject, blocks, whom
from scripts.core.plan.trace import Statement
from scripts.core.schema.catalog_snapshot import Constraint, Index

ID, NAME = "H03", "index not CONCURRENTLY"


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        for name, index in built(subject, statement):
            mode = subject.strongest(statement)[name]
            severity = subject.weights.severity(name)
            if severity:
                message = (
                    f"{name} is read to build {index.name}, which blocks {whom(mode)} until the commit"
                    f"{subject.weights.words(name)}."
                )
                instead = _instead(subject, index)
                yield Finding(ID, NAME, severity, name, blocks(mode), statement.line, message, instead)


def built(subject: Subject, statement: Statement) -> list[tuple[str, Index]]:
    """Return existing tables, each with the index that the statement builds on it while it blocks writes.

    Indexes of constraints and of rewrites are left out, and those of partitions if the partitioned table is there.
    """
    again = {was.name for _, was, now in subject.existing(statement, Index) if was and not now}
    constraints = {now.name for _, was, now in subject.every(statement, Constraint) if now and not was}
    locks = subject.strongest(statement)
    found = [
        (change.relation, now)
        for change, was, now in subject.existing(statement, Index)
        if now and not was and now.name not in again and advice.bare(now.name) not in constraints
        if change.relation and change.relation.name in locks
        # One with ONLY reads nothing, and is not valid before its partitions have one.
        if now.valid or change.relation.kind != "p"
    ]
    whole = [(relation.name, index) for relation, index in found if relation.kind == "p"]
    return whole or [(relation.name, index) for relation, index in found]


def _instead(subject: Subject, index: Index) -> str:
    relation, definition = subject.before.relations[index.relation], subject.definitions[index]
    if relation.kind == "p":
        return _partitioned(subject, index, definition)
    return f"Writes go on with:\n{advice.create_index(index, relation, subject.after, definition)}"


def _partitioned(subject: Subject, index: Index, definition: str) -> str:
    words = "PostgreSQL cannot build a partitioned table's index CONCURRENTLY. Build one per partition and revision"
    parts = [one for one in subject.definitions if isinstance(one, Index) and _is_part(subject, one, index)]
    if any(subject.after.relations[one.relation].kind == "p" for one in parts):
        return f"{words}, and attach it to that of the whole table."
    name = index.name
    lines = [advice.execute(definition)]
    for one in parts:
        relation = subject.after.relations[one.relation]
        create = advice.create_index(one, relation, subject.after, subject.definitions[one])
        lines += [advice.later(create), advice.later(advice.execute(f"ALTER INDEX {name} ATTACH PARTITION {one.name}"))]
    return "\n".join([f"{words}:", *lines])


def _is_part(subject: Subject, index: Index, whole: Index) -> bool:
    """Return whether the statement built the index for a partition. It has the numbers that follow the whole one."""
    relation = subject.after.relations.get(index.relation)
    return (
        relation is not None and relation.partition and index.number > whole.number and index.columns == whole.columns
    )
