"""scripts/core/postgres/advisory_lock.py, and several runners at once"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Thread, Timer

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from scripts.core.errors import UserError
from scripts.core.postgres import advisory_lock
from tests.conftest import Project
from tests.core.running import asleep, begin, call, migrating, pid, session, wait_until

pytestmark = pytest.mark.faults

SLEEP = 'op.execute("SELECT pg_sleep(1.5)")'


@pytest.fixture(scope="module")
def url(lasting_database: Callable[..., URL]) -> URL:
    return lasting_database()


@contextmanager
def polling(url: URL, application: str = "alembic-lock ada@host") -> Iterator[Connection]:
    with session(url, application) as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def applied_once(project: Project) -> bool:
    return project.sql("SELECT revision FROM migration_log GROUP BY revision HAVING count(*) > 1") == []


def test_the_second_waits_names_the_first_and_goes_on_after_it(url: URL, sent: list[str]) -> None:
    def second() -> None:
        with polling(url) as connection, advisory_lock.hold(connection, 10):
            sent.append("mine")

    with polling(url, "alembic-lock first") as connection:
        with advisory_lock.hold(connection, 1):
            assert sent == []
            thread = Thread(target=second)
            thread.start()
            wait_until(lambda: sent)
            time.sleep(2 * advisory_lock.POLL)
        holder = pid(connection)
    thread.join(timeout=10)

    assert len(sent) == 2, "told once, not at every poll"
    assert f"Waiting, because another migration or backup runs: pid {holder}, alembic-lock first" in sent[0]
    assert ", since " in sent[0]
    assert sent[1] == "mine"


def test_after_the_wait_the_holder_is_named_in_the_error(url: URL) -> None:
    with polling(url, "alembic-lock first") as first, polling(url) as second, advisory_lock.hold(first, 1):
        words = f"Waited 0.3 s, .*pid {pid(first)}, alembic-lock first, role {url.username}"
        with pytest.raises(UserError, match=words) as caught, advisory_lock.hold(second, 0.3):
            raise AssertionError("both have it")

    assert "State: nothing was changed." in str(caught.value)


def test_a_session_that_was_closed_a_moment_ago_is_not_worth_a_line(url: URL, sent: list[str]) -> None:
    with ExitStack() as first, polling(url) as second:
        first.enter_context(advisory_lock.hold(first.enter_context(polling(url)), 1))
        Timer(0.1, first.close).start()
        with advisory_lock.hold(second, 0):
            assert sent == []


def test_databases_do_not_wait_for_each_other(new_database: Callable[..., URL]) -> None:
    one, two = new_database(), new_database()

    with (
        polling(one) as first,
        advisory_lock.hold(first, 1),
        polling(two) as second,
        advisory_lock.hold(second, 0),
    ):
        pass


def test_who_waits_holds_no_snapshot(url: URL, sent: list[str]) -> None:
    """CREATE INDEX CONCURRENTLY waits for every older snapshot: holder and waiter would wait for each other."""
    held = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid AND backend_xmin IS NOT NULL")
    with polling(url) as first, polling(url) as second, session(url) as observer, advisory_lock.hold(first, 1):
        waiting = pid(second)

        def wait() -> None:
            with pytest.raises(UserError), advisory_lock.hold(second, 1):
                pass

        thread = Thread(target=wait)
        thread.start()
        wait_until(lambda: sent)
        looks: list[int] = []
        for _ in range(5):
            looks.append(int(observer.scalar(held, {"pid": waiting}) or 0))
            observer.rollback()
        assert sum(looks) <= 1, looks
        thread.join()


@pytest.mark.parametrize(
    ("application", "waits"), [("alembic upgrade ada@host", True), ("alembic-look ada@host", False), ("shop", False)]
)
def test_what_a_killed_runner_left_at_work_is_waited_for(
    url: URL, new_database: Callable[..., URL], application: str, waits: bool, sent: list[str]
) -> None:
    with session(url, application) as orphan, session(new_database(), "alembic upgrade elsewhere"):
        number = pid(orphan)
        with polling(url) as connection:
            if not waits:
                with advisory_lock.hold(connection, 0):
                    assert sent == []
                return
            words = f"killed migration still works on the server: pid {number}, alembic"
            with pytest.raises(UserError, match=words), advisory_lock.hold(connection, 0.3):
                raise AssertionError("did not wait")
    assert "a killed migration still works on the server" in sent[0]
    with polling(url) as connection, advisory_lock.hold(connection, 5):
        pass


def test_a_connection_through_a_pooler_is_refused(url: URL) -> None:
    with pooler(url) as port, polling(url.set(host="127.0.0.1", port=port)) as connection:
        caught = refused(connection)

    assert "MIGRATION_DATABASE_URL" in caught


def refused(connection: Connection) -> str:
    with pytest.raises(UserError, match="goes through a pooler") as caught, advisory_lock.hold(connection, 1):
        pass
    return str(caught.value)


@contextmanager
def pooler(url: URL) -> Iterator[int]:
    """Hands everything on but the process id of the session, which it makes up as PgBouncer does."""
    assert url.port
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            client, server = listener.accept()[0], socket.create_connection((url.host, url.port))
            Thread(target=pump, args=(client, server, False), daemon=True).start()
            Thread(target=pump, args=(server, client, True), daemon=True).start()

    def pump(source: socket.socket, sink: socket.socket, changed: bool) -> None:
        with suppress(OSError):
            hand_on(source, sink, changed)
        sink.close()

    def hand_on(source: socket.socket, sink: socket.socket, changed: bool) -> None:
        while data := source.recv(65536):
            key = data.find(b"K\x00\x00\x00\x0c") if changed else -1
            sink.sendall(data[: key + 5] + b"\x00\x00\x00\x01" + data[key + 9 :] if key >= 0 else data)

    Thread(target=serve, daemon=True).start()
    with listener:
        yield listener.getsockname()[1]


def test_of_ten_runners_at_once_one_migrates_and_all_succeed(empty_project: Project, revisions: list[str]) -> None:
    empty_project.write_revision("abcd01", revisions[-1])
    with polling(empty_project.url) as holder, advisory_lock.hold(holder, 1):
        processes = [begin(empty_project) for _ in range(10)]
        wait_until(lambda: all("Waiting, because" in process.printed for process in processes))

    results = [process.end() for process in processes]

    assert [result.returncode for result in results] == [0] * 10, results
    assert sum("abcd01  applied in" in result.stdout for result in results) == 1
    assert empty_project.version == ["abcd01"]
    rows = empty_project.sql("SELECT revision, direction FROM migration_log ORDER BY id")
    assert rows == [(revision, "upgrade") for revision in [*revisions, "abcd01"]]
    assert all("another migration or backup runs: pid " in result.stdout for result in results)
    assert sum("Nothing to do: another migration has done this meanwhile." in result.stdout for result in results) == 9


def test_patience_with_another_migration_ends(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1])
    with polling(project.url, "alembic-lock grace@elsewhere") as holder, advisory_lock.hold(holder, 1):
        result = call(project, "migrate", MIGRATION_WAIT="0.3")
        number = pid(holder)

    assert result.returncode == 1
    assert (
        f"✗ Waited 0.3 s, but another migration or backup runs: pid {number}, alembic-lock grace@elsewhere"
        in result.stderr
    )
    assert "State: nothing was changed." in result.stderr
    assert project.version == revisions[-1:]


def test_when_the_holder_is_killed_one_of_those_that_wait_goes_on(project: Project, revisions: list[str]) -> None:
    project.sql("CREATE SEQUENCE tries")
    slow_once = "SELECT CASE nextval('tries') WHEN 1 THEN pg_sleep(1000) END"
    project.write_revision("abcd01", revisions[-1], f'op.execute("{slow_once}")')
    holder = begin(project)
    wait_until(lambda: asleep(project))
    others = [begin(project) for _ in range(9)]
    wait_until(lambda: all("Waiting, because" in process.printed for process in others))

    holder.kill()
    results = [process.end() for process in others]

    assert [result.returncode for result in results] == [0] * 9, results
    assert project.version == ["abcd01"]
    assert project.sql("SELECT last_value FROM tries") == [(2,)], "tried by the killed one and by one other"
    assert applied_once(project)
    assert not migrating(project)
