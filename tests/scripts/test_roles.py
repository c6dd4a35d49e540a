"""make roles, on servers that were made without them"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from tests.conftest import Project

PASSWORD = "it's 100% p@ss"

Admin = Callable[[str], None]


@pytest.fixture
def named(project: Project, superuser: Admin) -> Iterator[Project]:
    """A project at head on a server whose superuser is its owner, with a name for the application's role in .env."""
    name = f"test_rw_{random.getrandbits(31)}"
    project.environment = {"APP_DB_USER": name, "APP_DB_PASSWORD": PASSWORD}
    yield project
    superuser(f"DROP DATABASE IF EXISTS {project.url.database} WITH (FORCE)")
    superuser(f"DROP ROLE IF EXISTS {name}")


@pytest.fixture
def owned_by(named: Project, superuser: Admin) -> Iterator[Callable[[str], Project]]:
    """That project as a role with these options, which has the database and all in it: owned_by("CREATEROLE")."""
    owner = f"test_owner_{random.getrandbits(31)}"

    def make(options: str) -> Project:
        superuser(f"CREATE ROLE {owner} LOGIN CREATEDB {options} PASSWORD 'of the owner'")
        superuser(f"ALTER DATABASE {named.url.database} OWNER TO {owner}")
        tables = [row[0] for row in named.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        named.sql("; ".join(f"ALTER TABLE {table} OWNER TO {owner}" for table in tables))
        return replace(named, url=named.url.set(username=owner, password="of the owner"))

    yield make
    superuser(f"DROP DATABASE {named.url.database} WITH (FORCE)")
    superuser(f"DROP ROLE IF EXISTS {named.environment['APP_DB_USER']}")
    superuser(f"DROP ROLE {owner}")


def as_application(project: Project, statement: str, password: str = PASSWORD) -> None:
    url = project.url.set(username=project.environment["APP_DB_USER"], password=password)
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(statement))


def reads_and_writes(project: Project, password: str = PASSWORD) -> None:
    as_application(project, "INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com')", password)
    as_application(project, "DELETE FROM users", password)
    for statement in ("DROP TABLE users CASCADE", "DELETE FROM alembic_version", "SELECT * FROM migration_log"):
        with pytest.raises(DBAPIError, match=r"must be owner|permission denied"):
            as_application(project, statement, password)


def test_a_superuser_makes_the_role_and_stays_one(named: Project) -> None:
    result = named.run("roles")

    name, owner = named.environment["APP_DB_USER"], named.url.username
    assert result.returncode == 0, result.stderr
    assert result.stdout == (
        f"✓ The application is {name}: reads and writes rows."
        f" Migrations run as {owner}: may create databases, superuser.\n"
    )
    assert f"! {owner} is still a superuser. The server was created with this role" in result.stderr
    assert "pg_dump --no-owner" in result.stderr
    reads_and_writes(named)

    named.sql(f"REVOKE SELECT, DELETE ON users FROM {name}; REVOKE SELECT ON social_posts, alembic_version FROM {name}")
    named.sql(f"REVOKE UPDATE ON users FROM {name}; GRANT UPDATE (email) ON users TO {name}")
    status = named.run("status")
    assert f"Application  {name}: may not DELETE on users, SELECT on alembic_version and 2 more\n" in status.stdout
    assert "SELECT on alembic_version and 2 more. To grant its usual rights: make roles\n" in status.stderr


def test_a_role_that_may_make_roles_makes_it_and_twice_is_no_fault(owned_by: Callable[[str], Project]) -> None:
    project = owned_by("CREATEROLE")

    for _ in range(2):
        result = project.run("roles")

        assert result.returncode == 0, result.stderr
        assert "no superuser" in result.stdout
        assert result.stderr == ""
        reads_and_writes(project)


def test_a_password_that_was_changed_in_env_becomes_the_role_s(named: Project) -> None:
    assert named.run("roles").returncode == 0
    with pytest.raises(OperationalError):
        as_application(named, "SELECT 1", "an0ther-pw")

    assert named.run("roles", APP_DB_PASSWORD="an0ther-pw").returncode == 0

    reads_and_writes(named, "an0ther-pw")
    with pytest.raises(OperationalError):
        as_application(named, "SELECT 1")


