"""Constraint validated at once

Adding a CHECK, FOREIGN KEY, UNIQUE, PRIMARY KEY or EXCLUDE constraint, a NOT NULL, or a condition of a domain reads the
whole table under a lock. With NOT VALID, PostgreSQL checks only new rows at once. VALIDATE CONSTRAINT checks the old
rows later, while reads and writes go on.
"""

from collections.abc import Iterator

from scripts.core.plan import advice
from scripts.core.plan.findings import Finding, Subject, blocks, whom
from scripts.core.plan.trace import Statement
from scripts.core.postgres.sql import typed
from scripts.core.schema.catalog_snapshot import Column, Constraint, Relation

ID, NAME = "H04", "constraint validated at once"
KINDS = {"c": "CHECK", "f": "FOREIGN KEY", "p": "PRIMARY KEY", "u": "UNIQUE", "x": "EXCLUDE"}


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        locks = subject.holding(statement) | subject.locks(statement)
        for name, what in validated(subject, statement):
            severity = subject.weights.severity(name)
            if severity and name in locks:
                title = f"NOT NULL of {what.name}" if isinstance(what, Column) else f"{KINDS[what.type]} {what.name}"
                message = (
                    f"{title}: {name} is read completely, which blocks {whom(locks[name])} until the commit"
                    f"{subject.weights.words(name)}."
                )
                instead = _instead(subject, what)
                yield Finding(ID, NAME, severity, name, blocks(locks[name]), statement.line, message, instead)


def validated(subject: Subject, statement: Statement) -> list[tuple[str, Constraint | Column]]:
    """Return existing tables that the statement reads, each with its new constraint or NOT NULL."""
    added = [
        (change.relation.name, now)
        for change, was, now in subject.existing(statement, Constraint)
        if change.relation and now and not was and now.valid and _is_read(change.relation, statement)
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


def _instead(subject: Subject, what: Constraint | Column) -> str:
    if isinstance(what, Column):
        return _not_null(subject.after.relations[what.relation], what)
    if what.domain:
        name = typed(what.name)
        return (
            f"Add it with NOT VALID, and validate it later:\n"
            f"{advice.execute(f'ALTER DOMAIN {what.domain} ADD CONSTRAINT {name} CHECK (…) NOT VALID')}\n"
            + advice.later(advice.execute(f"ALTER DOMAIN {what.domain} VALIDATE CONSTRAINT {name}"))
        )
    relation = subject.after.relations[what.relation]
    columns = subject.after.names(what.relation, what.columns)
    makers = {"f": _foreign_key, "c": _check, "u": _with_index, "p": _with_index, "x": _exclusion}
    return makers[what.type](subject, relation, what, columns)


def _foreign_key(subject: Subject, relation: Relation, what: Constraint, columns: list[str]) -> str:
    parent = subject.after.relations[what.foreign]
    others = subject.after.names(what.foreign, what.foreign_columns)
    schemas = advice.schema(relation).replace("schema=", "source_schema=")
    schemas += advice.schema(parent).replace("schema=", "referent_schema=")
    return (
        "Add it with NOT VALID, and validate it later:\n"
        f"op.create_foreign_key({advice.quoted(what.name)}, {advice.table(relation)}, {advice.table(parent)},"
        f" {advice.listed(columns)}, {advice.listed(others)}{schemas}, postgresql_not_valid=True)\n"
        + advice.validate(what, relation)
    )


def _check(subject: Subject, relation: Relation, what: Constraint, _columns: list[str]) -> str:
    condition = subject.definitions[what].removeprefix("CHECK (").removesuffix(")")
    return (
        "Add it with NOT VALID, and validate it later:\n"
        f"op.create_check_constraint({advice.quoted(what.name)}, {advice.table(relation)}, {advice.quoted(condition)},"
        f" postgresql_not_valid=True{advice.schema(relation)})\n" + advice.validate(what, relation)
    )


def _with_index(_: Subject, relation: Relation, what: Constraint, columns: list[str]) -> str:
    create = (
        f"op.create_index({advice.quoted(what.name)}, {advice.table(relation)}, {advice.listed(columns)}, unique=True,"
        f" postgresql_concurrently=True, if_not_exists=True{advice.schema(relation)})"
    )
    add = f"ALTER TABLE {relation.name} ADD CONSTRAINT {typed(what.name)}"
    return (
        "Build the index while writes go on, then turn it into the constraint:\n"
        f"{advice.autocommit(create)}\n"
        + advice.later(advice.execute(f"{add} {KINDS[what.type]} USING INDEX {typed(what.name)}"))
    )


def _exclusion(_: Subject, relation: Relation, _what: Constraint, _columns: list[str]) -> str:
    return f"PostgreSQL has no other way. Create a table with the constraint, and copy the rows of {relation.name}."


def _not_null(relation: Relation, column: Column) -> str:
    name = f"ck_{relation.bare}_{column.name}_not_null"
    constraint, table, schema = typed(name), advice.table(relation), advice.schema(relation)
    condition = advice.quoted(f"{typed(column.name)} IS NOT NULL")
    return (
        "If a valid CHECK exists, PostgreSQL does not read the table:\n"
        f"op.create_check_constraint({advice.quoted(name)}, {table}, {condition}, postgresql_not_valid=True{schema})\n"
        + advice.later(advice.execute(f"ALTER TABLE {relation.name} VALIDATE CONSTRAINT {constraint}"))
        + "\n"
        + advice.later(
            f"op.alter_column({table}, {advice.quoted(column.name)}, nullable=False{schema})",
            advice.execute(f"ALTER TABLE {relation.name} DROP CONSTRAINT {constraint}"),
        )
    )
