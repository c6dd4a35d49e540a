"""What a migration that waits for locks does to everybody else"""

import itertools
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from scripts.core.migrate import lock_watch
from scripts.core.migrate.lock_watch import Watch
from tests.conftest import Project
from tests.core.running import begin, call, pid, readers, run, session, wait_until, waits_for_lock

pytestmark = pytest.mark.faults

TABLES = ("one", "two", "three", "four")
ADD_COLUMN = 'op.execute("ALTER TABLE users ADD COLUMN note text")'


def columns(project: Project, table: str) -> int:
    return len(project.sql(f"SELECT 1 FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0"))


def wait(
    url: URL, watch: Watch, limit: float, before: str, statement: str, *, lock_timeout: str = "1min"
) -> OperationalError | None:
    """Run two statements in a transaction that is watched; the error that ended it."""
    with session(url, "watcher") as observer, session(url, "alembic", lock_timeout=lock_timeout) as connection:
        observer.execution_options(isolation_level="AUTOCOMMIT")
        run(connection, before)
        try:
            with lock_watch.watched(observer, pid(connection), limit, watch):
                run(connection, statement)
        except OperationalError as error:
            return error
    return None


@pytest.fixture(scope="module")
def url(lasting_database: Callable[..., URL]) -> URL:
    found = lasting_database()
    with session(found) as connection:
        run(connection, "CREATE TABLE one (n int); CREATE TABLE two (n int); INSERT INTO two VALUES (1)")
        connection.commit()
    return found


def test_a_transaction_in_others_way_is_cancelled_at_the_limit(url: URL) -> None:
    watch = Watch()
    with session(url) as holder:
        run(holder, "SELECT FROM two")
        oid = holder.exec_driver_sql("SELECT 'two'::regclass::oid").scalar()
        error = wait(url, watch, 0.3, "LOCK TABLE one", "LOCK TABLE two")

    assert error
    assert "user request" in str(error.orig), "lock_timeout came first"
    assert lock_watch.gave_up_waiting(error, watch)
    assert watch.cancelled
    assert watch.waited > 0.3
    assert watch.relations == {oid}


def test_who_waits_behind_it_is_counted(url: URL) -> None:
    watch = Watch()
    with session(url) as holder, readers(url, "SELECT FROM one"), ThreadPoolExecutor(1) as pool:
        run(holder, "SELECT FROM two")
        waiting = pool.submit(wait, url, watch, 60, "LOCK TABLE one", "LOCK TABLE two")
        wait_until(lambda: watch.behind == 2)
        holder.rollback()
        waiting.result()


def test_waiting_in_nobodys_way_is_no_hurry(url: URL) -> None:
    """For a row, with no lock on a table that a reader or writer would have to wait for."""
    watch = Watch()
    with session(url) as holder:
        run(holder, "UPDATE two SET n = 2")
        error = wait(url, watch, 0.2, "UPDATE one SET n = 2", "UPDATE two SET n = 3", lock_timeout="500ms")

    assert error
    assert "lock timeout" in str(error.orig)
    assert not watch.cancelled
    assert watch.waited == 0


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watcher_that_is_ended_ends_nothing_else(url: URL) -> None:
    with session(url, "watcher") as observer, session(url) as connection, session(url) as administrator:
        observer.execution_options(isolation_level="AUTOCOMMIT")
        number = pid(observer)
        with lock_watch.watched(observer, pid(connection), 1, Watch()):
            run(administrator, f"SELECT pg_terminate_backend({number})")
            run(connection, "SELECT pg_sleep(0.2)")


def test_a_cancellation_by_somebody_else_is_no_reason_to_try_again(url: URL) -> None:
    with session(url, statement_timeout="50ms") as connection, pytest.raises(OperationalError) as caught:
        run(connection, "SELECT pg_sleep(5)")

    assert not lock_watch.gave_up_waiting(caught.value, Watch())


def test_pauses_grow_with_jitter_up_to_the_longest() -> None:
    first, second = ([*itertools.islice(lock_watch.pauses(), 12)] for _ in range(2))

    assert first != second
    assert max(first[:2]) < 0.5
    assert all(lock_watch.LONGEST / 2 <= pause <= lock_watch.LONGEST * 1.5 for pause in first[9:])
    assert first == sorted(first) or all(later > earlier for earlier, later in zip(first, first[4:8], strict=False))


def test_the_census_says_who_and_never_what(url: URL) -> None:
    with session(url, "cashier") as holder, session(url) as observer:
        run(holder, "SELECT 'secret' FROM two")
        oid = int(observer.exec_driver_sql("SELECT 'two'::regclass::oid").scalar() or 0)
        (line,) = lock_watch.census(observer, {oid})

        assert line == (f"pid {pid(holder)}  cashier  idle in transaction, transaction 0 s old, AccessShareLock on two")
        assert lock_watch.census(observer, set()) == []


