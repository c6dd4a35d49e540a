"""Databases that stay as templates"""

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from scripts.core.postgres import connections, databases, scratch, templates
from scripts.core.postgres.scratch import Scratch
from scripts.core.settings import Settings


@pytest.fixture
def throwaway(configured: Settings) -> Iterator[Scratch]:
    with scratch.session(configured) as server:
        yield server


@pytest.fixture
def kind(throwaway: Scratch) -> Iterator[str]:
    """A kind of this test's own."""
    kind = f"test{random.getrandbits(31)}"
    yield kind
    for name in there(throwaway, kind):
        databases.drop(throwaway.server, name)


def there(server: Scratch, kind: str) -> list[str]:
    query = text("SELECT datname FROM pg_database WHERE datname ~ :kind ORDER BY oid")
    return list(server.server.scalars(query, {"kind": kind}))


def test_what_is_kept_stays_whole_without_sessions_and_of_two_the_first(
    configured: Settings, throwaway: Scratch, kind: str
) -> None:
    name = f"{kind}_{'a' * 24}"
    first, second = scratch.create(throwaway), scratch.create(throwaway)

    assert templates.keep(throwaway, first, name, "about the first", 5) == name
    assert templates.keep(throwaway, second, name, "about the second", 5) == second.database_url.database

    with scratch.session(configured) as later:
        assert templates.find(later, kind) == {name: "about the first"}
    administrator = scratch.as_administrator(throwaway, first).database_url
    with pytest.raises(OperationalError, match="not currently accepting connections"):
        connections.engine(administrator.set(database=name)).connect()
    with connections.connect(templates.copied(throwaway, lambda: name)) as copy:
        assert copy.scalar(text("SELECT 1")) == 1


def test_the_oldest_are_dropped_and_a_database_of_the_user_with_such_a_name_is_not(
    throwaway: Scratch, kind: str
) -> None:
    throwaway.server.exec_driver_sql(f"CREATE DATABASE {kind}_orders TEMPLATE template0")
    names = [f"{kind}_{letter * 24}" for letter in "bac"]
    for name in names:
        templates.keep(throwaway, scratch.create(throwaway), name, "", 2)

    assert there(throwaway, kind) == [f"{kind}_orders", *names[1:]]
    assert list(templates.find(throwaway, kind)) == names[1:]


def test_a_template_that_another_run_drops_meanwhile_is_made_again(throwaway: Scratch, kind: str) -> None:
    name, asked = f"{kind}_{'a' * 24}", list[str]()

    def template() -> str:
        asked.append(name)
        if len(asked) > 1:
            templates.keep(throwaway, scratch.create(throwaway), name, "", 5)
        return name

    with connections.connect(templates.copied(throwaway, template)):
        assert asked == [name, name]


def test_an_interruption_before_the_end_leaves_nothing(
    configured: Settings, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(databases, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), scratch.session(configured) as server:  # noqa: PT012
        made = scratch.create(server)
        templates.keep(server, made, f"{kind}_{'a' * 24}", "", 5)

    with scratch.session(configured) as server:
        assert there(server, kind) == []
        assert there(server, str(made.database_url.database)) == []
