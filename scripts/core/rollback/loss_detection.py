"""What a rollback would lose. It runs on a copy of the schema, and the losses are counted in the target."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, text

from scripts.core.plan import rehearsal
from scripts.core.plan.trace import Statement
from scripts.core.postgres import connections, schema_copy, scratch, session_timeouts
from scripts.core.postgres.lock_modes import ACCESS_SHARE
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.postgres.user_tables import RELATIONS
from scripts.core.revisions import naming
from scripts.core.rollback import write_triggers
from scripts.core.rows import data_loss
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Settings

TABLES = ("r", "p")
NO_TABLES = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
TEXT = re.compile(r"text|character( varying)?(\(\d+\))?")
READS = re.compile(r"\s*(SELECT|WITH|TABLE|DO)\b", re.IGNORECASE)
"""A statement with these words may depend on rows, and a copy has none."""
USING = re.compile(r"\bTYPE\b.*\bUSING\b", re.IGNORECASE | re.DOTALL)

# The sequence of a serial or identity column is dropped with the column.
_RELATIONS = text(
    "SELECT c.oid, c.oid::regclass::text AS name, relkind,"
    " ARRAY(SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid) AS parents"
    f" FROM {RELATIONS} WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
    " AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype IN ('a', 'i')"
    " AND classid = 'pg_class'::regclass))"
    " ORDER BY name"
)
# A generated column is computed from other columns.
_COLUMNS = text(
    "SELECT attrelid, attnum, quote_ident(attname) AS name, format_type(atttypid, atttypmod) AS type,"
    " atttypid, atttypmod FROM pg_attribute"
    f" WHERE attrelid IN (SELECT c.oid FROM {RELATIONS})"
    " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY name"
)


@dataclass(frozen=True)
class _Relation:
    name: Sql
    kind: str
    parents: Collection[int]
    """For a partition or an inheriting table: a count of the parent includes its rows."""


@dataclass(frozen=True)
class _Column:
    relation: int
    name: Sql
    type: Sql
    type_number: tuple[int, int]
    """The type with its modifier (length, precision)."""


@dataclass(frozen=True)
class _Schema:
    """Relations and columns by their numbers, which a rename does not change."""

    relations: dict[int, _Relation]
    columns: dict[tuple[int, int], _Column]


def find(target: Settings, wanted: str) -> list[Loss]:
    """Return what is lost by a rollback of the target to `wanted`, including raw SQL. The target is only read.

    Changes by the application's own triggers are not seen. Raise UserError if the schema cannot be copied, the
    downgrade fails on the copy, a loss cannot be counted, or there is no scratch server.
    """
    naming.fetch()  # once, before the child that runs the revisions is forked
    with scratch.session(target) as server:
        copy = schema_copy.schema(server, target)
        ours = scratch.as_administrator(server, copy)
        with connections.connect(ours) as connection:
            session_timeouts.allow_idle(connection)
            before = _read(connection)
            write_triggers.watch(connection)
            statements = rehearsal.undo(server, copy, wanted).statements
            after, changed = _read(connection), write_triggers.seen(connection)
    found = _compare(before, after, changed, statements)
    with data_loss.counting(target) as connection:
        return [replace(loss, count=data_loss.count(connection, loss)) for loss in found]


def _read(connection: Connection) -> _Schema:
    relations = {
        row.oid: _Relation(spelled(row.name), row.relkind, row.parents) for row in connection.execute(_RELATIONS)
    }
    columns = {
        (row.attrelid, row.attnum): _column(row)
        for row in connection.execute(_COLUMNS)
        if row.attrelid in relations and relations[row.attrelid].kind in TABLES
    }
    return _Schema(relations, columns)


def _column(row: Any) -> _Column:
    return _Column(row.attrelid, spelled(row.name), spelled(row.type), (row.atttypid, row.atttypmod))


def _compare(before: _Schema, after: _Schema, changed: set[int], statements: Sequence[Statement]) -> list[Loss]:
    computing = [statement for statement in statements if USING.search(statement.sql)]
    found = [*_gone(before, after), *_columns(before, after, using=bool(computing))]
    rewritten = {name for statement in computing for name in statement.rewrites}
    changed = changed | _numbers(rewritten - {loss.relation for loss in found}, before, after)
    read = _numbers({name for statement in statements for name in _read_by(statement)}, before, after)
    return [*found, *_rows(before, after, changed, read)]


def _gone(before: _Schema, after: _Schema) -> Iterator[Loss]:
    for relation in _outermost(before, before.relations.keys() - after.relations.keys()):
        if relation.kind in NO_TABLES:
            yield Loss(relation.name, None, f"rows ({NO_TABLES[relation.kind]})")
        elif relation.kind == "S":
            yield Loss(relation.name, None, "values of a sequence", where=Sql("is_called"))
        else:
            yield Loss(relation.name, None, "rows", where=data_loss.ROWS)


def _columns(before: _Schema, after: _Schema, *, using: bool) -> Iterator[Loss]:
    """Yield the columns that are dropped or get another type."""
    changed: dict[tuple[int, str], tuple[_Column, _Column | None]] = {}
    for place, column in before.columns.items():
        now = after.columns.get(place)
        if column.relation in after.relations and (now is None or now.type_number != column.type_number):
            changed[column.relation, column.name] = column, now
    for (number, name), (column, now) in changed.items():
        relation = before.relations[number]
        if any((parent, name) in changed for parent in relation.parents):
            continue
        if now is None:
            yield Loss(relation.name, name, "values", where=compose("{} IS NOT NULL", column.name))
        else:
            yield Loss(relation.name, name, f"values that may not fit {now.type}", where=_misfit(column, now, using))


def _misfit(old: _Column, new: _Column, using: bool) -> Sql:
    """Return a condition for values that the new type changes. After a USING, that is every value that is not null."""
    if using and not (TEXT.fullmatch(old.type) and TEXT.fullmatch(new.type)):
        return compose("{} IS NOT NULL", old.name)
    return compose("{}::{}::{} IS DISTINCT FROM {}", old.name, new.type, old.type, old.name)


def _rows(before: _Schema, after: _Schema, changed: set[int], read: set[int]) -> Iterator[Loss]:
    """Yield rows of tables that are not dropped."""
    staying = {
        number for number in after.relations.keys() & before.relations if before.relations[number].kind in TABLES
    }
    for relation in _outermost(before, changed & staying):
        yield Loss(relation.name, None, "rows that may be changed or deleted", where=data_loss.ROWS)
    for relation in _outermost(before, (read - changed) & staying):
        yield Loss(relation.name, None, "rows that are read, and may then be changed or deleted", where=data_loss.ROWS)


def _read_by(statement: Statement) -> set[str]:
    if not READS.match(statement.sql):
        return set()
    return {*statement.scans, *(lock["relation"] for lock in statement.locks if lock["mode"] == ACCESS_SHARE)}


def _numbers(names: Collection[str], before: _Schema, after: _Schema) -> set[int]:
    """Return the relations that have one of these names, before or after."""
    found = [*before.relations.items(), *after.relations.items()]
    return {number for number, relation in found if relation.name in names}


def _outermost(schema: _Schema, numbers: Collection[int]) -> list[_Relation]:
    """Return the relations without partitions and inheriting tables of the others."""
    return [
        relation
        for number, relation in schema.relations.items()
        if number in numbers and not any(parent in numbers for parent in relation.parents)
    ]
