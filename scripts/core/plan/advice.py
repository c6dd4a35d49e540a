"""Alembic code that makes a change the safe way, with the user's own names."""

import re
import textwrap
from collections.abc import Iterable

from scripts.core.postgres.sql import typed
from scripts.core.schema.catalog_snapshot import Column, Constraint, Index, Relation, Snapshot


def table(relation: Relation) -> str:
    """Return the table as an argument of an operation."""
    return quoted(relation.bare)


def schema(relation: Relation) -> str:
    """Return the schema as the next argument, if it has to be named."""
    return f", schema={quoted(relation.schema)}" if relation.schema else ""


def quoted(text: str) -> str:
    """Return a literal as the formatter writes it. What cannot be printed is written as an escape."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in escaped) + '"'


def listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(quoted(name) for name in names) + "]"


def execute(sql: str) -> str:
    return f"op.execute({literal(sql)})"


def literal(sql: str) -> str:
    """Return a statement as an argument of op.execute() or sa.text(), for which :name is a parameter."""
    return quoted(re.sub(r"(?<![:\w\\]):(?=\w+(?!:|\w))", r"\\:", sql))


def autocommit(*lines: str) -> str:
    return "with op.get_context().autocommit_block():\n" + textwrap.indent("\n".join(lines), "    ")


def later(*lines: str) -> str:
    return "\n".join(["# in a later revision", *lines])


def bare(name: str) -> str:
    """Return a name without its schema and the quotes of SQL."""
    found = re.search(r'"((?:[^"]|"")*)"$', name)
    return found[1].replace('""', '"') if found else name.rpartition(".")[2]


def create_index(index: Index, relation: Relation, after: Snapshot, definition: str) -> str:
    """Return code that builds the same index without blocking writes. `definition`: as PostgreSQL prints it."""
    names = after.names(index.relation, index.columns)
    if not definition.endswith(f" USING btree ({', '.join(map(typed, names))})"):  # it has an expression or an option
        return autocommit(execute(definition.replace("INDEX ", "INDEX CONCURRENTLY IF NOT EXISTS ", 1)))
    columns = listed(names)
    words = [quoted(bare(index.name)), table(relation), columns, *["unique=True"] * index.unique]
    words += ["postgresql_concurrently=True", "if_not_exists=True"]
    return autocommit(f"op.create_index({', '.join(words)}{schema(relation)})")


def add_column(relation: Relation, column: Column, default: str) -> str:
    """Return code that adds a column which needs no rewrite. `default`: as PostgreSQL prints it, or nothing."""
    parts = ["ALTER TABLE", relation.name, "ADD COLUMN", typed(column.name), column.type]
    parts += [*["DEFAULT", default] * bool(default), *["NOT NULL"] * column.not_null]
    return execute(" ".join(parts))


def not_null(relation: Relation, column: str, *then: str) -> str:
    """Return code, without its first comment, that makes a column NOT NULL. `then`: code that needs that."""
    alter, name = f"ALTER TABLE {relation.name}", typed(f"ck_{relation.bare}_{column}_not_null"[:63])
    return "\n".join(
        [
            execute(f"{alter} ADD CONSTRAINT {name} CHECK ({typed(column)} IS NOT NULL) NOT VALID"),
            later(execute(f"{alter} VALIDATE CONSTRAINT {name}")),
            later(
                execute(f"{alter} ALTER COLUMN {typed(column)} SET NOT NULL"),
                *then,
                execute(f"{alter} DROP CONSTRAINT {name}"),
            ),
        ]
    )


def validate(constraint: Constraint, relation: Relation) -> str:
    """Return code for a revision of its own. It may take long, but reads and writes go on."""
    return later(execute(f"ALTER TABLE {relation.name} VALIDATE CONSTRAINT {typed(constraint.name)}"))
