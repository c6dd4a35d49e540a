"""scripts/core/postgres/invalid_indexes.py, and CREATE INDEX CONCURRENTLY in a revision"""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from scripts.core.migrate import lock_watch
from scripts.core.postgres import invalid_indexes, sql
from scripts.core.postgres.sql import Sql
from tests.conftest import Project
from tests.core.running import asleep, begin, call, migrating, pid, run, session, wait_until, waits_for_lock

pytestmark = pytest.mark.faults

UNIQUE = "CREATE UNIQUE INDEX CONCURRENTLY"


def concurrently(statement: str, after: str = "pass") -> str:
    """One line of a revision: a statement in an autocommit block, then more."""
    return f"exec('with op.get_context().autocommit_block(): op.execute(\"{statement}\")'); {after}"


def invalid(project: Project) -> list[str]:
    return [str(row[0]) for row in project.sql("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")]


def add_duplicates(project: Project) -> None:
    project.sql("INSERT INTO users (id, username, email) SELECT n, 'u' || n, 'e' || n / 2 FROM generate_series(2, 7) n")


@pytest.fixture(scope="module")
def url(lasting_database: Callable[..., URL]) -> URL:
    return lasting_database()


@pytest.fixture
def connection(url: URL) -> Iterator[Connection]:
    with session(url, "alembic-lock") as found:
        found.execution_options(isolation_level="AUTOCOMMIT")
        run(found, "CREATE TABLE things (n int, name text); INSERT INTO things VALUES (1, 'a'), (1, 'a'), (2, 'A')")
        yield found
        run(found, "DROP TABLE things")


def fail(connection: Connection, index: str) -> None:
    with pytest.raises(IntegrityError):
        sql.run(connection, Sql(f"{UNIQUE} {index}"))


@pytest.mark.parametrize(
    ("index", "name", "duplicates"),
    [
        ("uq_n ON things (n)", "uq_n", 1),
        ("uq_both ON things (n, lower(name)) INCLUDE (name)", "uq_both", 1),
        ("uq_name ON things ((lower(name)))", "uq_name", 1),
        ("uq_part ON things (name) WHERE n = 1 AND name LIKE 'a%'", "uq_part", 1),
        ('"Odd %s ""name""" ON things (n)', '"Odd %s ""name"""', 1),
    ],
)
def test_what_a_failure_left_is_dropped_and_its_duplicates_are_counted(
    connection: Connection, index: str, name: str, duplicates: int
) -> None:
    fail(connection, index)
    assert invalid_indexes.invalid(connection) == [name]

    assert invalid_indexes.clear_up(connection) == [
        f"The invalid index {name} was dropped; {duplicates} duplicate key."
    ]

    assert invalid_indexes.invalid(connection) == []
    assert invalid_indexes.clear_up(connection) == []


def test_a_leftover_of_before_is_dropped_by_name(connection: Connection, sent: list[str]) -> None:
    fail(connection, "uq_n ON things (n)")

    run(connection, "CREATE TABLE others (n int); INSERT INTO others VALUES (1), (1)")
    fail(connection, "uq_others ON others (n)")
    assert invalid_indexes.foreign(connection, "op.create_index('uq_n', 'others')") == ["uq_others"]

    invalid_indexes.drop_invalid(connection, ["uq_others"])

    assert invalid_indexes.clear_up(connection, ["uq_others"]) == []
    assert invalid_indexes.invalid(connection) == ["uq_others"]
    run(connection, "DROP TABLE others")
    assert sent == ["Dropping the invalid index uq_n, which an earlier CREATE INDEX CONCURRENTLY left."]
    assert invalid_indexes.invalid(connection) == []