def test_a_long_reader_makes_tries_give_up_and_nobody_waits_for_long(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], ADD_COLUMN)
    before = columns(project, "users")
    with readers(project.url, "SELECT id FROM users") as took:
        with session(project.url) as report:
            run(report, "SELECT FROM users")
            migration = begin(project, LOCK_TIMEOUT="200")
            wait_until(lambda: "Attempt 2: " in migration.printed)
            # Without giving up, the readers would wait for as long as the report reads.
            number = len(took)
            wait_until(lambda: len(took) > number + 4)
            assert migration.runs
        result = migration.end()

    assert result.returncode == 0, result.stderr
    assert re.search(r"Attempt 2: waited \d", result.stdout)
    assert re.search("[12] sessions? behind it", result.stdout)
    assert project.version == ["abcd01"]
    assert columns(project, "users") == before + 1


def test_the_waits_of_one_revision_are_added_up(project: Project, revisions: list[str]) -> None:
    """Each of four tables is free 0.5 s after it is asked for: lock_timeout alone would let others wait for 2 s."""
    for table in TABLES:
        project.sql(f"CREATE TABLE {table} ()")
    alter = "; ".join(f'op.execute("ALTER TABLE {table} ADD COLUMN note text")' for table in TABLES)
    project.write_revision("abcd01", revisions[-1], alter)

    with session(project.url) as a, session(project.url) as b, session(project.url) as c, session(project.url) as d:
        sessions = dict(zip(TABLES, (a, b, c, d), strict=True))
        for table, connection in sessions.items():
            run(connection, f"SELECT FROM {table}")
        migration = begin(project, LOCK_TIMEOUT="1000")
        for table, connection in sessions.items():
            wait_until(lambda table=table: asked_for(project, table))  # type: ignore[misc]
            time.sleep(0.5)
            connection.rollback()
    result = migration.end()

    assert result.returncode == 0, result.stderr
    assert re.search(r"Attempt 1: waited 1\.[0-8]\d s for a lock", result.stdout), result.stdout
    assert project.version == ["abcd01"]
    assert {columns(project, table) for table in TABLES} == {1}


def asked_for(project: Project, table: str) -> bool:
    return bool(
        project.sql(f"SELECT 1 FROM pg_locks WHERE relation = '{table}'::regclass AND mode = 'AccessExclusiveLock'")
    )


def test_at_the_deadline_it_says_who_holds_the_lock_and_nothing_was_changed(
    project: Project, revisions: list[str]
) -> None:
    project.write_revision("abcd01", revisions[-1], f'op.execute("CREATE TABLE undone ()"); {ADD_COLUMN}')
    before = columns(project, "users")
    with session(project.url, "cashier") as holder:
        run(holder, "SELECT 'secret' FROM users")
        result = call(project, "migrate", MIGRATION_DEADLINE="1")
        number = pid(holder)

    assert result.returncode == 1
    assert re.search(r"✗ Could not get the locks in \d attempts? \(1 s\)\.", result.stderr), result.stderr
    assert re.search(
        rf"    pid {number}  cashier  idle in transaction, transaction \d s old, AccessShareLock on users",
        result.stderr,
    )
    assert "secret" not in result.stdout + result.stderr
    assert f"State: the database is at {revisions[-1]}; the step was rolled back." in result.stderr
    assert project.version == revisions[-1:]
    assert project.sql("SELECT to_regclass('undone')::text") == [(None,)]
    assert columns(project, "users") == before


def test_a_deadlock_with_the_application_is_tried_again(project: Project, revisions: list[str]) -> None:
    for table in ("one", "two"):
        project.sql(f"CREATE TABLE {table} (n int)")
    project.sql(f"ALTER DATABASE {project.url.database} SET deadlock_timeout = '300ms'")
    alter = "; ".join(f'op.execute("ALTER TABLE {table} ADD COLUMN note text")' for table in ("one", "two"))
    project.write_revision("abcd01", revisions[-1], alter)

    with session(project.url, deadlock_timeout="60s") as application:
        run(application, "INSERT INTO two VALUES (1)")
        migration = begin(project, LOCK_TIMEOUT="60000")
        wait_until(lambda: waits_for_lock(project))
        run(application, "INSERT INTO one VALUES (1)")
        application.commit()
    result = migration.end()

    assert result.returncode == 0, result.stderr
    assert re.search(r"Attempt 1: waited [1-5]?\d\.", result.stdout), "it was the deadlock, not LOCK_TIMEOUT"
    assert project.sql("SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two)") == [(1, 1)]
    assert columns(project, "one") == columns(project, "two") == 2


def test_who_holds_up_concurrently_is_listed(url: URL) -> None:
    with session(url, "cashier") as old, session(url, "new") as new, session(url) as observer:
        observer.execution_options(isolation_level="AUTOCOMMIT")
        run(old, "SELECT 1")
        wait_until(lambda: lock_watch.open_transactions(observer))
        run(new, "SELECT 1")
        (line,) = lock_watch.open_transactions(observer)
        assert re.fullmatch(rf"pid {pid(old)}  cashier  idle in transaction, transaction \d+ s old", line)
