"""scripts/core/postgres/replacement.py"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Event, Timer

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from scripts.core.errors import UserError
from scripts.core.postgres import connections, databases, replacement, replacement_lock
from scripts.core.settings import Settings
from tests.core.postgres.test_databases import environment, execute, names, tables
from tests.core.running import pid, wait_until


def test_a_replacement_takes_the_place_and_the_mark_of_the_old_one(target: Settings) -> None:
    execute(target, "CREATE TABLE old ()")
    with replacement.new(target, "development") as new:
        execute(target, "CREATE TABLE new ()", url=new.url)

        replacement.replace(target, new)

    with connections.connect(target) as connection:
        assert tables(connection) == ["new"]
    assert environment(target) == "development"
    assert names(target) == [target.database_url.database]


def test_a_replacement_ends_the_sessions_of_others(target: Settings) -> None:
    with replacement.new(target, "development") as new, connections.connect(target) as other:
        other.execute(text("SELECT 1"))

        replacement.replace(target, new)

        with pytest.raises(DBAPIError, match=r"terminat|closed"):
            other.execute(text("SELECT 1"))
        other.invalidate()


def test_what_an_interrupted_replacement_left_is_dropped_by_the_next(target: Settings) -> None:
    name = target.database_url.database
    left = [f"CREATE DATABASE {name}__unfinished_0a1b2c3d", f"CREATE DATABASE {name}__replaced"]
    execute(target, *left, url=connections.maintenance(target))

    with replacement.new(target, "development") as new:
        replacement.replace(target, new)

    assert names(target) == [name]


def test_a_replacement_that_cannot_be_put_in_place_leaves_the_old_one(target: Settings) -> None:
    execute(target, "CREATE TABLE old ()")

    with replacement.new(target, "development") as new:
        execute(target, f"DROP DATABASE {new.url.database}", url=connections.maintenance(target))
        with pytest.raises(DBAPIError, match="does not exist"):
            replacement.replace(target, new)

    with connections.connect(target) as connection:
        assert tables(connection) == ["old"]


def test_a_replacement_whose_session_has_ended_is_not_put_in_place(target: Settings) -> None:
    """The lock has gone with it; and so has what it said last, when the server has started again."""
    execute(target, "CREATE TABLE old ()")
    with replacement.new(target, "development") as new:
        execute(target, f"SELECT pg_terminate_backend({pid(new.session)}, 20000)")
        execute(target, f"COMMENT ON DATABASE {new.url.database} IS NULL")

        with pytest.raises(DBAPIError, match=r"terminat|closed"):
            replacement.replace(target, new)

    assert environment(target) == "development"
    with connections.connect(target) as connection:
        assert tables(connection) == ["old"]


def test_what_was_not_swapped_in_is_gone_at_the_end(target: Settings) -> None:
    with replacement.new(target, "development") as new:
        assert names(target) == [target.database_url.database, new.url.database]

    assert names(target) == [target.database_url.database]


def test_what_an_interrupted_run_left_is_told_from_what_a_living_one_makes(target: Settings) -> None:
    name = str(target.database_url.database)
    maintenance = connections.maintenance(target)
    with replacement.new(target, "development"), connections.connect(target, maintenance) as other:
        assert replacement.left(other, name) == []
    left = f"{name}__unfinished_0a1b2c3d"
    execute(target, f"CREATE DATABASE {left}", url=maintenance)

    with connections.connect(target, maintenance) as connection:
        assert replacement.left(connection, name) == [left]
        connection.rollback()
        with replacement.new(target, "development"):
            assert left not in names(target)


def test_of_two_at_once_the_second_is_refused(target: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacement_lock, "LOCK_WAIT", 0.2)
    with replacement.new(target, "development"):
        second = replacement.new(target, "development")
        with pytest.raises(UserError, match=r"Another reset or restore of test_\w+ runs: pid \d+, alembic-tools"):
            second.__enter__()
        assert len(names(target)) == 2


@pytest.mark.faults
def test_what_a_killed_run_still_does_on_the_server_is_waited_for(target: Settings) -> None:
    """A session continues CREATE DATABASE, and keeps its lock, after its client was killed."""
    maintenance = connections.maintenance(target)
    with connections.connect(target, maintenance) as orphan:
        key = {"key": f"beside {target.database_url.database}"}
        orphan.execute(text("SELECT pg_advisory_lock(hashtext(:key))"), key)
        Timer(1, orphan.connection.dbapi_connection.close).start()  # type: ignore[union-attr]

        with replacement.new(target, "development"):
            assert len(names(target)) == 2
        orphan.invalidate()


@pytest.mark.parametrize(
    "locale", ["LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'", "ENCODING 'SQL_ASCII' LOCALE 'C'"]
)
def test_a_new_database_sorts_as_the_target_does(target: Settings, locale: str) -> None:
    name = target.database_url.database
    execute(target, f"DROP DATABASE {name} WITH (FORCE)", url=connections.maintenance(target))
    execute(target, f"CREATE DATABASE {name} TEMPLATE template0 {locale}", url=connections.maintenance(target))

    with replacement.new(target, None), connections.connect(target, connections.maintenance(target)) as connection:
        found = connection.execute(
            text(
                "SELECT DISTINCT encoding, datlocprovider, datcollate, datctype FROM pg_database"
                " WHERE starts_with(datname, :name)"
            ),
            {"name": name},
        ).all()

    assert len(found) == 1


def test_a_swap_keeps_the_old_one_under_the_name_that_it_is_given(target: Settings) -> None:
    old_name = f"{target.database_url.database}_kept"
    execute(target, "CREATE TABLE old ()")

    with replacement.new(target, None) as new:
        replacement.swap(target, new.session, databases.name_of(new.url), old_name)

    assert names(target) == [target.database_url.database, old_name]
    assert environment(target) is None
    with connections.connect(target, target.database_url.set(database=old_name)) as connection:
        assert tables(connection) == ["old"]
    with connections.connect(target) as connection:
        assert tables(connection) == []


def test_a_swap_fills_the_place_of_a_database_that_is_gone(target: Settings) -> None:
    name = str(target.database_url.database)
    with replacement.new(target, None) as new:
        execute(target, f"DROP DATABASE {name}", url=connections.maintenance(target))
        replacement.swap(target, new.session, databases.name_of(new.url), "never_used")

    assert names(target) == [name]


@pytest.fixture
def gone(target: Settings) -> Settings:
    """The target, of which there is no database."""
    execute(target, f"DROP DATABASE {target.database_url.database}", url=connections.maintenance(target))
    return target


def test_while_one_is_made_no_empty_database_is_created(gone: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacement_lock, "LOCK_WAIT", 0.2)
    with (
        replacement.new(gone, "development"),
        pytest.raises(UserError, match=r"Another reset or restore of test_\w+ runs: pid \d+"),
    ):
        databases.ensure(gone)

    assert names(gone) == []
    assert databases.ensure(gone)


def test_while_one_is_made_a_missing_database_is_not_called_so(gone: Settings) -> None:
    hurried = replace(gone, connect_wait=0.3)
    with (
        replacement.new(gone, "development"),
        pytest.raises(UserError, match=r"Another reset or restore of test_\w+ runs: pid \d+") as caught,
        connections.connect(hurried),
    ):
        pass

    assert "make migrate" not in str(caught.value)


def test_what_waits_for_a_database_that_is_made_gets_the_new_one(gone: Settings) -> None:
    def ask() -> list[str]:
        with connections.connect(gone) as connection:
            return tables(connection)

    with ThreadPoolExecutor(1) as pool, replacement.new(gone, "development") as new:
        execute(gone, "CREATE TABLE new ()", url=new.url)
        asked = pool.submit(ask)
        wait_until(asked.running)
        replacement.swap(gone, new.session, databases.name_of(new.url), "")

        assert asked.result(20) == ["new"]


def test_a_session_that_comes_during_a_swap_gets_the_new_one(target: Settings) -> None:
    """The database was just renamed, so the server says that it does not exist."""
    over = Event()

    def ask() -> set[str]:
        found = set()
        while not over.is_set():
            with suppress(DBAPIError), connections.connect(target) as connection:
                found |= set(tables(connection))
        return found

    execute(target, "CREATE TABLE old ()")
    with ThreadPoolExecutor(2) as pool, replacement.new(target, "development") as new:
        execute(target, "CREATE TABLE new ()", url=new.url)
        asking = [pool.submit(ask) for _ in range(2)]
        replacement.replace(target, new)
        over.set()

    assert set.union(*(one.result(20) for one in asking)) <= {"old", "new"}
