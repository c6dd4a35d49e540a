"""A table and what became of it, above and below the limit"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from scripts.core.postgres import connections
from scripts.core.rows import content_hash, key_ranges
from scripts.core.settings import Settings
from scripts.core.verification import table_comparison
from scripts.core.verification.table_comparison import Comparison
from tests.core.running import run


@pytest.fixture
def connection(target: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """To a database with two equal tables of a thousand rows, `was` and `now`; of a large one forty are read."""
    monkeypatch.setattr(key_ranges, "NUMBER", 4)
    monkeypatch.setattr(key_ranges, "ROWS", 10)
    with connections.connect(target) as made:
        content_hash.pin(made)
        run(made, 'CREATE TABLE was (n int PRIMARY KEY, t text, u text COLLATE "C")')
        run(made, "INSERT INTO was SELECT n, 't' || n, 'u' || n FROM generate_series(1, 1000) n")
        run(made, "CREATE TABLE now (LIKE was INCLUDING ALL); INSERT INTO now SELECT * FROM was ORDER BY n DESC")
        yield made


def compare(connection: Connection, change: str, limit: int) -> Comparison:
    """After a change of `now`, in which {row} is one that is always read."""
    tables = {str(table.name): table for table in content_hash.tables(connection).values()}
    was = content_hash.read(connection, tables["was"], limit)
    row = was.ranges.bounds[0][0][0] if was.ranges else "7"
    run(connection, change.format(row=row))
    now = content_hash.tables(connection)[tables["now"].number]
    there = {number: number for number in was.table.columns if number in now.columns}
    return table_comparison.compare(was, now, there, connection, connection)


@pytest.mark.parametrize(
    ("change", "rows_now", "changed", "in_full"),
    [
        ("SELECT", 1000, [], False),
        ("UPDATE now SET t = 'x' WHERE n = {row}", 1000, [2], False),
        ("DELETE FROM now WHERE n = {row}", 999, [1, 2, 3], False),
        ("ALTER TABLE now RENAME n TO m; ALTER TABLE now RENAME TO other", 1000, [], False),
        ("ALTER TABLE now ADD v int DEFAULT 1, DROP u", 1000, [], False),
        ("ALTER TABLE now ALTER t TYPE varchar(9); UPDATE now SET u = NULL WHERE n = {row}", 1000, [3], False),
        ('ALTER TABLE now ALTER t TYPE text COLLATE "C"', 1000, [], False),
        ("ALTER TABLE now ALTER n TYPE bigint; UPDATE now SET t = 'x' WHERE n = 1", 1000, [2], True),
        ("ALTER TABLE now ALTER n TYPE text", 1000, [], True),
        ("ALTER TABLE now DROP n; UPDATE now SET t = 'x' WHERE t = 't1'", 1000, [2], True),
        ("ALTER TABLE now DROP CONSTRAINT now_pkey", 1000, [], True),
        ("ALTER TABLE now DROP CONSTRAINT now_pkey, ADD PRIMARY KEY (t, n)", 1000, [], True),
    ],
)
def test_what_is_read_of_a_table_tells_what_became_of_it(
    connection: Connection, change: str, rows_now: int, changed: list[int], in_full: bool
) -> None:
    small = compare(connection, "SELECT", 1_000_000)
    large = compare(connection, change, 0)

    assert small == Comparison(1000, [], 1000)
    assert (large.rows, large.changed) == (rows_now, changed)
    assert large.hashed == 1000 if in_full else 20 < large.hashed <= 40
