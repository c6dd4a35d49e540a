"""Every right is after a restore what it was before, of every kind"""

from collections.abc import Iterator

import pytest

from scripts.core.backups import restore
from scripts.core.postgres import connections, databases, environments
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, granted, take, value

TABLES = """
CREATE TABLE users (id serial PRIMARY KEY, email text, secret text);
CREATE TABLE posts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
CREATE VIEW emails AS SELECT email FROM users;
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id int);
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN word AS text;
CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1;
CREATE PROCEDURE clean() LANGUAGE sql AS 'DELETE FROM users';
SELECT lo_create(4711)
"""
RIGHTS = """
REVOKE UPDATE, DELETE ON users FROM {app};
REVOKE ALL ON posts, posts_id_seq FROM {app};
REVOKE INSERT ON users FROM CURRENT_USER;
GRANT TRUNCATE ON posts TO {app} WITH GRANT OPTION;
GRANT SELECT (email), UPDATE (email) ON users TO {app};
REVOKE USAGE ON SEQUENCE users_id_seq FROM {app};
REVOKE USAGE ON SCHEMA shop FROM {app};
GRANT CREATE ON SCHEMA public TO {app};
REVOKE EXECUTE ON FUNCTION one() FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE clean() FROM PUBLIC;
REVOKE USAGE ON TYPE mood FROM PUBLIC;
GRANT USAGE ON TYPE word TO {app} WITH GRANT OPTION;
GRANT SELECT ON LARGE OBJECT 4711 TO {app};
ALTER DEFAULT PRIVILEGES REVOKE DELETE ON TABLES FROM {app};
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO {app};
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC;
REVOKE CREATE ON DATABASE {name} FROM CURRENT_USER;
GRANT CREATE ON DATABASE {name} TO {app} WITH GRANT OPTION
"""


@pytest.fixture(autouse=True)
def _drop_old_databases(two_roles: Settings) -> Iterator[None]:
    yield
    with databases.server(two_roles) as server:
        names = server.exec_driver_sql("SELECT datname FROM pg_database").scalars().all()
        for name in names:
            if name.startswith(f"{two_roles.database_url.database}__"):
                databases.drop(server, name)


def run(target: Settings, script: str) -> None:
    names = {"app": target.application_url.username, "name": target.database_url.database}
    execute(target, *script.format(**names).strip().split(";\n"))


def restored(target: Settings, sent: list[str]) -> None:
    """Restore a backup, and leave only what was said of that."""
    backup = take(target)
    sent.clear()
    restore.put_in_place(target, backup, "development")


def test_what_was_taken_from_the_application_stays_taken(two_roles: Settings, sent: list[str]) -> None:
    run(two_roles, TABLES)
    run(two_roles, RIGHTS)
    before = granted(two_roles)

    restored(two_roles, sent)

    assert granted(two_roles) == before
    assert len([one for one in before if "test_role" in one]) > 15
    assert sent == []
    execute(two_roles, "CREATE TABLE later (id int)")
    application = two_roles.application_url.username
    rights = f"SELECT has_table_privilege('{application}', 'later', 'INSERT'),"
    with connections.connect(two_roles) as connection:
        found = connection.exec_driver_sql(f"{rights} has_table_privilege('{application}', 'later', 'DELETE')").one()
    assert tuple(found) == (True, False)


def test_a_database_in_which_the_application_has_no_right_comes_back_so(two_roles: Settings, sent: list[str]) -> None:
    """As elsewhere before `make roles`."""
    name, owner = two_roles.database_url.database, two_roles.database_url.username
    with databases.server(two_roles) as server:
        databases.drop(server, str(name))
        server.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
        environments.write(server, str(name), "development")
    run(two_roles, TABLES)
    before = granted(two_roles)

    restored(two_roles, sent)

    assert granted(two_roles) == before
    assert [one for one in before if "test_role" in one] == []
    assert sent == [
        f"The backup grants nothing to {two_roles.application_url.username}. To grant its usual rights: make roles"
    ]
    assert (
        value(two_roles, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()") == owner
    )


def test_without_grants_the_application_gets_its_usual_rights_and_that_is_told(
    two_roles: Settings, monkeypatch: pytest.MonkeyPatch, sent: list[str]
) -> None:
    run(two_roles, TABLES)
    run(two_roles, RIGHTS)
    monkeypatch.setenv("ACCEPT", "roles")

    restored(two_roles, sent)

    application = two_roles.application_url.username
    assert value(two_roles, f"SELECT has_table_privilege('{application}', 'users', 'DELETE')")
    assert f"The backup was restored without owners and grants. {application} has its usual rights." in sent
