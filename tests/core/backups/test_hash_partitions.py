"""Rows that a restore puts into another partition are the same rows"""

from collections.abc import Iterator

import pytest

from scripts.core.backups import manifest, restore, restore_into
from scripts.core.errors import UserError
from scripts.core.postgres import databases, scratch
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, take, value
from tests.core.backups.test_verify import changed

SPREAD = "SELECT string_agg(tableoid::regclass || ' ' || k::text, ',' ORDER BY k::text) FROM {table}"


@pytest.fixture(autouse=True)
def _drop_old_databases(target: Settings) -> Iterator[None]:
    yield
    with databases.server(target) as server:
        for name in server.exec_driver_sql("SELECT datname FROM pg_database").scalars().all():
            if name.startswith(f"{target.database_url.database}__"):
                databases.drop(server, name)


def partitions(table: str, above: str = "") -> list[str]:
    return [
        f"CREATE TABLE {table}_{n} PARTITION OF {table} FOR VALUES WITH (MODULUS 3, REMAINDER {n}) {above}"
        for n in range(3)
    ]


COLOURS = [
    "CREATE TYPE colour AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')",
    "CREATE TABLE t (k {type} NOT NULL) PARTITION BY HASH (k)",
    *partitions("t"),
]
MOVING = {
    "enum": ("colour", "INSERT INTO t SELECT unnest(enum_range(NULL::colour))"),
    "array of an enum": ("colour[]", "INSERT INTO t SELECT ARRAY[one] FROM unnest(enum_range(NULL::colour)) one"),
    "domain of an enum": ("shade", "INSERT INTO t SELECT unnest(enum_range(NULL::colour))"),
    "name of a table": ("regclass", "INSERT INTO t SELECT oid FROM pg_class WHERE relname LIKE 't\\_%'"),
}


@pytest.mark.parametrize(("type_", "rows"), MOVING.values(), ids=MOVING)
def test_rows_that_move_are_restored_and_counted_together(target: Settings, type_: str, rows: str) -> None:
    statements = [one.format(type=type_) for one in COLOURS]
    execute(target, statements[0], "CREATE DOMAIN shade AS colour", *statements[1:], rows)
    execute(target, "CREATE TABLE other AS SELECT 1 AS a")
    before = value(target, SPREAD.format(table="t"))
    total = value(target, "SELECT count(*) FROM t")
    backup = take(target)

    moved = False
    for _ in range(4):
        restore.put_in_place(target, backup, "development")
        moved = moved or value(target, SPREAD.format(table="t")) != before
        if moved:
            break

    assert moved, "the trap is gone: simplify"
    assert value(target, "SELECT count(*) FROM t") == total


def test_a_lost_row_is_found_wherever_the_others_went(target: Settings) -> None:
    execute(
        target,
        "CREATE TABLE t (k int, at int) PARTITION BY LIST (at)",
        "CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1) PARTITION BY HASH (k)",
        *partitions("t_1", "PARTITION BY HASH (at)"),
        *(f"CREATE TABLE t_1_{n}_all PARTITION OF t_1_{n} FOR VALUES WITH (MODULUS 1, REMAINDER 0)" for n in range(3)),
        "CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2)",
        "INSERT INTO t SELECT n, 1 + n % 2 FROM generate_series(1, 20) n",
    )
    backup = take(target)
    tables = dict(backup.manifest.tables)
    name = next(name for name, table in tables.items() if name.startswith("public.t_1_") and table.rows)
    tables[name] = manifest.TableSize(tables[name].rows + 1, 0)
    tables["public.t_2"] = manifest.TableSize(11, 0)

    with pytest.raises(UserError) as caught, scratch.session(target) as server:
        restore_into.fill(changed(backup, tables=tables), scratch.create(server))

    assert "rows of public.t_1: 10, expected 11" in caught.value.problem
    assert "rows of public.t_2: 10, expected 11" in caught.value.problem


def test_the_rows_of_one_partition_can_stay_out(target: Settings) -> None:
    statements = [one.format(type="colour") for one in COLOURS]
    execute(target, *statements, MOVING["enum"][1])
    # Any of the three may be empty.
    backup = take(target, "", str(value(target, "SELECT tableoid::regclass FROM t LIMIT 1")))

    restore.put_in_place(target, backup, "development")

    assert value(target, "SELECT count(*) FROM t") == backup.manifest.rows < 8
