"""Ranges of a table's primary key: what is hashed of a table that is too large to be hashed in full.

They are chosen once, and are the same rows in every copy of the database in which the key is the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

NUMBER, ROWS = 100, 1000
"""Ranges of a table, and rows in each: the work is the same however large the table is."""
PAGES = 4 * NUMBER
"""Of so many pages, spread over the table, are the keys taken at which ranges begin."""

Key = tuple[str, ...]
"""Values of a key, as PostgreSQL prints them."""


@dataclass(frozen=True)
class Ranges:
    key: tuple[str, ...]
    """The columns, as SQL has them."""
    bounds: tuple[tuple[Key, Key], ...]
    """The first and the last key of each."""

    @property
    def condition(self) -> str:
        """For WHERE, with places for the values of one range."""
        return f"{_compared(self.key, '>=')} AND {_compared(self.key, '<=')}"

    @property
    def values(self) -> Iterator[Key]:
        """Of each range."""
        return (first + last for first, last in self.bounds)


def choose(connection: Connection, table: str, pages: int, key: Sequence[str]) -> Ranges | None:
    """Some ranges of a table, the same ones whenever the same file is asked; None where it has no rows."""
    names = _quoted(", ".join(key))
    percent = min(100.0, 100 * PAGES / max(pages, 1))
    sampled = (
        f"SELECT {names} FROM ONLY {_quoted(table)} TABLESAMPLE SYSTEM ({percent}) REPEATABLE (0)"
        f" ORDER BY md5(ROW({names})::text) LIMIT {NUMBER}"
    )
    bounds: list[tuple[Key, Key]] = []
    for start in _keys(connection, key, f"SELECT * FROM ({sampled}) AS sampled ORDER BY {names}"):
        # Two ranges have no row in common.
        beyond, end = (f" AND {_compared(key, '>')}", bounds[-1][1]) if bounds else ("", ())
        where = _compared(key, ">=") + beyond
        query = f"SELECT {names} FROM ONLY {_quoted(table)} WHERE {where} ORDER BY {names} LIMIT {ROWS}"
        found = _keys(connection, key, query, start + end)
        if found:
            bounds.append((found[0], found[-1]))
    return Ranges(tuple(key), tuple(bounds)) if bounds else None


def _keys(connection: Connection, key: Sequence[str], query: str, values: Key = ()) -> list[Key]:
    """What a query finds, in its order, as text: in an ORDER BY beside it the text would be what is sorted by."""
    texts = _quoted(", ".join(f"{name}::text" for name in key))
    return [tuple(row) for row in connection.exec_driver_sql(f"SELECT {texts} FROM ({query}) AS found", values)]


def _compared(key: Sequence[str], operator: str) -> str:
    return f"({_quoted(', '.join(key))}) {operator} ({', '.join(['%s'] * len(key))})"


def _quoted(sql: str) -> str:
    """For a statement with places for values."""
    return sql.replace("%", "%%")
