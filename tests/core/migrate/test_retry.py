"""Again and again while it is only locks, never after anything else"""

import signal
from collections.abc import Callable

import pytest
from sqlalchemy import Integer, TypeDecorator, bindparam, text
from sqlalchemy.engine import URL

from scripts.core.errors import LateError
from scripts.core.migrate import retry
from tests.conftest import Project
from tests.core.running import (
    MIGRATING,
    asleep,
    begin,
    call,
    migrating,
    run,
    session,
    wait_until,
    waits_for_lock,
)

pytestmark = pytest.mark.faults


def table(name: str) -> str:
    return f'op.execute("CREATE TABLE {name} ()")'


def drop(name: str) -> str:
    return f'op.execute("DROP TABLE {name}")'


def log(project: Project) -> list[tuple[object, ...]]:
    steps = "revision LIKE 'abcd%' AND direction IN ('upgrade', 'downgrade')"
    return project.sql(f"SELECT revision, direction FROM migration_log WHERE {steps} ORDER BY id")


def write_three(project: Project, after: str) -> None:
    for number in (1, 2, 3):
        project.write_revision(f"abcd0{number}", after, table(f"t{number}"), drop(f"t{number}"))
        after = f"abcd0{number}"


@pytest.mark.parametrize(("verb", "words"), [("rollback", ["--steps=2"]), ("alembic", ["downgrade", "-2"])])
def test_two_steps_back_are_two_also_when_the_second_is_tried_again(
    project: Project, revisions: list[str], verb: str, words: list[str]
) -> None:
    """Alembic counts -2 from where the database is: asked again after the first step it would undo a third."""
    write_three(project, revisions[-1])
    assert call(project, "migrate").returncode == 0
    with session(project.url) as holder:
        run(holder, "SELECT FROM t2")
        process = begin(project, verb, *words)
        wait_until(lambda: "Attempt 1: " in process.printed)
    result = process.end()

    assert result.returncode == 0, result.stderr
    assert "Attempt 1: " in result.stdout + result.stderr
    assert project.version == ["abcd01"]
    assert log(project)[3:] == [("abcd03", "downgrade"), ("abcd02", "downgrade")]


def test_what_was_applied_before_a_try_gave_up_is_not_run_again(project: Project, revisions: list[str]) -> None:
    write_three(project, revisions[-1])
    project.write_revision("abcd04", "abcd03", 'op.execute("ALTER TABLE users ADD COLUMN note text")')
    with session(project.url) as holder:
        run(holder, "SELECT FROM users")
        process = begin(project, LOCK_TIMEOUT="100")
        wait_until(lambda: "Attempt 1: " in process.printed)
        assert project.version == ["abcd03"]
    result = process.end()

    assert result.returncode == 0, result.stderr
    assert "Attempt 1: " in result.stdout
    assert log(project) == [(f"abcd0{number}", "upgrade") for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reaches_the_statement_at_once(
    project: Project, revisions: list[str], number: signal.Signals
) -> None:
    project.write_revision("abcd01", revisions[-1], f'{table("undone")}; op.execute("SELECT pg_sleep(1000)")')
    process = begin(project)
    wait_until(lambda: asleep(project))

    process.send(number)
    result = process.end()

    assert result.returncode == 130
    assert "✗ Interrupted." in result.stderr
    assert not migrating(project)
    assert project.version == revisions[-1:]
    assert project.sql("SELECT to_regclass('undone')::text") == [(None,)]


def test_a_migration_that_an_administrator_ends_can_be_run_again(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], table("kept"))
    project.sql("CREATE SEQUENCE tries")
    slow_once = "SELECT CASE nextval('tries') WHEN 1 THEN pg_sleep(20) END"
    project.write_revision("abcd02", "abcd01", f'{table("second")}; op.execute("{slow_once}")')
    process = begin(project)
    wait_until(lambda: asleep(project))

    project.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + MIGRATING)
    result = process.end()

    assert result.returncode == 1
    assert "✗ The migrating session was ended: " in result.stderr
    assert "Do:    run this again\n" in result.stderr
    assert "State: the database is at abcd01; the step was rolled back." in result.stderr
    again = call(project, "migrate")
    assert again.returncode == 0, again.stderr
    assert project.version == ["abcd02"]
    assert log(project) == [("abcd01", "upgrade"), ("abcd02", "upgrade")]


def test_nothing_is_tried_again_once_the_session_with_the_lock_is_gone(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], 'op.execute("ALTER TABLE users ADD COLUMN note text")')
    with session(project.url) as holder:
        run(holder, "SELECT FROM users")
        process = begin(project)
        wait_until(lambda: waits_for_lock(project))
        project.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'alembic-lock %'"
        )
        result = process.end()

    assert result.returncode == 1
    assert "✗ The session that held the advisory lock was ended." in result.stderr
    assert project.version == revisions[-1:]


def test_a_revision_may_copy_rows_in(project: Project, revisions: list[str]) -> None:
    copy = "op.get_bind().connection.cursor().copy_expert('COPY users (username, email) FROM STDIN', file)"
    project.write_revision(
        "abcd01", revisions[-1], f'import io; file = io.StringIO("ada\\tada@example.com\\n"); {copy}'
    )

    result = call(project)

    assert result.returncode == 0, result.stderr
    assert project.sql("SELECT username FROM users") == [("ada",)]


