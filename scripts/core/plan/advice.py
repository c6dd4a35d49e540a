"""Alembic code that makes a change the safe way, with the user's own names."""

import textwrap
from collections.abc import Iterable

from scripts.core.postgres.sql import typed
from scripts.core.schema.catalog_snapshot import Constraint, Index, Relation, Snapshot


def table(relation: Relation) -> str:
    """Return the table as an argument of an operation."""
    return quoted(relation.bare)


def schema(relation: Relation) -> str:
    """Return the schema as the next argument, if it has to be named."""
    return f", schema={quoted(relation.schema)}" if relation.schema else ""


def quoted(text: str) -> str:
    """Return a literal as the formatter writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(quoted(name) for name in names) + "]"


def execute(sql: str) -> str:
    return f"op.execute({quoted(sql)})"


def autocommit(*lines: str) -> str:
    return "with op.get_context().autocommit_block():\n" + textwrap.indent("\n".join(lines), "    ")


def later(*lines: str) -> str:
    return "\n".join(["# in a later revision", *lines])


def bare(name: str) -> str:
    """Return a name without its schema and the quotes of SQL."""
    return name.rpartition('"."')[2].replace('""', '"').strip('"') if '"' in name else name.rpartition(".")[2]


def create_index(index: Index, relation: Relation, after: Snapshot, definition: str) -> str:
    """Return code that builds the same index without blocking writes. `definition`: as PostgreSQL prints it."""
    if index.partial or 0 in index.columns or " USING btree " not in definition:
        return autocommit(execute(definition.replace("INDEX ", "INDEX CONCURRENTLY IF NOT EXISTS ", 1)))
    columns = listed(after.names(index.relation, index.columns))
    words = [quoted(bare(index.name)), table(relation), columns, *["unique=True"] * index.unique]
    words += ["postgresql_concurrently=True", "if_not_exists=True"]
    return autocommit(f"op.create_index({', '.join(words)}{schema(relation)})")


def validate(constraint: Constraint, relation: Relation) -> str:
    """Return code for a revision of its own. It may take long, but reads and writes go on."""
    return later(execute(f"ALTER TABLE {relation.name} VALIDATE CONSTRAINT {typed(constraint.name)}"))
