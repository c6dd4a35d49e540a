"""SQL that puts rows and values back into a table after it, or a column of it, was dropped and made again.

Rows that are gone are added, those that are there get their old values. Where there is no primary key, a row is known
by its other columns: of rows that are alike in them, one cannot be told from another. All names are as SQL has them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from sqlalchemy import Connection, text

KEPT = "alembic_kept"
_ROW = "alembic_row"

# Who inherits has rows of its own; a partitioned table finds the partition for a row.
_PARTS = text(
    "WITH RECURSIVE part (oid) AS (SELECT CAST(:relation AS regclass)::oid"
    " UNION SELECT inhrelid FROM pg_inherits JOIN part ON inhparent = part.oid)"
    " SELECT c.oid::regclass::text AS name, c.relkind, columns.*,"
    " ARRAY(SELECT quote_ident(attname) FROM pg_index i JOIN pg_attribute a ON attrelid = indrelid"
    "  AND attnum = ANY(indkey) WHERE indrelid = c.oid AND indisprimary) AS key"
    " FROM part JOIN pg_class c USING (oid), LATERAL ("
    "  SELECT coalesce(array_agg(quote_ident(attname) ORDER BY attnum) FILTER (WHERE attgenerated = ''), '{}')"
    "   AS columns,"
    "  coalesce(array_agg(quote_ident(attname)) FILTER (WHERE attidentity = 'a'), '{}') AS fixed,"
    "  coalesce(array_agg(format('%L, %L', c.oid::regclass, attname)) FILTER (WHERE"
    "   pg_get_serial_sequence(c.oid::regclass::text, attname) IS NOT NULL), '{}') AS serials"
    "  FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns"
    " WHERE NOT c.relispartition OR c.oid = CAST(:relation AS regclass) ORDER BY part.oid"
)
_REFERENCES = text(
    "SELECT conrelid::regclass::text AS name, confrelid::regclass::text AS referenced FROM pg_constraint"
    " WHERE contype = 'f' AND conrelid <> confrelid"
)


@dataclass(frozen=True)
class Part:
    """A table with rows of its own, or a sequence."""

    name: str
    relkind: str
    columns: list[str]
    """Generated ones are computed again."""
    fixed: list[str]
    """GENERATED ALWAYS AS IDENTITY: no UPDATE may set them."""
    serials: list[str]
    """What pg_get_serial_sequence() has to be given for each sequence."""
    key: list[str]

    @property
    def only(self) -> str:
        return self.name if self.relkind == "p" else f"ONLY {self.name}"


@dataclass(frozen=True)
class Piece:
    query: str
    """The rows to keep."""
    back: list[str]
    """Statements that put them back from the table KEPT, which is like the query's result."""


def parts(connection: Connection, relation: str) -> list[Part]:
    """The relation, and those that inherit from it."""
    return [Part(**row._mapping) for row in connection.execute(_PARTS, {"relation": relation})]


def in_order(connection: Connection, relations: Sequence[str]) -> list[str]:
    """Each after those that its foreign keys reference; as they are where they go in a circle."""
    sorter = TopologicalSorter({relation: set[str]() for relation in relations})
    for row in connection.execute(_REFERENCES):
        if row.name in relations and row.referenced in relations:
            sorter.add(row.name, row.referenced)
    try:
        return list(sorter.static_order())
    except CycleError:
        return list(relations)


def whole_rows(part: Part) -> Piece:
    columns = ", ".join(part.columns)
    insert = f"INSERT INTO {part.name} {f'({columns})' if columns else ''} OVERRIDING SYSTEM VALUE SELECT {columns}"
    same = f"{_text(part.columns, 'now')} = {_text(part.columns, 'kept')}"
    if part.key:
        new = ", ".join(f"{column} = excluded.{column}" for column in part.columns)
        back = f"{insert} FROM {KEPT} ON CONFLICT ({', '.join(part.key)}) DO UPDATE SET {new}"
    else:
        back = f"{insert} FROM {KEPT} AS kept WHERE NOT EXISTS (SELECT FROM {part.only} AS now WHERE {same})"
    return Piece(f"SELECT {columns} FROM {part.only}", [*_unfix(part, part.columns), back, *_fix(part, part.columns)])


def values(part: Part, columns: Sequence[str]) -> Piece:
    others = [column for column in part.columns if column not in columns]
    known = part.key if part.key and set(part.key) <= set(others) else []
    key = ", ".join(known) or f"{_text(others, 'now')} AS {_ROW}"
    there = " OR ".join(f"now.{column} IS NOT NULL" for column in columns)
    same = [f"now.{column} = kept.{column}" for column in known] or [f"{_text(others, 'now')} = kept.{_ROW}"]
    new = ", ".join(f"{column} = kept.{column}" for column in columns)
    back = f"UPDATE {part.only} AS now SET {new} FROM {KEPT} AS kept WHERE {' AND '.join(same)}"
    return Piece(
        f"SELECT {key}, {', '.join(columns)} FROM {part.only} AS now WHERE {there}",
        [*_unfix(part, columns), back, *_fix(part, columns)],
    )


def sequences(connection: Connection, part: Part) -> Iterator[str]:
    """Statements that bring the sequences of a part, or the one that it is, to where they are now at least."""
    found = [f"pg_get_serial_sequence({serial})" for serial in part.serials]
    if part.relkind == "S":
        found = [str(connection.scalar(text("SELECT quote_literal(:name)"), {"name": part.name}))]
    for sequence in found:
        name = connection.exec_driver_sql(f"SELECT {sequence}".replace("%", "%%")).scalar()
        value = connection.exec_driver_sql(f"SELECT last_value FROM {name} WHERE is_called".replace("%", "%%")).scalar()
        if value is not None:
            yield f"SELECT setval(name, greatest({value}, nextval(name))) FROM CAST({sequence} AS regclass) AS name"


def _unfix(part: Part, columns: Sequence[str]) -> list[str]:
    return [_generated(part, column, "BY DEFAULT") for column in part.fixed if column in columns]


def _fix(part: Part, columns: Sequence[str]) -> list[str]:
    return [_generated(part, column, "ALWAYS") for column in part.fixed if column in columns]


def _generated(part: Part, column: str, when: str) -> str:
    return f"ALTER TABLE {part.name} ALTER {column} SET GENERATED {when}"


def _text(columns: Sequence[str], table: str) -> str:
    return f"ROW({', '.join(f'{table}.{column}' for column in columns)})::text"
