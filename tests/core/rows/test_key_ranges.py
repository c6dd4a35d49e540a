"""What is hashed of a large table"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from scripts.core.postgres import connections, sql
from scripts.core.postgres.sql import PLACE, compose, listed
from scripts.core.rows import content_hash, key_ranges
from scripts.core.rows.content_hash import Contents
from scripts.core.settings import Settings
from tests.core.rows.test_content_hash import read
from tests.core.running import run


@pytest.fixture
def connection(target: Settings) -> Iterator[Connection]:
    with connections.connect(target) as made:
        content_hash.pin(made)
        yield made


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five ranges of ten rows."""
    monkeypatch.setattr(key_ranges, "NUMBER", 5)
    monkeypatch.setattr(key_ranges, "ROWS", 10)


def again(connection: Connection, was: Contents) -> content_hash.Hash:
    return content_hash.hashed(connection, was.table.name, content_hash.whole(was.table.columns.values()), was.ranges)


KEYS = {
    "number": "n int PRIMARY KEY",
    "text": "n int, k text GENERATED ALWAYS AS ('k %''' || n) STORED PRIMARY KEY",
    "several": 'n int, "a %(b)s" int GENERATED ALWAYS AS (n / 100) STORED, PRIMARY KEY ("a %(b)s", n) INCLUDE (t)',
}


@pytest.mark.parametrize("columns", KEYS.values(), ids=KEYS)
def test_of_a_large_table_some_ranges_are_read_by_the_key(connection: Connection, columns: str) -> None:
    run(connection, f"CREATE TABLE large (t text, {columns}); INSERT INTO large SELECT 'x', generate_series(1, 1000)")
    was = read(connection, "large", 0)
    assert was.ranges
    first = [values[: len(was.ranges.key)] for values, _ in was.ranges.bounds]

    assert was.rows == 1000
    assert 40 < was.hash[0] <= 50
    assert was == read(connection, "large", 0)
    assert read(connection, "large", 1_000_000).ranges is None
    key, places = listed(was.ranges.key), listed([PLACE] * len(was.ranges.key))
    sql.run(connection, compose("UPDATE large SET t = 'y' WHERE ({}) = ({})", key, places), first[0])
    assert again(connection, was)[1] != was.hash[1]


def test_no_row_is_in_two_ranges(connection: Connection) -> None:
    run(connection, "CREATE TABLE large (n int PRIMARY KEY); INSERT INTO large SELECT generate_series(1, 25)")

    assert 10 < read(connection, "large", 0).hash[0] <= 25


def test_a_table_without_a_key_is_read_in_full(connection: Connection) -> None:
    run(connection, "CREATE TABLE large (n int NOT NULL UNIQUE); INSERT INTO large SELECT generate_series(1, 1000)")

    assert read(connection, "large", 0).hash[0] == 1000
    assert read(connection, "large", 0).ranges is None


def test_no_more_is_read_of_a_larger_table(connection: Connection) -> None:
    """Blocks, as PostgreSQL counts them in this transaction."""
    run(connection, "CREATE TABLE large (a int, n int, t text, PRIMARY KEY (a, n))")
    run(connection, "INSERT INTO large SELECT 1, n, repeat('x', 500) FROM generate_series(1, 20000) n; ANALYZE large")
    was = read(connection, "large", 0)
    asked = "SELECT pg_stat_get_xact_blocks_fetched('large'::regclass), pg_stat_get_xact_numscans('large'::regclass)"

    before = connection.exec_driver_sql(asked).one()
    again(connection, was)
    after = connection.exec_driver_sql(asked).one()

    assert after[0] - before[0] < 200
    assert after[1] == before[1]