def test_a_deadlock_of_create_index_concurrently_is_tried_again(project: Project, revisions: list[str]) -> None:
    index = "CREATE INDEX CONCURRENTLY IF NOT EXISTS by_email ON users (email)"
    block = f"exec('with op.get_context().autocommit_block(): op.execute(\"{index}\")')"
    project.write_revision("abcd01", revisions[-1], block)
    with session(project.url, deadlock_timeout="30s") as shop:
        run(shop, "INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com')")
        process = begin(project)
        wait_until(lambda: waits_for_lock(project))
        run(shop, "LOCK TABLE users IN SHARE UPDATE EXCLUSIVE MODE")
        shop.commit()
    result = process.end()

    assert result.returncode == 0, result.stderr
    assert "Attempt 1: " in result.stdout
    assert "Dropping the invalid index by_email" in result.stdout
    assert project.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_email'::regclass") == [(True,)]


def test_after_a_kill_inside_an_autocommit_block_it_says_what_is_done(project: Project, revisions: list[str]) -> None:
    """As a kill leaves it: the first statement of the block is committed, the version is not."""
    block = "exec('with op.get_context().autocommit_block(): op.execute(\"CREATE TABLE kept ()\")')"
    project.write_revision("abcd01", revisions[-1], block)
    project.sql("CREATE TABLE kept ()")

    result = call(project)

    assert result.returncode == 1
    assert 'relation "kept" already exists' in result.stderr
    assert "Do:    write if_not_exists=True there, then run this again" in result.stderr
    assert "everything up to and including this statement is committed already" in result.stderr


def test_the_limits_of_the_migrating_session(project: Project, revisions: list[str]) -> None:
    names = "'application_name', 'client_connection_check_interval', 'idle_in_transaction_session_timeout',"
    names += " 'lock_timeout', 'statement_timeout'"
    seen = f"CREATE TABLE seen AS SELECT name, setting FROM pg_settings WHERE name IN ({names})"
    project.write_revision("abcd01", revisions[-1], f'op.execute("{seen}")')

    assert call(project, "migrate", LOCK_TIMEOUT="300", STATEMENT_TIMEOUT="1.5").returncode == 0

    (application, *limits) = [row[0] for row in project.sql("SELECT setting FROM seen ORDER BY name")]
    assert str(application).startswith("alembic upgrade ")
    assert "@" in str(application)
    assert limits == ["500", "1500", "300", "1500"]


def test_a_statement_that_takes_too_long_is_no_lock_and_is_not_tried_again(
    project: Project, revisions: list[str]
) -> None:
    project.write_revision("abcd01", revisions[-1], 'op.execute("SELECT pg_sleep(9)")')

    result = call(project, "migrate", STATEMENT_TIMEOUT="0.3")

    assert result.returncode == 1
    assert "Attempt 1" not in result.stdout
    assert "line 12: canceling statement due to statement timeout" in result.stderr


def test_after_a_commit_within_a_revision_it_is_not_tried_again(project: Project, revisions: list[str]) -> None:
    block = (
        "exec('with op.get_context().autocommit_block(): op.execute(\"CREATE TABLE kept ()\")');"
        ' op.execute("ALTER TABLE users ADD COLUMN note text")'
    )
    project.write_revision("abcd01", revisions[-1], block)
    with session(project.url) as holder:
        run(holder, "SELECT FROM users")
        result = call(project, "migrate")

    assert result.returncode == 1
    assert "Attempt 1" not in result.stdout
    assert (
        f"State: the database is at {revisions[-1]};"
        " the work up to the end of its autocommit block is committed and stays." in result.stderr
    )
    assert project.version == revisions[-1:]
    assert project.sql("SELECT to_regclass('kept')::text") == [("kept",)]


@pytest.mark.parametrize(
    "unlimited",
    [
        "ALTER TABLE two VALIDATE CONSTRAINT two_one",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY view",
    ],
)
def test_what_may_take_its_time_may_not_wait_in_others_way(
    project: Project, revisions: list[str], unlimited: str
) -> None:
    """Both wait here for a lock while the revision holds the table `three`."""
    project.sql(
        "CREATE TABLE one (n int PRIMARY KEY); CREATE TABLE two (n int); CREATE TABLE three ();"
        " ALTER TABLE two ADD CONSTRAINT two_one FOREIGN KEY (n) REFERENCES one NOT VALID;"
        " CREATE MATERIALIZED VIEW view AS SELECT n FROM one; CREATE UNIQUE INDEX ON view (n)"
    )
    project.write_revision(
        "abcd01", revisions[-1], f'op.execute("ALTER TABLE three ADD COLUMN n int"); op.execute("{unlimited}")'
    )
    with session(project.url) as holder:
        run(holder, "LOCK TABLE one IN ACCESS EXCLUSIVE MODE")
        process = begin(project)
        wait_until(lambda: "Attempt 1: " in process.printed)
    result = process.end()

    assert result.returncode == 0, result.stderr


def test_a_step_back_that_fails_stays_applied(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], downgrade='op.execute("DROP TABLE nowhere")')
    assert call(project, "migrate").returncode == 0

    result = call(project, "alembic", "downgrade", "-1")

    assert result.returncode == 1
    assert "State: the database is at abcd01; the step was rolled back." in result.stderr


class Late(TypeDecorator[int]):
    """Ends the time while SQLAlchemy prepares a statement, as the signal may."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, _value: object, _dialect: object) -> int:
        raise LateError("over")


def test_the_end_of_the_time_is_not_taken_for_an_error_of_the_statement(new_database: Callable[..., URL]) -> None:
    statement = text("SELECT :n").bindparams(bindparam("n", 1, Late()))

    with session(new_database()) as connection, pytest.raises(LateError, match="over"), retry.unwrapped():
        connection.execute(statement)