def test_rights_that_are_too_few_are_told_with_what_an_administrator_types(
    owned_by: Callable[[str], Project], superuser: Admin
) -> None:
    project = owned_by("")
    name, owner = project.environment["APP_DB_USER"], project.url.username

    result = project.run("roles")

    assert result.returncode == 1
    assert f"✗ {owner} may not create roles: permission denied to create role" in result.stderr
    assert "State: nothing was changed." in result.stderr
    typed = re.findall(r"^    (.+)$", result.stderr, re.MULTILINE)
    assert typed == [f"CREATE ROLE {name} LOGIN;", f"GRANT {name} TO {owner};", f'\\password "{name}"']
    for statement in typed[:2]:
        superuser(statement)
    superuser(f"ALTER ROLE {name} PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'")
    assert project.run("roles").returncode == 0
    reads_and_writes(project)


def test_a_role_that_was_too_mighty_is_mended(named: Project, superuser: Admin) -> None:
    name = named.environment["APP_DB_USER"]
    superuser(f"CREATE ROLE {name} LOGIN SUPERUSER CREATEDB CREATEROLE IN ROLE {named.url.username}")
    named.sql(f"GRANT CREATE ON SCHEMA public TO PUBLIC; GRANT CREATE ON DATABASE {named.url.database} TO {name}")

    result = named.run("roles")

    assert result.returncode == 0, result.stderr
    assert named.sql(f"SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = '{name}'") == [
        (False, False, False)
    ]
    reads_and_writes(named)


def test_a_role_that_owns_tables_is_told_with_the_cure(named: Project) -> None:
    assert named.run("roles").returncode == 0
    name = named.environment["APP_DB_USER"]
    named.sql(f"ALTER TABLE users OWNER TO {name}")

    result = named.run("roles")

    assert result.returncode == 1
    assert f"✗ The application could still drop tables: {name} may drop users." in result.stderr
    cure = f"REASSIGN OWNED BY {name} TO {named.url.username};"
    assert cure in result.stderr
    named.sql(cure)
    assert named.run("roles").returncode == 0
    reads_and_writes(named)


def test_before_there_is_a_database_it_makes_the_role(named: Project) -> None:
    named.url = named.url.set(database=f"{named.url.database}_later")
    try:
        result = named.run("roles")
        migrated = named.run("migrate")

        assert result.returncode == 0, result.stderr
        assert "It gets its privileges with the database: make migrate" in result.stdout
        assert migrated.returncode == 0, migrated.stderr
        reads_and_writes(named)
    finally:
        named.sql_on_server(f"DROP DATABASE {named.url.database} WITH (FORCE)")
        named.url = named.url.set(database=str(named.url.database).removesuffix("_later"))


def test_without_a_name_in_env_it_says_what_to_add(settled: Project) -> None:
    result = settled.run("roles")

    assert result.returncode == 1
    assert f"✗ The application has no role of its own: {settled.url.username} also migrates." in result.stderr
    command = re.search(r"Do: +(printf .*); then run this again", result.stderr)
    assert command
    (settled.path / ".env").write_text("")
    assert settled.call("sh", "-c", command[1]).returncode == 0
    added = (settled.path / ".env").read_text()
    (settled.path / ".env").unlink()
    assert re.fullmatch(r"APP_DB_USER=app_rw\nAPP_DB_PASSWORD=[0-9a-f]{40}\n", added)


def test_with_one_url_it_says_that_there_are_to_be_two(settled: Project) -> None:
    whole = settled.url.set(drivername="postgresql").render_as_string(hide_password=False)

    result = settled.run("roles", DATABASE_URL=whole)

    assert result.returncode == 1
    assert "set MIGRATION_DATABASE_URL to the present DATABASE_URL" in result.stderr


def test_with_two_urls_the_role_is_that_of_the_application(named: Project) -> None:
    def whole(url: URL) -> str:
        return url.set(drivername="postgresql").render_as_string(hide_password=False)

    application = named.url.set(username=named.environment["APP_DB_USER"], password=PASSWORD)

    result = named.run("roles", DATABASE_URL=whole(application), MIGRATION_DATABASE_URL=whole(named.url))

    assert result.returncode == 0, result.stderr
    reads_and_writes(named)
