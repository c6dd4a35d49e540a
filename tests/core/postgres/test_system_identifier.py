"""scripts/core/postgres/system_identifier.py"""

from dataclasses import replace

from sqlalchemy import text

from scripts.core.postgres import connections, system_identifier
from scripts.core.settings import Settings
from tests.core.postgres.test_databases import execute


def test_every_role_and_database_of_a_server_gives_its_number(two_roles: Settings, configured: Settings) -> None:
    with connections.connect(configured) as connection:
        number = connection.scalar(text("SELECT system_identifier::text FROM pg_control_system()"))

    for login in (two_roles.database_url, two_roles.application_url):
        with connections.connect(two_roles, login) as connection:
            assert system_identifier.identity(connection) == number
    assert system_identifier.look(two_roles) == number


def test_where_the_number_may_not_be_read_the_address_stands_for_it(target: Settings, two_roles: Settings) -> None:
    execute(target, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    url = two_roles.database_url.set(database=target.database_url.database)

    with connections.connect(target, url) as connection:
        assert system_identifier.identity(connection) == f"{url.host}:{url.port}"
        assert connection.scalar(text("SELECT 1")) == 1, "the transaction goes on"


def test_a_server_answers_for_a_database_that_is_gone(target: Settings) -> None:
    gone = replace(target, database_url=target.database_url.set(database="no_such_database"))

    assert system_identifier.look(gone) == system_identifier.look(target)


def test_a_server_that_does_not_answer_has_no_identity(target: Settings) -> None:
    silent = replace(target, database_url=target.database_url.set(port=1), connect_wait=0)

    assert system_identifier.look(silent) is None
