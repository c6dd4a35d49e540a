"""What one session sees in PostgreSQL's catalogs, by number (OID), and the changes between two readings.

A rename keeps the number. So a renamed table is one changed table, not a dropped and a created one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from scripts.core.postgres import driver
from scripts.core.postgres.driver import Session
from scripts.core.postgres.user_tables import EVERY, FIRST_OID
from scripts.core.schema.catalogs import versions

MAY_HAVE_ROWS = ("r", "p", "m")


@dataclass(frozen=True)
class Relation:
    number: int
    name: str
    """The name in SQL: quoted, and with the schema if it is needed."""
    bare: str
    """The name without quotes and schema, for Alembic's operations."""
    schema: str | None
    """The schema, if it has to be named."""
    kind: str
    """r table, p partitioned table, m materialized view, v view, f foreign table, S sequence."""
    partition: bool
    file: int | None


@dataclass(frozen=True)
class Index:
    number: int
    relation: int
    name: str
    unique: bool
    valid: bool
    partial: bool
    columns: tuple[int, ...]
    """Numbers of the key columns; 0 is an expression."""
    file: int | None


@dataclass(frozen=True)
class Column:
    number: int
    relation: int
    name: str
    type: str
    not_null: bool
    default: bool
    """Whether it has a default or is computed."""
    generated: str
    """s stored, v virtual, or nothing."""
    identity: str


@dataclass(frozen=True)
class Constraint:
    number: int
    relation: int
    """0 for a constraint of a domain."""
    name: str
    type: str
    """c check, f foreign key, p primary key, u unique, x exclusion."""
    valid: bool
    columns: tuple[int, ...]
    foreign: int
    """The table that a foreign key refers to; 0 for other constraints."""
    foreign_columns: tuple[int, ...]
    domain: str


@dataclass(frozen=True)
class Label:
    number: int
    enum: str
    name: str


Thing = Relation | Index | Column | Constraint | Label
T = TypeVar("T", Relation, Index, Column, Constraint, Label)

_QUERIES: dict[type[Any], str] = {
    Relation: (
        "SELECT c.oid, c.oid::regclass::text, relname, CASE WHEN NOT pg_table_is_visible(c.oid) THEN nspname END,"
        " relkind::text, relispartition, pg_relation_filenode(c.oid)"
        f" FROM {EVERY} WHERE relkind IN ('r', 'p', 'm', 'v', 'f', 'S')"
    ),
    Index: (
        "SELECT indexrelid, indrelid, indexrelid::regclass::text, indisunique, indisvalid, indpred IS NOT NULL,"
        " (indkey::int2[])[0:indnkeyatts - 1], pg_relation_filenode(indexrelid)"
        f" FROM pg_index WHERE indrelid IN (SELECT c.oid FROM {EVERY})"
    ),
    Column: (
        "SELECT attnum, attrelid, attname, format_type(atttypid, atttypmod), attnotnull,"
        " atthasdef OR attidentity <> '', attgenerated::text, attidentity::text"
        f" FROM pg_attribute WHERE attrelid IN (SELECT c.oid FROM {EVERY} WHERE relkind IN ('r', 'p', 'm', 'v', 'f'))"
        " AND attnum > 0 AND NOT attisdropped"
    ),
    # NOT NULL (n, since PostgreSQL 18) belongs to a column; t belongs to a trigger.
    Constraint: (
        "SELECT oid, conrelid, conname, contype::text, convalidated, coalesce(conkey, '{}'), confrelid,"
        " coalesce(confkey, '{}'),"
        " CASE WHEN contypid <> 0 THEN contypid::regtype::text ELSE '' END"
        f" FROM pg_constraint WHERE (conrelid IN (SELECT c.oid FROM {EVERY}) OR contypid >= {FIRST_OID})"
        " AND contype IN ('c', 'f', 'p', 'u', 'x')"
    ),
    Label: f"SELECT oid, enumtypid::regtype::text, enumlabel FROM pg_enum WHERE oid >= {FIRST_OID}",
}


@dataclass(frozen=True)
class Snapshot:
    relations: dict[int, Relation]
    indexes: dict[int, Index]
    columns: dict[tuple[int, int], Column]
    """By relation and column number."""
    constraints: dict[int, Constraint]
    labels: dict[int, Label]
    versions: tuple[Any, ...] = ()
    """Versions of the rows that it was read from."""

    def names(self, relation: int, numbers: Iterable[int]) -> list[str]:
        """Return the names of a relation's columns, without expressions."""
        return [self.columns[relation, number].name for number in numbers if number]


