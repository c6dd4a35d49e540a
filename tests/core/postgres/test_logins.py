"""What users wrote has on the scratch server the rights that it will have"""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from scripts.core.errors import UserError
from scripts.core.postgres import connections, logins, rights, schema_copy, scratch
from scripts.core.postgres.rights import Membership, Rights, Role
from scripts.core.settings import Settings
from tests.core.running import session


@pytest.fixture
def wanted(configured: Settings) -> Iterator[Rights]:
    """Of a role that the server does not have from elsewhere, and of two others; these roles are gone in the end."""
    name = f"test_role_{random.getrandbits(31)}"
    owner, group, other = Role(name, createdb=True), Role(f"{name}_2", createrole=True), Role(f"{name}_3")
    memberships = (Membership(group.name, name), Membership("pg_read_all_stats", name))
    yield Rights(name, (owner, group, replace(other, superuser=True)), memberships, owner=name)
    with connections.connect(configured, isolation_level="AUTOCOMMIT") as server:
        for role in (owner, group, other):
            server.exec_driver_sql(f"DROP ROLE IF EXISTS {role.name}")


def rights_of(made: Settings) -> Rights:
    with connections.connect(made) as connection:
        return rights.read(connection)


def ask(made: Settings, query: str) -> object:
    with connections.connect(made, isolation_level="AUTOCOMMIT") as connection:
        return connection.scalar(text(query))


def test_the_login_has_the_name_and_exactly_the_rights_of_the_role_that_migrates(
    configured: Settings, wanted: Rights
) -> None:
    fewer = replace(wanted, roles=(Role(wanted.name, bypassrls=True),), memberships=())
    for given in (wanted, fewer, wanted):
        with scratch.session(configured, given) as server:
            made = scratch.create(server)
            found = rights_of(made)

            assert made.database_url.username == found.name == found.owner == wanted.name
            assert found.key == given.key
            assert logins._read(server.server).roles.items() >= {one.name: one for one in given.roles}.items()


def test_other_roles_of_the_target_are_there_and_cannot_log_in(configured: Settings, wanted: Rights) -> None:
    with scratch.session(configured, wanted) as server:
        query = text("SELECT rolcanlogin FROM pg_roles WHERE rolname LIKE :names ORDER BY rolname")

        assert list(server.server.scalars(query, {"names": f"{wanted.name}%"})) == [True, False, False]


def test_it_has_a_password_of_its_own_which_a_revision_cannot_change_for_the_next_run(
    configured: Settings, wanted: Rights
) -> None:
    for _ in range(2):
        with scratch.session(configured, wanted) as server:
            made = scratch.create(server)
            assert made.database_url.password != server.administrator.database_url.password
            with pytest.raises(DBAPIError, match="permission denied"):
                ask(made, "SELECT pg_read_file('/etc/passwd')")
            with connections.connect(made, isolation_level="AUTOCOMMIT") as connection:
                assert connection.scalar(text("SHOW search_path")) == '"$user", public'
                connection.exec_driver_sql("ALTER ROLE CURRENT_USER PASSWORD 'x'")
                connection.exec_driver_sql("ALTER ROLE CURRENT_USER SET search_path = nowhere")


def test_a_role_that_owns_no_database_may_there_what_it_may_in_the_target(configured: Settings, wanted: Rights) -> None:
    guest = replace(wanted, owner=f"{wanted.name}_3", makes_schemas=False, memberships=())
    with scratch.session(configured, guest) as server:
        found = rights_of(scratch.create(server))

    assert (found.owner, found.makes_schemas, found.makes_tables) == (guest.owner, False, True)


def test_a_command_that_runs_keeps_its_rights(
    configured: Settings, wanted: Rights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "LOCK_WAIT", 0.0)
    raised = replace(wanted, roles=(Role(wanted.name, superuser=True),))
    with scratch.session(configured, wanted), scratch.session(configured, wanted) as other:
        with pytest.raises(UserError, match="with other rights than this one"), scratch.session(configured, raised):
            pass

        assert rights_of(scratch.create(other)).role == wanted.role


def test_a_role_from_elsewhere_keeps_its_password_and_another_login_becomes_it(
    configured: Settings, new_role: Callable[..., URL]
) -> None:
    """The scratch server may be the target's own server, as in continuous integration."""
    role = new_role("p@ss", "LOGIN CREATEROLE")
    elsewhere = replace(configured, database_url=role, application_url=role)
    with scratch.session(elsewhere) as server:
        made = scratch.create(server)

        assert made.database_url.username == f"{role.username}__scratch"
        assert rights_of(made).role == Role(str(role.username), createrole=True)
    with session(role) as connection:
        assert connection.scalar(text("SELECT current_user")) == role.username


def test_what_other_commands_have_made_on_the_targets_own_server_is_left_to_them(
    configured: Settings, wanted: Rights
) -> None:
    with scratch.session(configured, wanted), connections.connect(configured) as connection:
        found = rights.read(connection)

    assert wanted.name not in {role.name for role in found.roles} | {one.member for one in found.memberships}


def test_a_name_that_an_administrator_has_gets_no_right_of_it_and_no_copy(configured: Settings) -> None:
    with scratch.session(configured, rights.default(configured)) as server:
        made = scratch.create(server)

        assert rights_of(made).role.superuser is False
        with pytest.raises(UserError, match="is a superuser of the scratch server") as caught:
            schema_copy.schema(server, configured)
    assert "SCRATCH_USER and SCRATCH_PASSWORD" in str(caught.value)


def test_a_server_that_was_given_with_an_ordinary_role_has_that_one_only(
    configured: Settings, new_role: Callable[..., URL]
) -> None:
    role = new_role("p@ss", "LOGIN CREATEDB")
    login = {"SCRATCH_USER": str(role.username), "SCRATCH_PASSWORD": "p@ss"}
    with scratch.session(replace(configured, values={**configured.values, **login})) as server:
        made = scratch.create(server)

        assert made.database_url.username == role.username
        assert ask(made, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_where_the_target_does_not_answer_the_rights_are_those_of_make_roles(two_roles: Settings) -> None:
    """roles.sql makes them on the real servers, and its rights are read from one here."""
    found = rights.of(two_roles)
    away = two_roles.database_url.set(port=1)

    assumed = rights.of(replace(two_roles, database_url=away, connect_wait=0))

    assert assumed.key == found.key
    assert assumed.extensions is None
    assert found.extensions == ()


def test_before_the_target_has_its_database_its_role_will_own_it(two_roles: Settings) -> None:
    missing = two_roles.database_url.set(database="no_such_database")

    found = rights.of(replace(two_roles, database_url=missing))

    assert found.key == rights.of(two_roles).key