@pytest.mark.parametrize(
    ("source", "is_ours"),
    [
        ('op.execute("CREATE UNIQUE INDEX CONCURRENTLY ON things (n, name)")', True),
        ('op.create_index(None, "things", ["n", "name"], postgresql_concurrently=True)', True),
        ('op.execute("CREATE UNIQUE INDEX CONCURRENTLY ON things (n)")', False),
        ('op.create_index("other", "things", ["n", "name"], postgresql_concurrently=True)', False),
    ],
)
def test_a_leftover_with_a_generated_name_is_known_by_its_columns(
    connection: Connection, source: str, is_ours: bool
) -> None:
    fail(connection, "ON things (n, name)")

    assert invalid_indexes.invalid(connection) == ["things_n_name_idx"]
    assert invalid_indexes.foreign(connection, source) == ([] if is_ours else ["things_n_name_idx"])


def test_the_index_of_a_partitioned_table_may_wait_for_its_partitions(connection: Connection) -> None:
    run(connection, "CREATE TABLE parted (n int) PARTITION BY LIST (n)")
    run(connection, "CREATE TABLE part PARTITION OF parted FOR VALUES IN (1)")
    run(connection, "CREATE INDEX ix_parted ON ONLY parted (n)")

    assert invalid_indexes.invalid(connection) == []


@pytest.mark.parametrize("role", ["none", "pg_signal_backend"], ids=["superuser", "one who may not see what others do"])
def test_an_index_that_is_being_built_is_no_leftover(project: Project, role: str) -> None:
    project.write_revision("abcd01", project.version[0], concurrently("CREATE INDEX CONCURRENTLY ix ON users (email)"))
    with session(project.url) as holder, session(project.url) as observer:
        run(holder, "INSERT INTO users (id, username, email) VALUES (1, 'a', 'a')")
        process = begin(project)
        wait_until(lambda: invalid(project))

        run(observer, f"SET ROLE {role}")
        assert invalid_indexes.invalid(observer) == []
        observer.rollback()
    assert process.end().returncode == 0


def test_no_lock_timeout_applies_and_who_holds_it_up_is_listed(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], concurrently("CREATE INDEX CONCURRENTLY ix ON users (email)"))
    with session(project.url, "cashier") as holder:
        number = pid(holder)
        run(holder, "INSERT INTO users (id, username, email) VALUES (1, 'secret', 'a')")
        with session(project.url) as observer:
            observer.execution_options(isolation_level="AUTOCOMMIT")
            wait_until(lambda: lock_watch.open_transactions(observer))
        process = begin(project, LOCK_TIMEOUT="100", STATEMENT_TIMEOUT="0.5")
        wait_until(lambda: migrating(project, "wait_event_type = 'Lock' AND now() - query_start > '0.6 s'"))
    result = process.end()

    assert result.returncode == 0, result.stderr
    assert "Attempt 1" not in result.stdout
    assert f"CONCURRENTLY waits for pid {number}  cashier  idle in transaction, transaction " in result.stdout
    assert "secret" not in result.stdout + result.stderr
    assert invalid(project) == []
    assert project.sql("SELECT to_regclass('ix')::text") == [("ix",)]


def test_the_limits_apply_again_after_concurrently(project: Project, revisions: list[str]) -> None:
    seen = (
        'op.execute("CREATE TABLE seen AS SELECT name, setting FROM pg_settings'
        " WHERE name IN ('lock_timeout', 'statement_timeout')\")"
    )
    create = "CREATE INDEX CONCURRENTLY ix ON users (email)"
    project.write_revision("abcd01", revisions[-1], concurrently(create, seen))

    assert call(project, "migrate", LOCK_TIMEOUT="123", STATEMENT_TIMEOUT="45").returncode == 0

    assert project.sql("SELECT setting FROM seen ORDER BY name") == [("123",), ("45000",)]


