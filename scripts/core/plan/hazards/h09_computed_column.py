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
from scripts.core.schema.catalog_snapshot import Column

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
                instead = _instead(subject, name, column)
                yield Finding(ID, NAME, severity, name, "reads", statement.line, message, instead)


def added(subject: Subject, statement: Statement) -> dict[str, Column]:
    """Return the tables that the statement rewrites for a new column, each with that column."""
    return {
        change.relation.name: now
        for change, was, now in subject.existing(statement, Column)
        if change.relation and now and not was and (now.default or now.generated)
        if change.relation.name in statement.rewrites
    }


def _instead(subject: Subject, name: str, column: Column) -> str:
    field = typed(column.name)
    fill = f"# then fill {column.name} in batches with a commit each"
    add = advice.execute(f"ALTER TABLE {name} ADD COLUMN {field} {column.type}")
    if column.generated or column.identity:
        return f"Add a plain column. Let a trigger or the application fill it for new rows:\n{add}\n{fill}"
    default = advice.execute(f"ALTER TABLE {name} ALTER COLUMN {field} SET DEFAULT {subject.definitions[column]}")
    return f"Add it without the default, and set the default for new rows afterwards:\n{add}\n{default}\n{fill}"
