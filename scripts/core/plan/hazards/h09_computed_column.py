"""Column computed for every row

If a new column's default differs from row to row, PostgreSQL writes it into every row at once. Examples are random(),
gen_random_uuid(), nextval() of a serial or identity column, and stored expressions. The table is rewritten under an
ACCESS EXCLUSIVE lock. A constant or now() needs no rewrite.
"""

from collections.abc import Iterator

from scripts.core.plan import advice
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import WARN
from scripts.core.plan.trace import Statement
from scripts.core.postgres.sql import typed
from scripts.core.schema.catalog_snapshot import Column, Relation

ID, NAME = "H09", "column computed for every row"


def find(subject: Subject) -> Iterator[Finding]:
    for line in subject.computed:
        message = "Computed() without persisted makes a stored column up to PostgreSQL 17, and a virtual one since 18."
        instead = "Say which: persisted=True is stored on each version, persisted=False is virtual."
        yield Finding(ID, NAME, WARN, "", "none", line, message, instead)
    for statement in subject.statements:
        for name, column in added(subject, statement).items():
            severity = subject.weights.severity(name)
            if severity:
                message = (
                    f"{name} is rewritten to fill {column.name}, which blocks its reads and writes until the commit"
                    f"{subject.weights.words(name)}."
                )
                instead = _instead(subject, statement, name, column)
                yield Finding(ID, NAME, severity, name, "reads", statement.line, message, instead)


def added(subject: Subject, statement: Statement) -> dict[str, Column]:
    """Return the tables that the statement rewrites for a new column, each with that column."""
    return {
        change.relation.name: now
        for change, was, now in subject.existing(statement, Column)
        if change.relation and now and not was and (now.default or now.generated)
        if change.relation.name in statement.rewrites
    }


def _instead(subject: Subject, statement: Statement, name: str, column: Column) -> str:
    table, field = subject.after.relations[column.relation], typed(column.name)
    fill = f"# then fill {column.name} in batches with a commit each"
    add = advice.execute(f"ALTER TABLE {name} ADD COLUMN {field} {column.type}")
    if column.generated:
        return f"Add a plain column. Let a trigger or the application fill it for new rows:\n{add}\n{fill}"
    if column.identity:
        kind = "ALWAYS" if column.identity == "a" else "BY DEFAULT"
        identity = advice.execute(f"ALTER TABLE {name} ALTER COLUMN {field} ADD GENERATED {kind} AS IDENTITY")
        words = "Add a plain column. Let a trigger or the application fill it for new rows, and number it afterwards:"
        return "\n".join([words, add, fill, advice.later(advice.not_null(table, column.name, identity))])
    lines = [add, *_sequence(subject, statement, name, column)]
    lines += [
        advice.execute(f"ALTER TABLE {name} ALTER COLUMN {field} SET DEFAULT {subject.definitions[column]}"),
        fill,
    ]
    lines += [advice.later(advice.not_null(table, column.name))] * column.not_null
    return "\n".join(["Add it without the default, and set the default for new rows afterwards:", *lines])


def _sequence(subject: Subject, statement: Statement, name: str, column: Column) -> list[str]:
    """Return code for the sequence that a serial column creates."""
    made = [now.name for _, was, now in subject.every(statement, Relation) if now and not was and now.kind == "S"]
    return [
        advice.execute(f"CREATE SEQUENCE {one} AS {column.type} OWNED BY {name}.{typed(column.name)}") for one in made
    ]
