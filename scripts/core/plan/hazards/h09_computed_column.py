"""Column computed for every row

A new column with a default that differs from row to row (random(), gen_random_uuid(), nextval() of a serial or identity
column) or with a stored expression has to be written into every row at once: the table is rewritten under an
ACCESS EXCLUSIVE lock. A constant, and now(), are not written into rows that are there already.
"""

from collections.abc import Iterator

from scripts.core.plan import advice
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.trace import Statement
from scripts.core.schema.catalog_snapshot import Column

ID, NAME = "H09", "column computed for every row"


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        for name, column in added(subject, statement).items():
            severity = subject.weights.severity(name)
            if severity:
                message = (
                    f"{name} is written anew to give each row its {column.name}; nobody reads or writes it until that"
                    f" is done{subject.weights.words(name)}."
                )
                instead = _instead(subject, name, column)
                yield Finding(ID, NAME, severity, name, "reads", statement.line, message, instead)


def added(subject: Subject, statement: Statement) -> dict[str, Column]:
    """Tables that the statement rewrites for a new column, and that column."""
    return {
        change.relation.name: now
        for change, was, now in subject.existing(statement, Column)
        if change.relation and now and not was and (now.default or now.generated)
        if change.relation.name in statement.rewrites
    }


def _instead(subject: Subject, name: str, column: Column) -> str:
    field = advice.identifier(column.name)
    fill = f"# then fill {column.name} in batches that are committed one by one"
    add = advice.execute(f"ALTER TABLE {name} ADD COLUMN {field} {column.type}")
    if column.generated or column.identity:
        return f"Add a plain column, and let a trigger or the application fill it for new rows:\n{add}\n{fill}"
    default = advice.execute(f"ALTER TABLE {name} ALTER COLUMN {field} SET DEFAULT {subject.definitions[column]}")
    return f"Add it without the default, which then holds for new rows only:\n{add}\n{default}\n{fill}"
