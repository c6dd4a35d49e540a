"""How large the target's tables are"""

import math
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from scripts.core.plan import plan, table_sizes
from scripts.core.plan.table_sizes import BLOCK, NOTE, WARN, Size, Weights
from scripts.core.postgres import connections
from scripts.core.settings import Settings
from tests.core.running import run, session

LARGE = Size(1000, 1_000_000)


@pytest.fixture
def scratch(configured: Settings) -> Iterator[Connection]:
    with connections.connect(configured, isolation_level="AUTOCOMMIT") as connection:
        yield connection


@pytest.mark.parametrize(
    ("size", "severity"),
    [
        (Size(0, 0), NOTE),
        (Size(9, 8192), NOTE),
        (Size(10, 0), WARN),
        (Size(0, 10_000), WARN),
        (Size(999, 999_999), WARN),
        (Size(1000, 0), BLOCK),
        (Size(0, 1_000_000), BLOCK),
    ],
)
def test_rows_or_bytes_make_a_table_large(size: Size, severity: str) -> None:
    assert Weights({"users": size}, LARGE, 1.0).severity("users") == severity


def test_what_the_target_has_not_weighs_nothing() -> None:
    weighed = Weights({}, LARGE, 1.0)

    assert weighed.severity("users") is None
    assert weighed.rows("users") == 0
    assert weighed.words("users") == ""


def test_without_a_target_every_table_is_large(configured: Settings) -> None:
    unknown = table_sizes.unknown(configured.limits)

    assert unknown.severity("users") == BLOCK
    assert unknown.rows("users") is None
    assert unknown.words("users") == ""


def test_how_long_reading_takes_at_least_is_said_from_a_tenth_of_a_second_on() -> None:
    weighed = Weights({"small": Size(3, 8192), "large": Size(12_345_678, 3 * 1024**3)}, LARGE, rate=1024**3)

    assert weighed.words("small") == " (3 rows, 8 kB)"
    assert weighed.words("large") == " (12,345,678 rows, 3 GB: at least 3.0 s)"


def test_sizes_are_read_and_partitions_are_added_up(target: Settings, scratch: Connection) -> None:
    with session(target.database_url) as owner:
        run(owner, 'CREATE SCHEMA shop; CREATE TABLE shop."Big ""one""" AS SELECT generate_series(1, 5000) n')
        run(owner, "CREATE TABLE parts (n int) PARTITION BY RANGE (n)")
        for first in (0, 100):
            run(owner, f"CREATE TABLE part{first} PARTITION OF parts FOR VALUES FROM ({first}) TO ({first + 100})")
        run(owner, "INSERT INTO parts SELECT generate_series(0, 149); ANALYZE")
        run(owner, "CREATE VIEW seen AS SELECT * FROM parts; CREATE TABLE alembic (n int)")
        owner.commit()

    weighed = table_sizes.of(target, scratch)
    sizes = weighed.sizes or {}

    assert weighed.major == connections.version(scratch) // 10000
    assert sizes['shop."Big ""one"""'].rows == 5000
    assert sizes['shop."Big ""one"""'].bytes >= 5000 * 28
    assert sizes["parts"] == Size(150, sizes["part0"].bytes + sizes["part100"].bytes)
    assert sizes["alembic"] == Size(0, 0)
    assert "seen" not in sizes


@pytest.mark.usefixtures("hasty")
def test_a_table_that_somebody_locks_is_not_waited_for(target: Settings, scratch: Connection) -> None:
    with session(target.database_url) as owner:
        run(owner, "CREATE TABLE users (n int)")
        owner.commit()
        run(owner, "LOCK TABLE users")

        assert table_sizes.of(target, scratch).sizes is None


def test_another_version_than_the_target_s_is_named() -> None:
    assert plan.other_version(18, 18) == plan.other_version(0, 18) == ""
    assert plan.other_version(17, 18) == " (on PostgreSQL 18, but the target has 17)"


def test_the_scan_rate_is_that_of_the_server(scratch: Connection) -> None:
    assert 10_000_000 < table_sizes.scan_rate(scratch) < 1_000_000_000_000


def test_the_scan_rate_is_measured_only_if_a_table_is_large_enough_to_show_it(
    target: Settings, scratch: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session(target.database_url) as owner:
        run(owner, "CREATE TABLE users AS SELECT 1 AS n")
        owner.commit()

    assert table_sizes.of(target, scratch).rate == math.inf
    monkeypatch.setattr(table_sizes, "_SAMPLE_BYTES", 1)
    assert table_sizes.of(target, scratch).rate < math.inf
