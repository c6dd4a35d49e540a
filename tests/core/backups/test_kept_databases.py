"""What a restore keeps is found for the database that it was, and for no other"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from scripts.core.backups import kept_databases, restore
from scripts.core.errors import UserError
from scripts.core.postgres import databases, environments, replacement
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, take, value

WHEN = "20261127T071800Z"


@pytest.fixture
def create(target: Settings) -> Iterator[Callable[[str], Settings]]:
    """Makes databases called as the target with an end; they and what is made beside them last for the test."""
    beginning = str(target.database_url.database)

    def make(end: str, size: int = 0) -> Settings:
        name = f"{beginning}_".ljust(size - len(end), "x") + end
        with databases.server(target) as server:
            server.exec_driver_sql(f'CREATE DATABASE "{name}" STRATEGY file_copy')
            environments.write(server, name, "development")
        url = target.database_url.set(database=name)
        return replace(target, database_url=url, application_url=url)

    yield make
    with databases.server(target) as server:
        mine = text("SELECT datname FROM pg_database WHERE starts_with(datname, :beginning)")
        for name in server.scalars(mine, {"beginning": f"{beginning}_"}).all():
            databases.drop(server, name)


def name(of: Settings) -> str:
    return str(of.database_url.database)


def names(server: Connection, of: Settings) -> list[str]:
    return [one.name for one in kept_databases.list_all(server, name(of))]


@pytest.mark.parametrize("ends", ["ab", "🐘€"])
def test_databases_whose_names_begin_alike_keep_their_own_rows(create: Callable[..., Settings], ends: str) -> None:
    """Of 63 bytes, as many as a name can have."""
    first, second = (create(end, 64 - len(end.encode())) for end in ends)
    for one, rows in ((first, 1), (second, 2)):
        execute(one, f"CREATE TABLE mine AS SELECT generate_series(1, {rows})")
        old = restore.put_in_place(one, take(one), "development")
        assert old
        execute(one, "INSERT INTO mine VALUES (0)")

    with databases.server(first) as server:
        (of_first,), (of_second,) = names(server, first), names(server, second)
    restore.bring_back(first, of_first)
    restore.bring_back(second, of_second)

    assert (value(first, "SELECT count(*) FROM mine"), value(second, "SELECT count(*) FROM mine")) == (1, 2)


def test_what_a_living_run_makes_for_another_database_is_left_alone(create: Callable[..., Settings]) -> None:
    first, second = create("a", 60), create("b", 60)

    with (
        replacement.new(first, "development") as made,
        replacement.new(second, "development"),
        databases.server(first) as server,
    ):
        assert databases.exists(server, str(made.url.database))


def test_what_older_versions_kept_is_found_where_only_one_database_fits(create: Callable[..., Settings]) -> None:
    one, other = create("a", 50), create("b", 36)
    old = f"{name(one)[:40]}__kept_{WHEN}"
    with databases.server(one) as server:
        server.exec_driver_sql(f'CREATE DATABASE "{old}" STRATEGY file_copy')

        assert names(server, one) == [old]
        assert names(server, other) == []
        assert kept_databases.doubtful(server, name(one)) == []


def test_what_older_versions_kept_of_one_of_two_databases_is_neither_s(create: Callable[..., Settings]) -> None:
    """One of them has just the letters that the old name has."""
    long, short = create("a", 50), create("", 40)
    old = f"{name(long)[:40]}__kept_{WHEN}"
    with databases.server(long) as server:
        server.exec_driver_sql(f'CREATE DATABASE "{old}" STRATEGY file_copy')

        for one in (long, short):
            assert names(server, one) == []
            (doubt,) = kept_databases.doubtful(server, name(one))
            assert str(doubt) == (
                f"{old} was kept by a restore of {name(short)} or of {name(long)}; its name does not say which."
            )
            with pytest.raises(UserError, match="its name does not say which") as caught:
                kept_databases.require_certain(server, name(one), old)
            assert f'make psql c=\'ALTER DATABASE "{old}" RENAME TO "{doubt.new}"\'' in str(caught.value)

        databases.rename(server, old, doubt.new)
        assert names(server, short) == [doubt.new]
        assert names(server, long) == []


def test_a_database_of_another_user_on_the_server_is_no_obstacle(two_roles: Settings) -> None:
    """Its size is nothing that everybody may ask for."""
    with databases.server(two_roles) as server:
        assert kept_databases.list_all(server, name(two_roles)) == []


def test_any_name_can_be_typed_into_a_shell() -> None:
    assert kept_databases.drop_command("it's") == """make psql c='DROP DATABASE "it'"'"'s"'"""
