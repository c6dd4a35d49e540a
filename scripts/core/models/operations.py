"""Operations for differences that autogenerate does not see: constraints, options of indexes, labels, collations.

What PostgreSQL printed of both databases becomes the statements, up and down. The rest is left to the author.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation
from alembic.operations.ops import DropColumnOp, DropTableOp, MigrationScript, ModifyTableOps, OpContainer

from scripts.core.models import comparable, new_types
from scripts.core.plan import advice
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.schema.compare import Difference
from scripts.core.schema.fingerprint import Schema

_TYPE = re.compile(rf"(?P<type>.+?)(?: COLLATE (?P<collation>{comparable.NAME}))?(?P<rest>(?: NOT NULL)?)")
_ONLY = re.compile(rf"\A(CREATE (?:UNIQUE )?INDEX {comparable.QUOTED} )ON ONLY ")
_LABEL = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True)
class ModelStep:
    """A statement up, and one down. An enum's new label has none down: PostgreSQL cannot remove it."""

    up: Sequence[Sql]
    down: Sequence[Sql]
    autocommit: bool = False
    """Whether `up` runs outside of the revision's transaction."""
    first: bool = False
    """Whether it comes before what autogenerate finds: a label that may be used, or a new name."""


def steps(differences: Sequence[Difference], described: Schema) -> list[ModelStep]:
    """Return the steps that turn what was found into what the models describe, where this page knows them."""
    made = [ModelStep(up, [down], first=True) for up, down in new_types.statements(differences, described)]
    return [*made, *(step for one in differences for step in _step(one))]


def _step(one: Difference) -> Iterator[ModelStep]:
    if one.name.startswith("enum ") and one.expected and one.found:
        yield from _labels(one.name.removeprefix("enum "), one.found, one.expected)
        return
    found = comparable.PART.fullmatch(one.name)
    if not found:
        return
    table, name = spelled(found["table"]), spelled(found["name"])
    if found["kind"] == "constraint":
        up, down = _constraint(table, name, one.found, one.expected), _constraint(table, name, one.expected, one.found)
        yield ModelStep(up, down)
    elif found["kind"] == "index":
        schema = found["table"].rpartition(".")[0]
        index = spelled(f"{schema}.{name}" if schema else name)
        yield ModelStep(_index(index, one.found, one.expected), _index(index, one.expected, one.found))
    elif one.expected and one.found:
        yield from _collation(table, name, one.found, one.expected)


def _constraint(table: Sql, name: Sql, was: str | None, wanted: str | None) -> list[Sql]:
    drop = [compose("ALTER TABLE {} DROP CONSTRAINT {}", table, name)] if was else []
    add = [compose("ALTER TABLE {} ADD CONSTRAINT {} {}", table, name, spelled(wanted))] if wanted else []
    return [*drop, *add]


def _index(index: Sql, was: str | None, wanted: str | None) -> list[Sql]:
    """PostgreSQL prints ON ONLY for a partitioned table. Run so, it would leave the partitions out."""
    made = [spelled(_ONLY.sub(r"\1ON ", wanted, count=1))] if wanted else []
    return [*([compose("DROP INDEX {}", index)] if was else []), *made]


def _collation(table: Sql, column: Sql, was: str, wanted: str) -> Iterator[ModelStep]:
    before, after = _TYPE.fullmatch(was), _TYPE.fullmatch(wanted)
    if not before or not after or (before["type"], before["rest"]) != (after["type"], after["rest"]):
        return
    up, down = (
        compose(
            "ALTER TABLE {} ALTER {} TYPE {} COLLATE {}",
            table,
            column,
            spelled(one["type"]),
            spelled(one["collation"] or '"default"'),
        )
        for one in (after, before)
    )
    yield ModelStep([up], [down])


def _labels(enum: str, was: str, wanted: str) -> Iterator[ModelStep]:
    """Yield a step for each new label, at its place. Without a label, a new type is needed: the author writes that."""
    there, labels = _LABEL.findall(was), _LABEL.findall(wanted)
    if [label for label in labels if label in there] != there:
        return
    for number, label in enumerate(labels):
        if label not in there:
            place = f" AFTER {labels[number - 1]}" if number else f" BEFORE {there[0]}" if there else ""
            up = compose("ALTER TYPE {} ADD VALUE IF NOT EXISTS {}{}", spelled(enum), spelled(label), spelled(place))
            yield ModelStep([up], [], autocommit=True, first=True)


class WriteStep(MigrateOperation):
    """Statements as Alembic code."""

    def __init__(self, statements: Sequence[str], *, autocommit: bool = False) -> None:
        self.statements, self.autocommit = statements, autocommit


@renderers.dispatch_for(WriteStep)
def _render(_context: AutogenContext, operation: WriteStep) -> list[str]:
    lines = [advice.execute(statement) for statement in operation.statements]
    return [advice.autocommit(*lines)] if operation.autocommit else lines


def add(script: MigrationScript, wanted: Sequence[ModelStep], dropped: Collection[str]) -> None:
    """Add the steps to a script of autogenerate, and leave out its drops of columns and tables that are not `dropped`.

    Autogenerate drops every table that no model describes: partitions, and tables of other tools.
    """
    assert script.upgrade_ops is not None
    assert script.downgrade_ops is not None
    leave_out(script.upgrade_ops, set(map(comparable.parts, dropped)))
    new_types.only_name(script.upgrade_ops)
    script.upgrade_ops.reverse_into(script.downgrade_ops)
    first = [step for step in wanted if step.first]
    later = [step for step in wanted if not step.first]
    script.upgrade_ops.ops[:0] = [WriteStep(step.up, autocommit=step.autocommit) for step in first]
    script.upgrade_ops.ops += [WriteStep(step.up) for step in later]
    script.downgrade_ops.ops[:0] = [WriteStep(step.down) for step in reversed(later) if step.down]
    script.downgrade_ops.ops += [WriteStep(step.down) for step in reversed(first) if step.down]


def leave_out(found: OpContainer, agreed: Collection[tuple[str, ...]]) -> list[str]:
    """Take away the drops of tables and columns that are not `agreed`, and return their names."""
    stay = {_table(one) for one in found.ops if isinstance(one, DropTableOp)} - {*agreed}
    names = [".".join(one) for one in sorted(stay)]
    found.ops[:] = [one for one in found.ops if _table(one) not in stay]
    for one in found.ops:
        if isinstance(one, ModifyTableOps):
            columns = [part for part in one.ops if isinstance(part, DropColumnOp)]
            left = [part for part in columns if (*_table(one), part.column_name) not in agreed]
            one.ops[:] = [part for part in one.ops if part not in left]
            names += [".".join((*_table(one), part.column_name)) for part in left]
    found.ops[:] = [one for one in found.ops if not isinstance(one, ModifyTableOps) or one.ops]
    return names


def _table(operation: MigrateOperation) -> tuple[str, ...]:
    """Return the parts of the name of an operation's table as in Schema, without the schema public."""
    schema, name = getattr(operation, "schema", None), getattr(operation, "table_name", "")
    return (name,) if schema in (None, "public") else (str(schema), name)
