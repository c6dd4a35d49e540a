"""A proof and a restore say the same about foreign owners"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core import messages
from scripts.core.backups import restore, verify
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres import connections, databases, embedded
from scripts.core.postgres import superuser as superuser_
from scripts.core.schema import fingerprint
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings
from tests.conftest import needs_embedded
from tests.core.backups.conftest import execute, granted, take, value
from tests.core.postgres.test_embedded import another_checkout, cluster, login, settings_for

# {other} is a role that the one which migrates is no member of; {owner} is that one, and {app} the application's.
MADE_BY_A_SUPERUSER = {
    "untrusted extension": "CREATE EXTENSION pageinspect",
    "publication": "CREATE PUBLICATION everything FOR ALL TABLES",
    "C function": "CREATE FUNCTION add_one(int) RETURNS int LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'",
    "base type": "CREATE TYPE shell; CREATE FUNCTION i(cstring) RETURNS shell LANGUAGE internal IMMUTABLE STRICT AS"
    " 'int4in'; CREATE FUNCTION o(shell) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';"
    " CREATE TYPE shell (INPUT = i, OUTPUT = o, LIKE = integer)",
    "event trigger": "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
    " CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION on_ddl()",
    "wrapper": "CREATE FOREIGN DATA WRAPPER wrapper",
    "table of another": "CREATE TABLE theirs (a int); ALTER TABLE theirs OWNER TO {other};"
    " GRANT SELECT ON theirs TO {owner}; GRANT UPDATE ON theirs TO {app}",
    "schema of another": "CREATE SCHEMA theirs AUTHORIZATION {other}; GRANT USAGE ON SCHEMA theirs TO {owner}",
    "function of another": "CREATE FUNCTION theirs() RETURNS int LANGUAGE sql RETURN 1;"
    " ALTER FUNCTION theirs OWNER TO {other}; REVOKE EXECUTE ON FUNCTION theirs FROM PUBLIC",
    "default privileges of another": "ALTER DEFAULT PRIVILEGES FOR ROLE {other} GRANT SELECT ON TABLES TO {app}",
    "grant of another": "CREATE TABLE passed (a int); ALTER TABLE passed OWNER TO {owner};"
    " GRANT SELECT ON passed TO {other} WITH GRANT OPTION; SET ROLE {other}; GRANT SELECT ON passed TO {app}",
    "grant on what is the server's": "REVOKE EXECUTE ON FUNCTION pg_sleep FROM PUBLIC",
    "large object of another": "SELECT lo_create(4712); ALTER LARGE OBJECT 4712 OWNER TO {other};"
    " GRANT SELECT ON LARGE OBJECT 4712 TO {owner}",
}


@pytest.fixture
def other(new_role: object) -> str:
    return str(new_role("secret of the other").username)  # type: ignore[operator]


@pytest.fixture
def superuser(two_roles: Settings, configured: Settings) -> Iterator[Settings]:
    """The same database with the login of a superuser."""
    made = replace(two_roles, database_url=configured.database_url.set(database=two_roles.database_url.database))
    yield made
    with databases.server(configured) as server:
        for name in server.exec_driver_sql("SELECT datname FROM pg_database").scalars().all():
            if name.startswith(f"{two_roles.database_url.database}__"):
                databases.drop(server, name)


def whole(target: Settings) -> tuple[Schema, list[str], object]:
    with connections.connect(target) as connection:
        found = fingerprint.read(connection)
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    return found, granted(target), value(target, owner)


def refused(target: Settings, backup: Backup) -> tuple[str, str]:
    """What verify-backup and restore say."""
    said = []
    for attempt in (
        lambda: verify.verify(target, backup, verify.FULL),
        lambda: restore.put_in_place(target, backup, "development"),
    ):
        with pytest.raises(UserError) as caught:
            attempt()
        assert "ACCEPT=superuser" in str(caught.value)
        said.append(caught.value.problem)
    return said[0], said[1]


def make(two_roles: Settings, superuser: Settings, other: str, *scripts: str) -> None:
    owner, app = two_roles.database_url.username, two_roles.application_url.username
    execute(two_roles, "CREATE TABLE ours (id serial PRIMARY KEY)", "INSERT INTO ours DEFAULT VALUES")
    for script in scripts:
        execute(superuser, *script.format(other=other, owner=owner, app=app).split("; "), "RESET ROLE")


@pytest.mark.parametrize("script", MADE_BY_A_SUPERUSER.values(), ids=MADE_BY_A_SUPERUSER)
def test_a_proof_and_a_restore_judge_alike(two_roles: Settings, superuser: Settings, other: str, script: str) -> None:
    make(two_roles, superuser, other, script)
    before = whole(two_roles)
    backup = take(superuser if "large object" in script.lower() else two_roles)

    proof, restored = refused(two_roles, backup)

    assert proof == restored
    assert whole(two_roles) == before
    forget(superuser, other)


def test_a_superuser_restores_all_of_it(
    two_roles: Settings, superuser: Settings, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(two_roles, superuser, other, *MADE_BY_A_SUPERUSER.values())
    before = whole(superuser)
    backup = take(superuser)
    monkeypatch.setenv("ACCEPT", "superuser")
    sent: list[str] = []
    with messages.sent_to(sent.append):
        verify.verify(two_roles, backup, verify.FULL)
        restore.put_in_place(superuser, backup, "development")

    assert sent == []
    assert whole(superuser) == before
    assert value(two_roles, "SELECT count(*) FROM ours") == 1
    forget(superuser, other)


def forget(superuser: Settings, other: str) -> None:
    """Leave nothing of the role, which is dropped after the test."""
    for name in [str(superuser.database_url.database), *databases_of(superuser)]:
        one = replace(superuser, database_url=superuser.database_url.set(database=name))
        execute(one, f"REASSIGN OWNED BY {other} TO CURRENT_USER", f"DROP OWNED BY {other}")


def databases_of(target: Settings) -> list[str]:
    with databases.server(target) as server:
        names = server.exec_driver_sql("SELECT datname FROM pg_database").scalars().all()
    return [name for name in names if name.startswith(f"{target.database_url.database}__")]


def test_who_is_no_superuser_of_another_server_is_told_how_to_be_one(
    two_roles: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(two_roles, "CREATE TABLE ours (id int)")
    backup = take(two_roles)
    monkeypatch.setenv("ACCEPT", "superuser")

    with pytest.raises(UserError, match="is no superuser of") as caught:
        restore.put_in_place(replace(two_roles, external=True), backup, "development")

    assert "MIGRATION_DATABASE_URL=" in str(caught.value)


@needs_embedded
@pytest.mark.faults
def test_the_embedded_superuser_is_let_in_for_a_restore_only(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another_checkout(monkeypatch):
        owner = login("app_owner", "s3cret-pw")
        port = embedded.start(cluster(logins=(owner, login("app", "0ther-pw"))))
        url = owner.set(port=port, database="app")
        target = settings_for(port, database_url=url, application_url=url)
        databases.ensure(target)
        execute(target, "CREATE TABLE ours (id int)", "INSERT INTO ours VALUES (1)")
        with superuser_.login(target) as acting:
            execute(acting, "CREATE EXTENSION pageinspect")
            password = acting.database_url
        backup = take(target)
        with pytest.raises(UserError, match="cannot be restored"):
            restore.put_in_place(target, backup, "development")
        monkeypatch.setenv("ACCEPT", "superuser")

        restore.put_in_place(target, backup, "development")

        assert value(target, "SELECT count(*) FROM ours") == 1
        extension = "SELECT pg_get_userbyid(extowner) FROM pg_extension WHERE extname = 'pageinspect'"
        assert value(target, extension) == "postgres"
        assert value(target, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'app'") == "app_owner"
        with pytest.raises(UserError, match="refuses the password"), connections.connect(target, password):
            pass
