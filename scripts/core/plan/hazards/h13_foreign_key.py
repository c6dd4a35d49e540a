"""Foreign key without an index

PostgreSQL indexes the columns that a foreign key refers to, not its own columns. So each DELETE and each change of a
key in the parent reads the whole child table. A join from the parent does too.
"""

from collections.abc import Iterator

from scripts.core.plan import advice
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import NOTE
from scripts.core.plan.trace import Statement
from scripts.core.schema.catalog_snapshot import Constraint

ID, NAME = "H13", "foreign key without an index"


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        for _, was, now in subject.every(statement, Constraint):
            if now and not was and now.type == "f" and _is_kept(subject, now) and not _is_indexed(subject, now):
                yield _finding(subject, statement, now)


def _finding(subject: Subject, statement: Statement, key: Constraint) -> Finding:
    relation, parent = subject.after.relations[key.relation], subject.after.relations[key.foreign]
    columns = subject.after.names(key.relation, key.columns)
    message = (
        f"{relation.name} has no index that begins with {', '.join(columns)}, so a DELETE in {parent.name} reads all of"
        f" {relation.name}."
    )
    name = advice.quoted("_".join(["ix", relation.bare, *columns]))
    create = (
        f"op.create_index({name}, {advice.table(relation)}, {advice.listed(columns)}, postgresql_concurrently=True,"
        f" if_not_exists=True{advice.schema(relation)})"
    )
    instead = f"In a model: index=True. In a revision of its own:\n{advice.autocommit(create)}"
    return Finding(ID, NAME, NOTE, relation.name, "none", statement.line, message, instead)


def _is_kept(subject: Subject, key: Constraint) -> bool:
    """Return whether the key exists at the end of the revision. A partition's key counts as that of the whole table."""
    return key.number in subject.after.constraints and not subject.after.relations[key.relation].partition


def _is_indexed(subject: Subject, key: Constraint) -> bool:
    """Return whether this revision or a later pending one makes an index."""
    seen = {**subject.after.indexes, **subject.final.indexes}.values()
    indexes = (index for index in seen if index.relation == key.relation)
    return any(
        index.valid and not index.partial and set(index.columns[: len(key.columns)]) == set(key.columns)
        for index in indexes
    )
