"""scripts/core/postgres/databases.py"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from scripts.core.errors import DatabaseMissingError
from scripts.core.postgres import connections, databases, environments, sql
from scripts.core.postgres.sql import compose
from scripts.core.settings import Settings

NAMES = [
    "plain",
    "With Space",
    'quo"te',
    "it's",
    "100%",
    ":name",
    "select",
    "größe",
    "semi;colon",
    "x" * 40,
    "a/b",
    "ä:b",
]


@pytest.fixture(scope="module")
def prefix(lasting_database: Callable[..., URL]) -> str:
    """What the names of all databases of this session may begin with."""
    return str(lasting_database().database)


@pytest.fixture
def missing(configured: Settings, prefix: str) -> Iterator[Callable[[str], Settings]]:
    """Settings whose database, of this name behind the prefix, is not there yet."""
    made: list[str] = []

    def name(suffix: str) -> Settings:
        made.append(f"{prefix}_{suffix}")
        return replace(configured, app_env="test", database_url=configured.database_url.set(database=made[-1]))

    yield name
    with connections.connect(configured, isolation_level="AUTOCOMMIT") as connection:
        for database in made:
            quoted = connection.dialect.identifier_preparer.quote(database)
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")


def names(target: Settings) -> list[str]:
    """Databases whose name begins with the target's."""
    with connections.connect(target, connections.maintenance(target)) as connection:
        found = connection.scalars(
            text("SELECT datname FROM pg_database WHERE starts_with(datname, :name) ORDER BY 1"),
            {"name": target.database_url.database},
        )
        return list(found)


def execute(target: Settings, *statements: str, url: URL | None = None) -> None:
    with connections.connect(target, url, isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))


def environment(target: Settings) -> str | None:
    with connections.connect(target) as connection:
        return environments.read(connection)


def tables(connection: Connection) -> list[str]:
    return list(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")))


def test_a_database_without_the_line_has_no_mark(target: Settings) -> None:
    for comment in ("NULL", "''", "'the shop of environment=development'", "'ENVIRONMENT=test'"):
        execute(target, f"COMMENT ON DATABASE {target.database_url.database} IS {comment}")

        assert environment(target) is None, comment


def test_a_mark_is_one_line_and_the_rest_of_the_comment_stays(target: Settings) -> None:
    name = str(target.database_url.database)
    others = ["it's Ada's: 100% \\ :name", "", '"owner" $1']
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        comment = sql.value("\n".join([others[0], "environment=staging", *others[1:]]))
        sql.run(connection, compose("COMMENT ON DATABASE {} IS {}", sql.name(name), comment))

        environments.write(connection, name, "development")

        assert environments.read(connection) == environments.read(connection, name) == "development"
        said = connection.scalar(
            text("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()")
        )
        assert said.splitlines() == [*others, "environment=development"]


@pytest.mark.parametrize("suffix", NAMES)
def test_a_missing_database_is_created_empty_and_marked_once(missing: Callable[[str], Settings], suffix: str) -> None:
    wanted = missing(suffix)

    assert databases.ensure(wanted) is True
    assert databases.ensure(wanted) is False

    assert names(wanted) == [wanted.database_url.database]
    assert environment(wanted) == "test"


def test_a_database_that_is_there_keeps_its_mark(target: Settings) -> None:
    assert databases.ensure(replace(target, app_env="production")) is False

    assert environment(target) == "development"


def test_on_a_server_of_somebody_else_nothing_is_created(missing: Callable[[str], Settings]) -> None:
    wanted = replace(missing("theirs"), external=True)

    assert databases.ensure(wanted) is False

    with pytest.raises(DatabaseMissingError), connections.connect(wanted):
        pass


def test_what_an_interrupted_creation_left_is_made_anew(missing: Callable[[str], Settings]) -> None:
    wanted = missing("again")
    execute(wanted, f"CREATE DATABASE {wanted.database_url.database}__unfinished", url=connections.maintenance(wanted))

    assert databases.ensure(wanted) is True

    assert names(wanted) == [wanted.database_url.database]
    assert environment(wanted) == "test"


def test_of_several_that_find_it_missing_one_creates_it(missing: Callable[[str], Settings]) -> None:
    wanted = missing("raced")

    with ThreadPoolExecutor(4) as pool:
        created = list(pool.map(databases.ensure, [wanted] * 4))

    assert sorted(created) == [False, False, False, True]
    assert environment(wanted) == "test"


def test_a_table_of_another_application_is_not_taken_for_ours(target: Settings) -> None:
    with connections.connect(target) as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num text); CREATE TABLE migration_log (id int)"))
        assert databases.is_empty(connection)

        connection.execute(text("CREATE SCHEMA other; CREATE TABLE other.migration_log (note text)"))
        assert not databases.is_empty(connection)


def test_a_temporary_table_of_another_session_makes_no_database_full(target: Settings) -> None:
    with connections.connect(target) as other, connections.connect(target) as connection:
        other.execute(text("CREATE TEMPORARY TABLE passing (n int)"))
        other.commit()

        assert databases.is_empty(connection)

        other.execute(text("CREATE TABLE staying (n int)"))
        other.commit()
        assert not databases.is_empty(connection)
