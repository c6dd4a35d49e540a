"""Ranges of a table's primary key. Only these are hashed if the table is too large to be hashed completely.

They are chosen once, and have the same rows in every copy of the database with the same key.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from scripts.core.postgres import sql
from scripts.core.postgres.sql import PLACE, Sql, compose, listed

NUMBER, ROWS = 100, 1000
"""Ranges per table, and rows per range. So the work does not grow with the table."""
PAGES = 4 * NUMBER
"""Pages, spread over the table, from which the first keys of the ranges are taken."""

Key = tuple[str, ...]
"""Values of a key, as PostgreSQL prints them."""


@dataclass(frozen=True)
class Ranges:
    key: tuple[Sql, ...]
    """The columns of the key."""
    bounds: tuple[tuple[Key, Key], ...]
    """The first and the last key of each range."""

    @property
    def condition(self) -> Sql:
        """Return a condition for WHERE, with places for the values of one range."""
        return compose("{} AND {}", _compared(self.key, ">="), _compared(self.key, "<="))

    @property
    def values(self) -> Iterator[Key]:
        """Yield the values of each range."""
        return (first + last for first, last in self.bounds)


def choose(connection: Connection, table: Sql, pages: int, key: Sequence[Sql]) -> Ranges | None:
    """Return ranges of a table, always the same for the same file; None if it has no rows."""
    names, percent = listed(key), min(100.0, 100 * PAGES / max(pages, 1))
    sampled = compose(
        "SELECT * FROM (SELECT {} FROM ONLY {} TABLESAMPLE SYSTEM ({}) REPEATABLE (0)"
        " ORDER BY md5(ROW({})::text) LIMIT {}) AS sampled ORDER BY {}",
        *(names, table, percent, names, NUMBER, names),
    )
    bounds: list[tuple[Key, Key]] = []
    for start in _keys(connection, key, sampled):
        # No two ranges share a row.
        beyond, end = (_compared(key, ">"), bounds[-1][1]) if bounds else (Sql("true"), ())
        query = compose(
            "SELECT {} FROM ONLY {} WHERE {} AND {} ORDER BY {} LIMIT {}",
            *(names, table, _compared(key, ">="), beyond, names, ROWS),
        )
        found = _keys(connection, key, query, start + end)
        if found:
            bounds.append((found[0], found[-1]))
    return Ranges(tuple(key), tuple(bounds)) if bounds else None


def _keys(connection: Connection, key: Sequence[Sql], query: Sql, values: Key = ()) -> list[Key]:
    """Return the keys that a query finds, in its order, as text. Text inside the query would change the sort order."""
    texts = listed(compose("{}::text", name) for name in key)
    statement = compose("SELECT {} FROM ({}) AS found", texts, query)
    return [tuple(row) for row in sql.run(connection, statement, values)]


def _compared(key: Sequence[Sql], operator: str) -> Sql:
    return compose("({}) {} ({})", listed(key), Sql(operator), listed([PLACE] * len(key)))