def values(seen: Snapshot) -> dict[str, list[str]]:
    """Return the values of each enum."""
    found: dict[str, list[str]] = {}
    for label in seen.labels.values():
        found.setdefault(label.enum, []).append(label.name)
    return found


EMPTY = Snapshot({}, {}, {}, {}, {})


@dataclass(frozen=True)
class Change:
    """An object that was created (no `before`), dropped (no `after`), or changed."""

    before: Thing | None
    after: Thing | None
    relation: Relation | None
    """The relation that it is or belongs to, as it was before; None for a label or a domain's constraint."""
    old: bool
    """Whether that relation existed before the revision."""


def read(session: Session, known: Snapshot = EMPTY, own: Collection[int] = ()) -> Snapshot:
    """Return the catalogs as the driver's session sees them, without `own` and including what it has not committed.

    If nothing has changed since `known` was read, return `known`. To find that out takes a fifth of the time.
    """
    found: dict[type[Any], list[Any]] = {}
    [now] = driver.rows(session, versions.OF_TABLES)
    if now == known.versions:
        return known
    for kind, query in _QUERIES.items():
        rows = driver.rows(session, query)
        if kind in (Index, Constraint):  # with arrays
            rows = [tuple(tuple(value) if isinstance(value, list) else value for value in row) for row in rows]
        things = [_thing(kind, row) for row in rows]  # type: ignore[arg-type]  # a class is hashable
        found[kind] = [thing for thing in things if _relation(thing) not in own]
    return Snapshot(
        relations={thing.number: thing for thing in found[Relation]},
        indexes={thing.number: thing for thing in found[Index]},
        columns={(thing.relation, thing.number): thing for thing in found[Column]},
        constraints={thing.number: thing for thing in found[Constraint]},
        labels={thing.number: thing for thing in found[Label]},
        versions=now,
    )


@lru_cache(maxsize=100_000)
def _thing(kind: Any, row: tuple[Any, ...]) -> Any:
    """Return what a row describes. Equal rows give one object, so a trace that is sent to the parent has it once."""
    return kind(*row)


def definitions(session: Session, changed: Iterable[Change]) -> dict[Thing, str]:
    """Return the definition of each new constraint, index and default, as PostgreSQL prints it.

    This locks their tables (ACCESS SHARE). The statement that created them has locked them anyway.
    """
    found: dict[Thing, str] = {}
    for change in changed:
        if change.before is None and isinstance(change.after, Constraint | Index | Column):
            query, *values = _definition(change.after)
            for (text,) in driver.rows(session, query, *values):
                found[change.after] = text
    return found


def _definition(thing: Constraint | Index | Column) -> tuple[str, *tuple[int, ...]]:
    if isinstance(thing, Constraint):
        return "SELECT pg_get_constraintdef(%s::oid)", thing.number
    if isinstance(thing, Index):
        return "SELECT pg_get_indexdef(%s::oid)", thing.number
    query = "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = %s AND adnum = %s"
    return query, thing.relation, thing.number


def changes(before: Snapshot, after: Snapshot, old: Collection[int]) -> list[Change]:
    """Return the differences. `old`: numbers of the relations that existed before the revision."""
    found = []
    for was, now in _pairs(before, after):
        if was is not now and was != now:
            number = _relation(was or now)
            relation = before.relations.get(number) or after.relations.get(number)
            found.append(Change(was, now, relation, number in old))
    return found


def _pairs(before: Snapshot, after: Snapshot) -> Iterator[tuple[Thing | None, Thing | None]]:
    kinds: list[tuple[Mapping[Any, Any], Mapping[Any, Any]]] = [
        (before.relations, after.relations),
        (before.columns, after.columns),
        (before.constraints, after.constraints),
        (before.indexes, after.indexes),
        (before.labels, after.labels),
    ]
    for was, now in kinds:
        if was is not now:
            for key in sorted(was.keys() | now.keys()):
                yield was.get(key), now.get(key)


def _relation(thing: Thing | None) -> int:
    """Return the number of the relation that a thing is or belongs to."""
    if isinstance(thing, Relation):
        return thing.number
    return 0 if thing is None or isinstance(thing, Label) else thing.relation
