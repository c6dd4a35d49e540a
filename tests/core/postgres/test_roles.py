"""Who may do what, and everything that a migration does with an owner who is no superuser"""

from dataclasses import replace

import pytest

from scripts.core.errors import UserError
from scripts.core.postgres import connections, roles
from scripts.core.settings import Settings
from tests.conftest import Project
from tests.core.running import begin, call, pid, run, session, wait_until


def dangers(settings: Settings) -> list[str]:
    with connections.connect(settings) as connection:
        return roles.look(connection, str(settings.application_url.username)).dangers


def grant(configured: Settings, settings: Settings, statement: str) -> None:
    """A statement of an administrator in the database, with the names of both roles filled in."""
    names = {"owner": settings.database_url.username, "application": settings.application_url.username}
    url = configured.database_url.set(database=settings.database_url.database)
    with connections.connect(configured, url, isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement.format(**names))


def test_a_role_that_reads_and_writes_rows_is_no_danger(two_roles: Settings) -> None:
    with connections.connect(two_roles) as connection:
        owner = roles.owner(connection)
        application = roles.look(connection, str(two_roles.application_url.username))

    assert (owner.superuser, owner.creates_databases, owner.bootstrap) == (False, True, False)
    assert str(owner) == f"{two_roles.database_url.username}: may create databases, no superuser"
    assert str(application) == f"{two_roles.application_url.username}: reads and writes rows"


@pytest.mark.parametrize(
    ("granted", "taken", "danger"),
    [
        ("ALTER ROLE {application} SUPERUSER", "ALTER ROLE {application} NOSUPERUSER", ["is a superuser"]),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "", ["may create tables in public"]),
        ("GRANT CREATE ON DATABASE {database} TO {application}", "", ["may create schemas"]),
        (
            "CREATE TABLE a (); ALTER TABLE a OWNER TO {application}",
            "DROP TABLE a",
            ["may drop a"],
        ),
        (
            "REVOKE {application} FROM {owner}; GRANT {owner} TO {application}; CREATE TABLE t ();"
            " ALTER TABLE t OWNER TO {owner}",
            "REVOKE {owner} FROM {application}",
            [
                "is a member of the owner of the database",
                "may drop t",
                "may create tables in public",
                "may create schemas",
            ],
        ),
    ],
)
def test_whatever_lets_it_drop_tables_is_seen(
    configured: Settings, two_roles: Settings, granted: str, taken: str, danger: list[str]
) -> None:
    grant(configured, two_roles, granted.replace("{database}", str(two_roles.database_url.database)))
    try:
        assert dangers(two_roles) == danger
    finally:
        grant(configured, two_roles, taken or "SELECT 1")


def test_the_login_that_migrates_is_a_danger_of_its_own(two_roles: Settings) -> None:
    assert dangers(replace(two_roles, application_url=two_roles.database_url)) == [
        "owns the database",
        "may create tables in public",
        "may create schemas",
    ]


def test_a_role_that_is_not_there_is_told(two_roles: Settings) -> None:
    with connections.connect(two_roles) as connection:
        assert str(roles.look(connection, "nobody_there")) == "nobody_there: no such role on this server"
        with pytest.raises(UserError, match="The server has no role nobody_there"):
            roles.require(connection, "nobody_there")


# The runner and the verbs, as an owner who is no superuser


def test_who_stands_in_the_way_is_named_whoever_that_is(
    configured: Settings, owned: Project, two_roles: Settings, revisions: list[str]
) -> None:
    assert call(owned).returncode == 0
    owned.write_revision("abcd01", revisions[-1], 'op.execute("ALTER TABLE users ADD COLUMN note text")')
    theirs = configured.database_url.set(database=owned.url.database)
    with session(two_roles.application_url, "shop") as shop, session(theirs, "report") as report:
        for connection in (shop, report):
            run(connection, "LOCK TABLE users IN ACCESS SHARE MODE")

        result = call(owned, MIGRATION_DEADLINE="1", LOCK_TIMEOUT="1000")

        assert result.returncode == 1
        for connection, name in ((shop, "shop"), (report, "report")):
            assert f"pid {pid(connection)}  {name}  idle in transaction, transaction " in result.stderr


