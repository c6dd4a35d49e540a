"""Breaks running code

During a release, and after a rollback of one, old code runs on the new schema. Every table and column that it names
must still exist, and the rows that it inserts must still be accepted. It also needs its rights, its functions, and the
rows that it finds in a table. The models of the main branch say what running
code expects. A column may be dropped if its field was already removed there.
"""

from collections.abc import Iterator

from scripts.core.plan import advice, withdrawn
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK, NOTE, WARN
from scripts.core.plan.trace import Statement
from scripts.core.postgres.sql import typed
from scripts.core.schema.catalog_snapshot import Change, Column, Relation

ID, NAME = "H08", "breaks running code"

_VALUES = {
    "int": "0",
    "bigint": "0",
    "smallint": "0",
    "numeric": "0",
    "text": "''",
    "character v": "''",
    "bool": "false",
}
Broken = tuple[str, str | None, str, str]
"""Table, severity, message, the safe way."""


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        for name, severity, message, instead in [
            *_relations(subject, statement),
            *_columns(subject, statement),
            *_json(subject, statement),
            *((name, WARN, message, instead) for name, message, instead in withdrawn.found(subject, statement)),
        ]:
            if severity and (not name or subject.weights.severity(name) or subject.is_view(name)):
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
                f"{was.name} is now {now.name}, but running code uses {was.name}.",
                (f"Create a view with the old name, which also accepts writes, until no code uses it:\n{view}"),
            )
        elif not now:
            yield (
                was.name,
                severity,
                f"{was.name} is dropped, but running code uses it.",
                ("Remove its model first. Drop the table when that release runs."),
            )


def _columns(subject: Subject, statement: Statement) -> Iterator[Broken]:
    for change, was, now in subject.existing(statement, Column):
        if not change.relation or change.relation.number not in subject.after.relations:
            continue
        name, remaining = change.relation.name, _columns_at_the_end(subject, change.relation)
        if change.relation.partition and was and (not now or was.name != now.name):
            continue  # its table is named
        if was and not now and was.name not in remaining:
            yield (
                name,
                subject.expects(name, was.name),
                f"{name}.{was.name} is dropped, but running code uses it.",
                ("Remove the model's field first. Drop the column when that release runs."),
            )
        elif was and now and was.name != now.name and was.name not in remaining:
            yield _renamed(subject, name, was, now)
        elif now and _must_be_sent(now) and not (was and _must_be_sent(was)) and _must_be_sent(remaining.get(now.name)):
            yield _required(subject, change, was, now)


def _columns_at_the_end(subject: Subject, relation: Relation) -> dict[str, Column]:
    return {one.name: one for one in subject.after.columns.values() if one.relation == relation.number}


def _must_be_sent(column: Column | None) -> bool:
    """Return whether an INSERT without a value for it fails."""
    return column is not None and column.not_null and not column.default


def _json(subject: Subject, statement: Statement) -> Iterator[Broken]:
    for change, was, now in subject.every(statement, Column):
        if change.relation and now and now.type in ("json", "json[]") and (not was or was.type != now.type):
            message = f"{now.name} is json, which has no equality: SELECT DISTINCT, GROUP BY and UNION with it fail."
            yield change.relation.name, NOTE, message, "Use jsonb."


def _renamed(subject: Subject, name: str, was: Column, now: Column) -> Broken:
    add = advice.execute(f"ALTER TABLE {name} ADD COLUMN {typed(now.name)} {now.type}")
    return (
        name,
        subject.expects(name, was.name),
        f"{name}.{was.name} is now {now.name}, but running code uses {was.name}.",
        f"Keep the column's name and rename the field: mapped_column({advice.quoted(was.name)}). Or add a column. Let"
        f" the application write both, fill it, read it, and drop the old one later:\n{add}",
    )


def _required(subject: Subject, change: Change, was: Column | None, now: Column) -> Broken:
    assert change.relation
    name, field = change.relation.name, now.name
    if not was:
        message = (
            f"{name}.{field} is NOT NULL without a default. Inserts of running code fail, and so does the revision"
            " if there are rows."
        )
        value = next((value for kind, value in _VALUES.items() if now.type.startswith(kind)), None)
        code = [advice.add_column(change.relation, now, value)] if value else []
        words = "Give it a default in the database, which needs no rewrite"
        return name, BLOCK, message, "\n".join([f"{words}, such as:" if code else f"{words}.", *code])
    if was.not_null:
        message = f"{name}.{field} is NOT NULL and loses its default, but running code may leave it empty."
        instead = "Keep the default. Drop it when the running release always sets the column."
        return name, subject.may_leave_empty(name, field), message, instead
    message = f"{name}.{field} is now NOT NULL without a default, but running code may leave it empty."
    instead = "First release code that always sets it, or give it a default: server_default."
    return name, subject.may_leave_empty(name, field), message, instead
