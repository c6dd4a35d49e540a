"""The safe way to add a constraint or a NOT NULL. It ends in the same schema as the statement that was found."""

import re
from collections.abc import Iterable

from scripts.core.plan import advice
from scripts.core.plan.findings import Subject
from scripts.core.plan.trace import Statement
from scripts.core.postgres.sql import typed
from scripts.core.schema.catalog_snapshot import Column, Constraint, Index, Relation

KINDS = {"c": "CHECK", "f": "FOREIGN KEY", "p": "PRIMARY KEY", "u": "UNIQUE", "x": "EXCLUDE"}
_DEFERRABLE = re.compile(r"( NOT)? DEFERRABLE( INITIALLY DEFERRED)?$")
_SENT = " Release code that always sets {} before the last step, or give it a default: H08 stops that step until then."
_SENT_FIRST = _SENT.replace("the last step", "it")


def instead(subject: Subject, statement: Statement, what: Constraint | Column) -> str:
    if isinstance(what, Column):
        return _not_null(subject, what)
    if what.domain:
        return _of_domain(statement)
    relation = subject.after.relations[what.relation]
    if what.type == "x" or "WITHOUT OVERLAPS" in subject.definitions[what]:
        return f"PostgreSQL has no other way. Create a table with the constraint, and copy the rows of {relation.name}."
    if relation.kind == "p" and what.type != "c":
        return (
            "PostgreSQL has no NOT VALID or USING INDEX for a partitioned table. Add the constraint to each partition"
            " the safe way first. Then this statement finds them there."
        )
    columns = _added(subject, statement, what)
    if what.type in ("c", "f"):
        return _not_valid(relation, what, subject.definitions[what], columns)
    return _with_index(subject, statement, relation, what, columns)


def _added(subject: Subject, statement: Statement, what: Constraint) -> list[str]:
    """Return code for columns that the statement adds together with the constraint."""
    return [
        advice.add_column(change.relation, now, subject.definitions.get(now, ""))
        for change, was, now in subject.existing(statement, Column)
        if change.relation and now and not was and now.relation == what.relation
    ]


def _not_valid(relation: Relation, what: Constraint, definition: str, columns: Iterable[str]) -> str:
    add = f"ALTER TABLE {relation.name} ADD CONSTRAINT {typed(what.name)} {definition} NOT VALID"
    lines = [*columns, advice.execute(add), advice.validate(what, relation)]
    return "\n".join(["Add it with NOT VALID, and validate it later:", *lines])


def _with_index(
    subject: Subject, statement: Statement, relation: Relation, what: Constraint, columns: list[str]
) -> str:
    index, definition = next(
        (thing, text)
        for thing, text in subject.definitions.items()
        if isinstance(thing, Index) and (thing.relation, advice.bare(thing.name)) == (what.relation, what.name)
    )
    found = _DEFERRABLE.search(subject.definitions[what])
    name = typed(what.name)
    add = f"ALTER TABLE {relation.name} ADD CONSTRAINT {name} {KINDS[what.type]} USING INDEX {name}"
    add += found[0] if found else ""
    nullable = [
        now.name
        for _, was, now in subject.existing(statement, Column)
        if was and now and now.relation == what.relation and now.not_null and not was.not_null
    ]
    words = "Build the index while writes go on, then turn it into the constraint."
    words += _SENT.format(", ".join(nullable)) if nullable else ""
    steps = [advice.not_null(relation, column) for column in nullable]
    build = advice.create_index(index, relation, subject.after, definition)
    start = "\n".join([*columns, *([advice.later(build)] if columns else [build])])
    last = advice.later(advice.execute(add))
    return "\n".join([words.removesuffix(".") + ":" if not nullable else words, *_series([*steps, start, last])])


def _series(steps: list[str]) -> list[str]:
    """Return code of several revisions."""
    first, *others = steps
    return [first, *(one if one.startswith("# in a later") else advice.later(one) for one in others)]


def _not_null(subject: Subject, column: Column) -> str:
    relation = subject.after.relations[column.relation]
    may_be_empty = not column.default and subject.may_leave_empty(relation.name, column.name)
    if subject.weights.major >= 18:
        words = "Add it with NOT VALID, and validate it later"
        words += "." + _SENT_FIRST.format(column.name) if may_be_empty else ":"
        return f"{words}\n{not_null_since_18(relation, column.name)}"
    words = "If a valid CHECK exists, PostgreSQL does not read the table"
    if may_be_empty:
        words += "." + _SENT.format(column.name)
    else:
        words += ":"
    return f"{words}\n{advice.not_null(relation, column.name)}"


def not_null_since_18(relation: Relation, column: str) -> str:
    """Return code that makes a column NOT NULL, under the name that PostgreSQL gives it."""
    alter, name = f"ALTER TABLE {relation.name}", typed(f"{relation.bare}_{column}_not_null"[:63])
    add = advice.execute(f"{alter} ADD CONSTRAINT {name} NOT NULL {typed(column)} NOT VALID")
    return f"{add}\n{advice.later(advice.execute(f'{alter} VALIDATE CONSTRAINT {name}'))}"


def _of_domain(statement: Statement) -> str:
    words = (
        "Add it with NOT VALID, which checks new values only. VALIDATE CONSTRAINT of a domain stops the writes of each"
        " table that uses it, so run it when the application may wait"
    )
    sql = statement.sql.strip().rstrip(";")
    is_add = re.match(r"ALTER\s+DOMAIN\b.*\bADD\b", sql, re.IGNORECASE | re.DOTALL)
    return f"{words}:\n{advice.execute(f'{sql} NOT VALID')}" if is_add else f"{words}."