def test_a_reset_ends_the_sessions_of_the_application(owned: Project, two_roles: Settings) -> None:
    assert call(owned).returncode == 0
    with session(two_roles.application_url) as shop:
        run(shop, "SELECT * FROM users")

        result = call(owned, "reset", CONFIRM=str(owned.url.database))

        assert result.returncode == 0, result.stderr
        shop.invalidate()


@pytest.mark.faults
def test_a_reset_names_the_sessions_that_it_may_not_end(
    configured: Settings, owned: Project, two_roles: Settings
) -> None:
    assert call(owned).returncode == 0
    theirs = configured.database_url.set(database=owned.url.database)
    with session(theirs, "report") as report:
        run(report, "SELECT 1")

        result = call(owned, "reset", CONFIRM=str(owned.url.database))

        assert result.returncode == 1
        assert f"is used by sessions that this command may not end: pid {pid(report)}, {theirs.username}, report." in (
            result.stderr
        )
        assert f"State: {owned.url.database} is as it was." in result.stderr
    assert call(owned, "reset", CONFIRM=str(owned.url.database)).returncode == 0


def test_an_index_is_built_concurrently_and_an_extension_is_made(owned: Project, two_roles: Settings) -> None:
    assert call(owned).returncode == 0
    owned.write_revision(
        "abcd01",
        owned.version[0],
        'op.execute("CREATE EXTENSION citext"); c = op.get_context().autocommit_block();'
        ' c.__enter__(); op.execute("CREATE INDEX CONCURRENTLY i ON users (username)"); c.__exit__(None, None, None)',
    )

    with session(two_roles.application_url) as shop:
        run(shop, "DELETE FROM users WHERE false; SELECT pg_sleep(1.1)")
        migrating = begin(owned)
        wait_until(lambda: owned.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'virtualxid'"))
        shop.rollback()
        result = migrating.end()

    assert result.returncode == 0, result.stderr
    assert "CONCURRENTLY waits for pid " in result.stdout
    assert owned.version == ["abcd01"]


@pytest.mark.faults
def test_the_second_of_two_migrations_waits_for_the_first_and_names_it(owned: Project, two_roles: Settings) -> None:
    assert call(owned).returncode == 0
    owned.write_revision("abcd01", owned.version[0], 'op.execute("ALTER TABLE users ADD COLUMN note text")')
    with session(two_roles.application_url) as shop:
        run(shop, "SELECT FROM users")
        first = begin(owned)
        wait_until(lambda: "Attempt 1: " in first.printed)
        second = begin(owned)
        wait_until(lambda: "Waiting, because another migration or backup runs: pid " in second.printed)

    assert first.end().returncode == 0
    assert ", since " in second.end().stdout


def test_what_is_hidden_from_an_owner_without_more_rights_is_said_to_be(
    configured: Settings, owned: Project, two_roles: Settings
) -> None:
    """On a server of somebody else there may be no pg_read_all_stats for us."""
    assert call(owned).returncode == 0
    grant(configured, two_roles, "REVOKE pg_read_all_stats FROM {owner}")
    owned.write_revision("abcd01", owned.version[0], 'op.execute("ALTER TABLE users ADD COLUMN note text")')
    theirs = configured.database_url.set(database=owned.url.database)
    with session(theirs, "alembic upgrade ops@elsewhere") as other:
        run(other, "SELECT pg_advisory_lock(hashtextextended('alembic_version', 0)); LOCK TABLE users IN SHARE MODE")

        second = call(owned, MIGRATION_WAIT="0.5")

        holder = f"pid {pid(other)}, alembic upgrade ops@elsewhere, role {configured.database_url.username}"
        assert f"another migration or backup runs: {holder}." in second.stderr
        assert second.returncode == 1
