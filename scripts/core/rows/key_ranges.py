"""Ranges of a table's primary key: what is hashed of a table that is too large to be hashed in full.

They are chosen once, and are the same rows in every copy of the database in which the key is the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from scripts.core.postgres import sql
from scripts.core.postgres.sql import PLACE, Sql, compose, listed

NUMBER, ROWS = 100, 1000
"""Ranges of a table, and rows in each: the work is the same however large the table is."""
PAGES = 4 * NUMBER
"""Of so many pages, spread over the table, are the keys taken at which ranges begin."""

Key = tuple[str, ...]
"""Values of a key, as PostgreSQL prints them."""


@dataclass(frozen=True)
class Ranges:
    key: tuple[Sql, ...]
    """The columns."""
    bounds: tuple[tuple[Key, Key], ...]
    """The first and the last key of each."""

    @property
    def condition(self) -> Sql:
        """For WHERE, with places for the values of one range."""
        return compose("{} AND {}", _compared(self.key, ">="), _compared(self.key, "<="))

    @property
    def values(self) -> Iterator[Key]:
        """Of each range."""
        return (first + last for first, last in self.bounds)


def choose(connection: Connection, table: Sql, pages: int, key: Sequence[Sql]) -> Ranges | None:
    """Some ranges of a table, the same ones whenever the same file is asked; None where it has no rows."""
    names, percent = listed(key), min(100.0, 100 * PAGES / max(pages, 1))
    sampled = compose(
        "SELECT * FROM (SELECT {} FROM ONLY {} TABLESAMPLE SYSTEM ({}) REPEATABLE (0)"
        " ORDER BY md5(ROW({})::text) LIMIT {}) AS sampled ORDER BY {}",
        *(names, table, percent, names, NUMBER, names),
    )
    bounds: list[tuple[Key, Key]] = []
    for start in _keys(connection, key, sampled):
        # Two ranges have no row in common.
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
    """What a query finds, in its order, as text: in an ORDER BY beside it the text would be what is sorted by."""
    texts = listed(compose("{}::text", name) for name in key)
    statement = compose("SELECT {} FROM ({}) AS found", texts, query)
    return [tuple(row) for row in sql.run(connection, statement, values)]


def _compared(key: Sequence[Sql], operator: str) -> Sql:
    return compose("({}) {} ({})", listed(key), Sql(operator), listed([PLACE] * len(key)))
