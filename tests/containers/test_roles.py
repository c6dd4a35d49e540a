"""The roles of the database: made by its first start, and by `make roles` where it was made before."""

import time
from collections.abc import Callable

import pytest

from tests.containers.stack import APP_PASSWORD, PASSWORD, POSTGRES_IMAGE, Stack, docker

pytestmark = pytest.mark.timeout(600)
ROLES = "SELECT rolname, rolsuper, rolcreatedb FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY oid"


def test_the_first_start_makes_an_owner_and_a_role_for_the_application(dev: Stack) -> None:
    roles = dev.sql(ROLES, "postgres")
    password = dev.sql("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'postgres'", "postgres")

    assert roles.split() == ["postgres|t|t", "app_owner|f|t", "app|f|f"]
    assert password == "t\n"


def test_the_superuser_cannot_log_in_from_another_container(dev: Stack) -> None:
    login = "import os, psycopg2; psycopg2.connect(host='db', user='postgres', dbname='postgres', password='{}')"

    for guess in ("postgres", "' + os.environ['POSTGRES_PASSWORD'] + '"):
        result = dev.execute("app", "python", "-c", login.format(guess))

        assert 'password authentication failed for user "postgres"' in result.output


def test_the_application_reads_and_writes_what_later_migrations_make_and_drops_nothing(dev: Stack) -> None:
    path = dev.folder / "alembic/versions/abcd01.py"
    head = dev.sql("SELECT version_num FROM alembic_version").strip()
    path.write_text(
        f"from alembic import op\n\nrevision = 'abcd01'\ndown_revision = {head!r}\n\n\n"
        "def upgrade():\n    op.execute('CREATE SCHEMA shop; CREATE TABLE shop.orders (id serial)')\n\n\n"
        "def downgrade():\n    op.execute('DROP SCHEMA shop CASCADE')\n"
    )
    written = []
    for words in (["migrate"], ["reset", "CONFIRM=app"]):
        result = dev.make(*words)
        assert result.code == 0, result.output
        written.append(dev.sql("INSERT INTO shop.orders DEFAULT VALUES RETURNING id", "app"))

    refused = [
        dev.try_sql(statement, "app").output
        for statement in ("DROP TABLE shop.orders", "TRUNCATE shop.orders", "CREATE TABLE mine ()")
    ]

    assert dev.make("rollback", "CONFIRM=app").code == 0
    path.unlink()
    assert written == ["1\n", "1\n"]
    assert "must be owner of table orders" in refused[0]
    assert "permission denied for table orders" in refused[1]
    assert "permission denied for schema public" in refused[2]
    assert dev.is_healthy("app")


@pytest.fixture(scope="module")
def migrated(new_stack: Callable[[], Stack]) -> Stack:
    """A stack whose .env the tests change; its application does not run."""
    stack = new_stack()
    result = stack.make("migrate")
    assert result.code == 0, result.output
    return stack


def test_edited_password_is_told_from_a_server_that_is_down(migrated: Stack) -> None:
    old = migrated.setting("POSTGRES_PASSWORD")
    migrated.set(POSTGRES_PASSWORD="another")

    wrong = migrated.make("up")
    migrated.set(POSTGRES_PASSWORD=old)
    right = migrated.make("status")

    assert wrong.code != 0
    assert "password" in wrong.output
    assert "or set the new one on the server: make roles" in wrong.output
    assert right.code == 0, right.output


def test_names_that_postgresql_will_not_have_are_told_in_its_words(migrated: Stack) -> None:
    migrated.set(APP_DB_USER="postgres")

    result = migrated.make("roles")

    migrated.set(APP_DB_USER="app")
    assert result.code != 0
    assert "permission denied to alter role" in result.output
    assert "✗ psql could not make the roles. Its message is above." in result.output
    assert APP_PASSWORD not in result.output + migrated.compose("logs", "db").output


def test_passwords_that_were_changed_in_env_file_become_those_of_the_roles(migrated: Stack) -> None:
    changed = {"POSTGRES_PASSWORD": 'n3w "of$the" %owner', "APP_DB_PASSWORD": "n3w of the `application`"}
    migrated.set(**changed)
    migrated.sql("ALTER ROLE app_owner SUPERUSER CREATEROLE", "postgres")

    wrong = migrated.make("status")
    roles = migrated.make("roles")
    up = migrated.make("up")
    again = migrated.make("roles")
    used = [migrated.make(*words) for words in (["rollback", "CONFIRM=app"], ["plan"], ["backup"], ["verify-backup"])]

    assert [result.code for result in used] == [0] * len(used), used[-1].output
    assert wrong.code != 0
    assert "or set the new one on the server: make roles" in wrong.output
    assert (roles.code, up.code, again.code) == (0, 0, 0), roles.output + up.output + again.output
    assert "reads and writes rows" in roles.output
    assert "no superuser" in roles.output
    seen = [wrong, roles, up, again, migrated.compose("logs", "db")]
    assert not any(password in result.output for result in seen for password in changed.values())


