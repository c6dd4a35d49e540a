"""The hash of a table's contents"""

from collections.abc import Iterator
from math import inf

import pytest
from sqlalchemy import Connection

from scripts.core.postgres import connections
from scripts.core.postgres.sql import Sql
from scripts.core.rows import content_hash
from scripts.core.rows.content_hash import Contents
from scripts.core.settings import Settings
from tests.core.running import run


@pytest.fixture
def connection(target: Settings) -> Iterator[Connection]:
    with connections.connect(target) as made:
        content_hash.pin(made)
        yield made


def read(connection: Connection, name: str, limit: float = inf) -> Contents:
    (table,) = (table for table in content_hash.tables(connection).values() if table.name == name)
    return content_hash.read(connection, table, limit)


def test_the_order_of_rows_makes_no_difference(connection: Connection) -> None:
    run(connection, "CREATE TABLE a AS SELECT n, 'x' || n AS t FROM generate_series(1, 100) n")
    run(connection, "CREATE TABLE b AS SELECT * FROM a ORDER BY n DESC")

    assert read(connection, "a").hash == read(connection, "b").hash != (100, 0)
    assert read(connection, "a").rows == 100


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE a SET t = 'y' WHERE n = 7",
        "UPDATE a SET t = NULL WHERE n = 7",
        "DELETE FROM a WHERE n = 7",
        "INSERT INTO a VALUES (7, 'x7'), (7, 'x7')",
        "UPDATE a SET t = 'x' || 9 - n WHERE n IN (4, 7)",
    ],
)
@pytest.mark.parametrize("more", ["int", "json", "xml", "point"])
def test_any_other_row_does_with_types_that_have_no_hash_too(connection: Connection, change: str, more: str) -> None:
    run(connection, f"CREATE TABLE a (n int, t text, more {more})")
    run(connection, "INSERT INTO a SELECT n, 'x' || n FROM generate_series(1, 100) n")
    before = read(connection, "a")

    run(connection, change)

    assert read(connection, "a").hash != before.hash


def test_a_rename_or_a_rewrite_changes_nothing(connection: Connection) -> None:
    run(connection, 'CREATE TABLE "A %(b)s" (n int, "c %" text); INSERT INTO "A %(b)s" VALUES (1, \'x\')')
    (before,) = content_hash.tables(connection).values()

    run(connection, 'ALTER TABLE "A %(b)s" RENAME "c %" TO d; ALTER TABLE "A %(b)s" RENAME TO e')
    run(connection, "ALTER TABLE e ALTER n TYPE bigint")
    (after,) = content_hash.tables(connection).values()

    assert after.number == before.number
    assert content_hash.hashed(connection, Sql("e"), [Sql("ROW(d)")]) == content_hash.hashed(
        connection, Sql("e"), [Sql("ROW(d::text)")]
    )
    assert [column.name for column in before.columns.values()] == ["n", '"c %"']
    assert after.columns.keys() == before.columns.keys()


def test_settings_of_the_session_do_not_change_a_hash(connection: Connection) -> None:
    run(connection, "CREATE TABLE a AS SELECT now() AS at, json_build_object('at', now()) AS j")
    first = read(connection, "a").hash

    run(connection, "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'")
    other = read(connection, "a").hash
    content_hash.pin(connection)

    assert read(connection, "a").hash == first
    assert other != first


def test_tables_without_columns_or_rows_and_partitions(connection: Connection) -> None:
    run(connection, "CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; CREATE TABLE empty (n int)")
    run(connection, "CREATE TABLE p (n int) PARTITION BY LIST (n); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)")
    run(connection, "INSERT INTO p VALUES (1); CREATE TABLE alembic_version (version_num text)")
    run(connection, "CREATE SCHEMA other; CREATE TABLE other.alembic_version AS SELECT 1")

    found = {
        str(table.name): content_hash.read(connection, table, 0) for table in content_hash.tables(connection).values()
    }

    assert found.pop("p1").rows == 1
    assert found.pop("other.alembic_version").rows == 1, "a table of another application"
    assert {name: (one.rows, one.hash) for name, one in found.items()} == {"nothing": (1, (1,)), "empty": (0, (0, 0))}
