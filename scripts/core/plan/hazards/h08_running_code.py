"""Breaks running code

While a release rolls out, and after a rollback of it, the code of yesterday runs on the schema of today. What it names
must still be there, and what it inserts must still be accepted. What the running code expects is read from the models
of the main branch: a column whose field was already gone there may go.
"""

from collections.abc import Iterator

from scripts.core.plan import advice
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK
from scripts.core.plan.trace import Statement
from scripts.core.schema.catalog_snapshot import Change, Column, Relation

ID, NAME = "H08", "breaks running code"

Broken = tuple[str, str | None, str, str]
"""Table, severity, message, what to do instead."""


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        for name, severity, message, instead in [*_relations(subject, statement), *_columns(subject, statement)]:
            if severity and (subject.weights.severity(name) or subject.is_view(name)):
                yield Finding(ID, NAME, severity, name, "none", statement.line, message, instead)


def _relations(subject: Subject, statement: Statement) -> Iterator[Broken]:
    later = {relation.name for relation in subject.after.relations.values()}
    for _, was, now in subject.existing(statement, Relation):
        if not was or was.kind == "S" or was.name in later:
            continue
        severity = subject.expects(was.name)
        if now and now.name != was.name:
            view = advice.execute(f"CREATE VIEW {was.name} AS SELECT * FROM {now.name}")
            yield (
                was.name,
                severity,
                f"{was.name} is {now.name} now; code that runs asks for {was.name}.",
                (f"Leave a view of the old name, which also takes writes, until no code uses it:\n{view}"),
            )
        elif not now:
            yield (
                was.name,
                severity,
                f"{was.name} is gone; code that runs asks for it.",
                ("Remove its model first; drop it when that release runs."),
            )


def _columns(subject: Subject, statement: Statement) -> Iterator[Broken]:
    for change, was, now in subject.existing(statement, Column):
        if not change.relation or change.relation.number not in subject.after.relations:
            continue
        name = change.relation.name
        if was and not now:
            yield (
                name,
                subject.expects(name, was.name),
                f"{name}.{was.name} is gone; code that runs asks for it.",
                ("Remove the model's field first; drop the column when that release runs."),
            )
        elif was and now and was.name != now.name:
            yield _renamed(subject, name, was, now)
        elif now and now.not_null and not now.default and not (was and was.not_null):
            yield _required(subject, change, was, now)


def _renamed(subject: Subject, name: str, was: Column, now: Column) -> Broken:
    add = advice.execute(f"ALTER TABLE {name} ADD COLUMN {advice.identifier(now.name)} {now.type}")
    return (
        name,
        subject.expects(name, was.name),
        f"{name}.{was.name} is {now.name} now; code that runs asks for {was.name}.",
        f"Keep the column's name and change the field's: mapped_column({advice.quoted(was.name)}). Or add a column, let"
        f" the application write both, fill it, read it, and drop the old one later:\n{add}",
    )


def _required(subject: Subject, change: Change, was: Column | None, now: Column) -> Broken:
    assert change.relation
    name, field = change.relation.name, now.name
    table, schema = advice.table(change.relation), advice.schema(change.relation)
    if not was:
        message = (
            f"{name}.{field} is NOT NULL and has no default: what running code inserts is refused, and the revision"
            " fails where there are rows."
        )
        code = f'op.add_column({table}, sa.Column("{field}", …, server_default="…", nullable=False){schema})'
        return name, BLOCK, message, f"Give it a default in the database, which rewrites nothing:\n{code}"
    message = f"{name}.{field} is NOT NULL now and has no default: code that runs may leave it empty."
    code = f'op.alter_column({table}, "{field}", server_default="…"{schema})'
    instead = f"Release code that always fills it first, or give it a default:\n{code}"
    return name, subject.may_leave_empty(name, field), message, instead