def test_a_volume_that_was_made_with_the_owner_as_superuser_keeps_working_and_gets_the_role(fresh: Stack) -> None:
    role = {name: fresh.setting(name) for name in ("APP_DB_USER", "APP_DB_PASSWORD")}
    fresh.set(APP_DB_USER="", APP_DB_PASSWORD="")
    make_volume_as_before(fresh)

    up = fresh.make("up")
    fresh.set(**role)
    unready = fresh.make("up")
    roles = fresh.make("roles")
    ready = fresh.make("up")

    assert up.code == 0, up.output
    assert "Migrates as  app_owner: may create databases, superuser" in up.output
    assert "! The application could drop tables: it is a superuser. Correct it: make roles" in up.output
    assert unready.code != 0
    assert "✗ app cannot log in to the database." in unready.output
    assert "Do:    make roles, then: make up" in unready.output
    assert "Starting app" not in unready.output, "its health check would take two minutes to say so"
    assert roles.code == 0, roles.output
    assert "! app_owner is still a superuser. The server was created with this role" in roles.output
    assert ready.code == 0, ready.output
    assert "Application  app: reads and writes rows" in ready.output
    assert "must be owner" in fresh.try_sql("DROP TABLE users CASCADE", "app").output
    assert not any(password in roles.output + ready.output for password in (PASSWORD, APP_PASSWORD))


def make_volume_as_before(stack: Stack) -> None:
    """A data directory of which POSTGRES_USER is the superuser, as the image makes it by itself."""
    stack.compose("create", "db")
    volume = ["--volume", f"{stack.project}_db:/var/lib/postgresql/data", "--user", "postgres"]
    login = ["--env", "POSTGRES_USER=app_owner", "--env", f"POSTGRES_PASSWORD={PASSWORD}"]
    name = docker("run", "--detach", *volume, *login, POSTGRES_IMAGE)
    while "init process complete" not in docker("logs", name):
        time.sleep(0.1)
    docker("stop", name)
    docker("rm", "--volumes", name)


def test_the_superuser_restores_what_only_a_superuser_may_make_and_is_shut_out_again(dev: Stack) -> None:
    dev.sql("CREATE EXTENSION pageinspect", "postgres")
    assert dev.make("backup", "NAME=superuser").code == 0

    words = [f"{target} BACKUP=superuser CONFIRM=app".split() for target in ("verify-backup", "restore")]
    refused = [dev.make(*one) for one in words]
    done = [dev.make(*one, "ACCEPT=superuser") for one in words]

    assert all(one.code for one in refused)
    assert all("ACCEPT=superuser" in one.output for one in refused)
    assert [one.code for one in done] == [0, 0], done[1].output
    owners = "SELECT pg_get_userbyid(datdba), pg_get_userbyid(extowner) FROM pg_database, pg_extension"
    found = dev.sql(f"{owners} WHERE datname = 'app' AND extname = 'pageinspect'")
    assert found == "app_owner|postgres\n"
    password = dev.sql(
        "SELECT rolpassword IS NULL, rolvaliduntil FROM pg_authid WHERE rolname = 'postgres'", "postgres"
    )
    assert password == "t|infinity\n"
    dev.sql("DROP EXTENSION pageinspect", "postgres")


def test_the_superuser_creates_the_extensions_of_the_application_and_is_shut_out_again(dev: Stack) -> None:
    project = dev.folder / "pyproject.toml"
    said = project.read_text()
    project.write_text(said.replace("apt = []", 'apt = []\nextensions = ["pageinspect", "uuid-ossp SCHEMA ids"]'))
    there = "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql'"

    before = dev.make("migrate")
    found = []
    for words in (["up"], ["plan"], ["lint", "ALL=1"], ["reset", "CONFIRM=app"]):
        result = dev.make(*words)
        assert result.code == 0, (words, result.output)
        found.append(dev.sql(there))
    dev.sql("DROP EXTENSION pageinspect", "postgres")
    roles = dev.make("roles")

    project.write_text(said)
    dev.sql('DROP EXTENSION pageinspect, "uuid-ossp"; DROP SCHEMA ids', "postgres")
    assert before.code != 0
    assert "app_owner may not create the extension pageinspect in app." in before.output
    assert found == ["pageinspect uuid-ossp\n"] * 4
    assert "✓ Created the extension pageinspect." in roles.output, roles.output
    assert dev.sql("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'postgres'", "postgres") == "t\n"
