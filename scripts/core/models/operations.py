"""Operations for differences that autogenerate does not see: constraints, options of indexes, labels, collations.

What PostgreSQL printed of both databases becomes the statements, up and down. The rest is left to the author.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation
from alembic.operations.ops import DropColumnOp, DropTableOp, MigrationScript, ModifyTableOps, OpContainer
from sqlalchemy import ForeignKeyConstraint

from scripts.core.models import columns, comparable, new_types, sequences
from scripts.core.models.compare import ModelComparison
from scripts.core.models.step import ModelStep, part
from scripts.core.plan import advice
from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.schema import enum_labels
from scripts.core.schema.compare import Difference

_DOMAIN = re.compile(rf"domain (?P<domain>{comparable.NAME}), constraint (?P<name>{comparable.QUOTED})")
_COMMENT = re.compile(
    rf"table (?P<table>{comparable.NAME}), constraint (?P<constraint>{comparable.QUOTED}), comment", re.DOTALL
)
_UNLOGGED = " UNLOGGED"
_DEFAULT = re.compile(rf"(?P<column>table {comparable.NAME}, column {comparable.QUOTED}), default")


def steps(found: ModelComparison) -> list[ModelStep]:
    """Return the steps that turn what was found into what the models describe, where this page knows them."""
    new = [ModelStep(up, [down], first=True) for up, down in new_types.statements(found.differences, found.described)]
    return [*new, *sequences.steps(found), *(one for difference in found.differences for one in _step(difference))]


def _step(one: Difference) -> Iterator[ModelStep]:
    if one.name.startswith("enum ") and one.expected and one.found:
        yield from _labels(one.name.removeprefix("enum "), one.found, one.expected)
    elif domain := _DOMAIN.fullmatch(one.name):
        yield ModelStep(_rule(domain, one.found, one.expected), _rule(domain, one.expected, one.found))
    elif one.expected and one.found and comparable.TABLE.fullmatch(one.name):
        yield from _logged(one.name.removeprefix("table "), one.found, one.expected)
    elif default := _DEFAULT.fullmatch(one.name):
        column = columns.names(default["column"])
        yield ModelStep(_default(column, one.expected), _default(column, one.found))
    elif (found := comparable.PART.fullmatch(one.name)) and found["kind"] == "column":
        yield from _column(one) if one.expected and one.found else ()
    elif commented := _COMMENT.fullmatch(one.name):
        yield ModelStep([_comment(commented, one.expected)], [_comment(commented, one.found)])
    elif found:
        yield ModelStep(part(one.name, one.found, one.expected), part(one.name, one.expected, one.found))


def _logged(table: str, was: str, wanted: str) -> Iterator[ModelStep]:
    """Yield the step for a table that is UNLOGGED from now on, or no longer. PostgreSQL changes nothing else of it."""
    if was.replace(_UNLOGGED, "", 1) != wanted.replace(_UNLOGGED, "", 1):
        return
    up, down = (
        compose("ALTER TABLE {} SET {}", spelled(table), Sql("UNLOGGED" if _UNLOGGED in text else "LOGGED"))
        for text in (wanted, was)
    )
    yield ModelStep([up], [down], first=True)


def _rule(domain: re.Match[str], was: str | None, wanted: str | None) -> list[Sql]:
    alter, name = compose("ALTER DOMAIN {}", spelled(domain["domain"])), spelled(domain["name"])
    drop = [compose("{} DROP CONSTRAINT {}", alter, name)] if was else []
    return [*drop, *([compose("{} ADD CONSTRAINT {} {}", alter, name, spelled(wanted))] if wanted else [])]


def _comment(on: re.Match[str], wanted: str | None) -> Sql:
    value = sql.value(wanted) if wanted is not None else Sql("NULL")
    return compose("COMMENT ON CONSTRAINT {} ON {} IS {}", spelled(on["constraint"]), spelled(on["table"]), value)


def _default(column: tuple[Sql, Sql], wanted: str | None) -> list[Sql]:
    what = compose("SET DEFAULT {}", spelled(wanted)) if wanted is not None else Sql("DROP DEFAULT")
    return [compose("ALTER TABLE {} ALTER {} {}", *column, what)]


def _column(one: Difference) -> Iterator[ModelStep]:
    """Yield the step for another collation or default, if the type is the same, or for other fields of an interval."""
    before, after = (columns.COLUMN.fullmatch(text or "") for text in (one.found, one.expected))
    if not before or not after:
        return
    is_same = before["type"] == after["type"]
    if not is_same and not (before["type"].startswith("interval") and after["type"].startswith("interval")):
        return
    if before["default"] != after["default"]:
        column = columns.names(one.name)
        yield ModelStep(_default(column, after["default"]), _default(column, before["default"]))
    if is_same and before["collate"] == after["collate"]:
        return
    up, down = (
        compose(
            "ALTER TABLE {} ALTER {} TYPE {}{}",
            *columns.names(one.name),
            spelled(to["type"]),
            spelled(to["collate"] or ' COLLATE "default"') if is_same else Sql(),
        )
        for to in (after, before)
    )
    yield ModelStep([up], [down])


def _labels(enum: str, was: str, wanted: str) -> Iterator[ModelStep]:
    """Yield a step for each new label, at its place. Without a label, a new type is needed: see conversions.py."""
    there, labels = enum_labels.LABEL.findall(was), enum_labels.LABEL.findall(wanted)
    for number, label in enumerate(labels) if enum_labels.only_adds(was, wanted) else ():
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


def add(script: MigrationScript, wanted: Sequence[ModelStep], dropped: Mapping[tuple[str, ...], str]) -> None:
    """Add the steps to a script of autogenerate, and leave out its drops of columns and tables that are not `dropped`.

    Autogenerate drops every table that no model describes: partitions, and tables of other tools. It does not read
    partition keys: they are the values of `dropped`.
    """
    assert script.upgrade_ops is not None
    assert script.downgrade_ops is not None
    _leave_out(script.upgrade_ops, dropped)
    for one in (one for one in script.upgrade_ops.ops if isinstance(one, DropTableOp)):
        if key := dropped["table", *table(one)]:
            one.table_kw["postgresql_partition_by"] = key
    new_types.only_name(script.upgrade_ops)
    script.upgrade_ops.reverse_into(script.downgrade_ops)
    new_types.only_name(script.downgrade_ops)
    first = [step for step in wanted if step.first]
    later = [step for step in wanted if not step.first]
    script.upgrade_ops.ops[:0] = [WriteStep(step.up, autocommit=step.autocommit) for step in first if step.up]
    script.upgrade_ops.ops += [WriteStep(step.up) for step in later]
    script.downgrade_ops.ops[:0] = [WriteStep(step.down) for step in reversed(later) if step.down]
    script.downgrade_ops.ops += [WriteStep(step.down) for step in reversed(first) if step.down]


def _leave_out(found: OpContainer, agreed: Collection[tuple[str, ...]]) -> None:
    """Take away the drops of tables and columns that are not `agreed`."""
    found.ops[:] = [one for one in found.ops if not isinstance(one, DropTableOp) or ("table", *table(one)) in agreed]
    for one in (one for one in found.ops if isinstance(one, ModifyTableOps)):
        one.ops[:] = [
            part
            for part in one.ops
            if not isinstance(part, DropColumnOp) or ("column", *table(one), part.column_name) in agreed
        ]
    found.ops[:] = [one for one in found.ops if not isinstance(one, ModifyTableOps) or one.ops]


def leave_out_keys(found: OpContainer, keys: Collection[tuple[str | None, str, str]]) -> None:
    """Take away keys to single partitions from what the downgrade makes again. Later there may be other partitions."""
    for one in (one for one in found.ops if isinstance(one, DropTableOp) and one._reverse):
        assert one._reverse
        of = (one.schema, one.table_name)
        one._reverse.columns = [
            part
            for part in one._reverse.columns
            if not isinstance(part, ForeignKeyConstraint) or (*of, str(part.name)) not in keys
        ]


def table(operation: MigrateOperation) -> tuple[str, ...]:
    """Return the parts of the name of an operation's table as in Schema, without the schema public."""
    schema, name = getattr(operation, "schema", None), getattr(operation, "table_name", "")
    return (name,) if schema in (None, "public") else (str(schema), name)
