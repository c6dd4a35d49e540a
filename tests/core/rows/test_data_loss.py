"""Counting in the target, now"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy.engine import URL

from scripts.core.errors import UserError
from scripts.core.rows import data_loss
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Settings
from tests.core.running import run, session, wait_until

ROWS = Loss("shop", None, "rows", where="true")
SHOP = "CREATE TABLE shop (id int, note text); INSERT INTO shop VALUES (1, 'a'), (2, NULL)"


def make(target: Settings, *statements: str) -> None:
    with session(target.database_url) as owner:
        for statement in statements:
            run(owner, statement)
        owner.commit()


def count(target: Settings, loss: Loss) -> int:
    with data_loss.counting(target) as connection:
        return data_loss.count(connection, loss)


def table_with_rows(target: Settings) -> str | None:
    with data_loss.counting(target) as connection:
        return data_loss.table_with_rows(connection)


def hidden_rows(target: Settings, new_role: Callable[..., URL]) -> Settings:
    """The target as a role that owns the table and sees no row of it."""
    role = new_role("secret")
    make(target, SHOP, f"ALTER TABLE shop OWNER TO {role.username}; ALTER TABLE shop FORCE ROW LEVEL SECURITY")
    make(target, "ALTER TABLE shop ENABLE ROW LEVEL SECURITY")
    return replace(target, database_url=role.set(database=target.database_url.database))


@pytest.mark.parametrize(
    ("loss", "number"),
    [
        (ROWS, 2),
        (Loss("shop", "note", "values", where="note IS NOT NULL"), 1),
        (Loss("shop", "note", "values that may not fit integer", where="note::integer::text IS DISTINCT FROM note"), 1),
        (Loss("shop", "note", "values that may not fit grade", where="note::grade::text IS DISTINCT FROM note"), 1),
        (Loss("shop", None, "rows (a view)"), 0),
        # An earlier step has taken them away.
        (Loss("nowhere.shop", None, "rows", where="true"), 0),
        (Loss("store", None, "rows", where="true"), 0),
        (Loss("shop", "gone", "values", where="gone IS NOT NULL"), 0),
    ],
)
def test_what_is_there_now_is_counted(target: Settings, loss: Loss, number: int) -> None:
    make(target, SHOP)

    assert count(target, loss) == number


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("ask", [lambda target: count(target, ROWS), table_with_rows])
def test_a_locked_table_is_not_waited_for(target: Settings, ask: Callable[[Settings], object]) -> None:
    make(target, SHOP)
    with session(target.database_url) as owner:
        run(owner, "LOCK TABLE shop")

        with pytest.raises(UserError, match=r"Cannot count .*shop.*: canceling statement due to lock timeout"):
            ask(target)


@pytest.mark.parametrize("ask", [lambda target: count(target, ROWS), table_with_rows])
def test_rows_that_the_role_may_not_see_are_not_taken_for_none(
    target: Settings, new_role: Callable[..., URL], ask: Callable[[Settings], object]
) -> None:
    owner = hidden_rows(target, new_role)

    with pytest.raises(UserError, match=r"Cannot count .*shop.*row-level security"):
        ask(owner)

    make(target, "DROP TABLE shop")


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("SELECT", None),
        ("INSERT INTO parts VALUES (1)", "parts"),
        ('INSERT INTO "Old Shop"."100%" DEFAULT VALUES', '"Old Shop"."100%"'),
        ("INSERT INTO alembic_version DEFAULT VALUES; INSERT INTO migration_log DEFAULT VALUES", None),
        ("INSERT INTO shop.migration_log DEFAULT VALUES", "shop.migration_log"),
        ("CREATE MATERIALIZED VIEW sums AS SELECT 1", None),
    ],
)
def test_a_table_with_rows_is_found(target: Settings, statement: str, table: str | None) -> None:
    make(
        target,
        'CREATE TABLE alembic_version (); CREATE TABLE migration_log (); CREATE SCHEMA shop; CREATE SCHEMA "Old Shop"',
        'CREATE TABLE shop.migration_log (); CREATE TABLE "Old Shop"."100%" ()',
        "CREATE TABLE parts (n int) PARTITION BY LIST (n); CREATE TABLE part PARTITION OF parts FOR VALUES IN (1)",
        statement,
    )

    assert table_with_rows(target) == table


def test_temporary_tables_of_others_are_not_looked_into(target: Settings) -> None:
    with session(target.database_url) as other:
        run(other, "CREATE TEMPORARY TABLE mine AS SELECT 1")
        other.commit()

        assert table_with_rows(target) is None


def test_a_written_table_is_in_use_though_it_is_empty(target: Settings) -> None:
    make(target, SHOP, "CREATE TABLE store (); DELETE FROM shop")

    with data_loss.counting(target) as connection:
        # A session hands in its statistics when it ends.
        wait_until(lambda: data_loss.in_use(connection, [ROWS]))
        assert not data_loss.in_use(connection, [Loss("store", None, "rows"), Loss("nowhere", None, "rows")])
        assert not data_loss.in_use(connection, [])