def test_duplicates_under_a_unique_index_are_counted_and_the_index_is_dropped(
    project: Project, revisions: list[str]
) -> None:
    project.write_revision("abcd01", revisions[-1], concurrently(f"{UNIQUE} uq ON users (email)"))
    add_duplicates(project)

    result = call(project, "migrate")

    assert result.returncode == 1
    assert "✗ alembic/versions/abcd01.py, line " in result.stderr
    assert 'could not create unique index "uq"' in result.stderr
    assert "The invalid index uq was dropped; 3 duplicate keys." in result.stderr
    assert invalid(project) == []
    assert project.version == revisions[-1:]
    project.sql("DELETE FROM users WHERE id % 2 = 1")
    assert call(project, "migrate").returncode == 0
    assert project.version == ["abcd01"]


def test_an_invalid_leftover_is_named_and_dropped_before_the_run(project: Project, revisions: list[str]) -> None:
    """IF NOT EXISTS would take it for the index that is wanted."""
    project.write_revision("abcd01", revisions[-1], concurrently(f"{UNIQUE} IF NOT EXISTS uq ON users (email)"))
    add_duplicates(project)
    with session(project.url) as connection:
        fail(connection.execution_options(isolation_level="AUTOCOMMIT"), "uq ON users (email)")
        fail(connection, "by_hand ON users (email)")
    project.sql("DELETE FROM users WHERE id % 2 = 1")

    result = call(project, "migrate")

    assert result.returncode == 0, result.stderr
    assert "Dropping the invalid index uq, which an earlier CREATE INDEX CONCURRENTLY left." in result.stdout
    assert "The index by_hand is invalid: no query uses it. No revision that runs names it, so it" in result.stdout
    assert invalid(project) == ["by_hand"]
    assert project.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'uq'::regclass") == [(True,)]

    project.write_revision("abcd02", "abcd01")
    result = call(project, "migrate", ACCEPT="index")

    assert "Dropping the invalid index by_hand" in result.stdout
    assert invalid(project) == []
    assert project.sql("SELECT overrides FROM migration_log ORDER BY id DESC LIMIT 1") == [("ACCEPT=index",)]


def test_an_index_that_a_revision_leaves_invalid_is_no_success(project: Project, revisions: list[str]) -> None:
    project.write_revision(
        "abcd01",
        revisions[-1],
        "op.execute(\"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'pk_users'::regclass\")",
    )

    result = call(project, "migrate")

    assert result.returncode == 1
    assert "✓" not in result.stdout
    assert "Every revision ran, but these indexes are invalid: pk_users." in result.stderr
    assert "State: the database is at abcd01." in result.stderr


def test_a_kill_between_concurrently_and_the_version_is_finished_by_another_run(
    project: Project, revisions: list[str]
) -> None:
    project.sql("CREATE SEQUENCE tries")
    slow_once = "op.execute(\"SELECT CASE nextval('tries') WHEN 1 THEN pg_sleep(20) END\")"
    create = "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON users (email)"
    project.write_revision("abcd01", revisions[-1], concurrently(create, slow_once))
    process = begin(project)
    wait_until(lambda: asleep(project))
    process.kill()
    assert project.version == revisions[-1:]
    assert project.sql("SELECT to_regclass('ix')::text") == [("ix",)]

    result = call(project, "migrate")

    assert result.returncode == 0, result.stderr
    assert project.version == ["abcd01"]
    assert project.sql("SELECT count(*) FROM migration_log WHERE revision = 'abcd01'") == [(1,)]


def test_a_kill_in_the_middle_of_concurrently_is_finished_by_another_run(
    project: Project, revisions: list[str]
) -> None:
    create = "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON users (email)"
    project.write_revision("abcd01", revisions[-1], concurrently(create))
    with session(project.url) as holder:
        run(holder, "INSERT INTO users (id, username, email) VALUES (1, 'a', 'a')")
        process = begin(project)
        wait_until(lambda: waits_for_lock(project))
        process.kill()
        wait_until(lambda: not migrating(project))
        assert invalid(project) == ["ix"]

    result = call(project, "migrate")

    assert result.returncode == 0, result.stderr
    assert "Dropping the invalid index ix, " in result.stdout
    assert invalid(project) == []
    assert project.version == ["abcd01"]
