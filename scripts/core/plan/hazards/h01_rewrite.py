"""Table rewrite

Most changes of a column's type, SET UNLOGGED, CLUSTER and VACUUM FULL write the whole table and all its indexes again.
They hold an ACCESS EXCLUSIVE lock until the commit, which blocks all reads and writes. The disk must have room for both
copies.
"""

import re
from collections.abc import Iterator

from scripts.core.plan import advice, row_writes
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.hazards import h09_computed_column
from scripts.core.plan.trace import Statement
from scripts.core.postgres import sql, statements
from scripts.core.postgres.sql import typed
from scripts.core.schema import catalog_snapshot
from scripts.core.schema.catalog_snapshot import MAY_HAVE_ROWS, Column, Relation

ID, NAME = "H01", "table rewrite"


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        for relation in rewritten(subject, statement):
            severity = subject.weights.severity(relation.name)
            if severity:
                message = (
                    f"{relation.name} and its indexes are rewritten, which blocks its reads and writes until the commit"
                    f"{subject.weights.words(relation.name)}."
                )
                instead = _instead(subject, statement, relation)
                yield Finding(ID, NAME, severity, relation.name, "reads", statement.line, message, instead)


def rewritten(subject: Subject, statement: Statement) -> list[Relation]:
    """Return the tables that are rewritten, except those whose reason has its own advice."""
    others = {*h09_computed_column.added(subject, statement), *row_writes.truncated(subject, statement)}
    found = [subject.found(name) for name in statement.rewrites if name not in others]
    return [relation for relation in found if relation and relation.kind in MAY_HAVE_ROWS]


def _instead(subject: Subject, statement: Statement, relation: Relation) -> str:
    if relation.kind == "m":
        return _refresh(subject, statement, relation)
    for _, was, now in subject.existing(statement, Column):
        if was and now and was.type != now.type and now.relation == relation.number:
            return _more_values(subject, was, now) or _new_column(relation, was, now)
    return "Leave it as it is, or use pg_repack, which holds the lock only for a moment."


def _refresh(subject: Subject, statement: Statement, relation: Relation) -> str:
    if re.search(r"\bWITH\s+NO\s+DATA\b", statements.plain(statement.sql), re.IGNORECASE):
        return "Leave it with its rows: reads fail until the next refresh. WITH NO DATA cannot be CONCURRENTLY."
    indexes = (one for one in subject.after.indexes.values() if one.relation == relation.number)
    if any(one.unique and one.valid and not one.partial and all(one.columns) for one in indexes):
        refresh = advice.execute(f"REFRESH MATERIALIZED VIEW CONCURRENTLY {relation.name}")
        return f"With a unique index on it, reads go on:\n{refresh}"
    return "Give it a unique index of columns, in a revision before this one. Then refresh it CONCURRENTLY."


def _more_values(subject: Subject, was: Column, now: Column) -> str:
    """Return how an enum gets new values, if its new type has all values of the old one."""
    before, after = catalog_snapshot.values(subject.before), catalog_snapshot.values(subject.after)
    old, new = before.get(now.type) or before.get(was.type), after.get(now.type, [])
    if not old or not set(old) < set(new):
        return ""
    added = [advice.execute(f"ALTER TYPE {now.type} ADD VALUE {sql.value(one)}") for one in new if one not in old]
    return "\n".join(["A value is added without a rewrite:", *added])


def _new_column(relation: Relation, was: Column, now: Column) -> str:
    column = f"{now.name}_new"
    return (
        "Add a column. Let the application write both, fill it in batches, read it, and drop the old one later:\n"
        + advice.execute(f"ALTER TABLE {relation.name} ADD COLUMN {typed(column)} {now.type}")
        + f"\n# then, in batches with a commit each: {column} = {was.name}"
    )
