"""A command whose caller is gone ends in the container, whichever process of this machine was stopped, and how."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pytest

from tests.containers.stack import PASSWORD, Stack, inherited, run

pytestmark = pytest.mark.timeout(600)

HUP, INT, TERM, KILL = signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL
# Each revision waits until the test lets it on. On the scratch server, for the plan, the lock is free.
REVISION = """from alembic import op

revision = {id!r}
down_revision = {down!r}


def upgrade() -> None:
    op.execute("CREATE TABLE {id} (id int)")
    op.execute(
        "DO 'BEGIN WHILE EXISTS (SELECT FROM pg_locks WHERE locktype = $$advisory$$ AND objid = {barrier})"
        " LOOP PERFORM pg_sleep(0.05); END LOOP; END'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE {id}")
"""
BARRIER = 471100
STEPS = ("stop01", "stop02")


@dataclass
class Slow:
    """The stack with two revisions pending, which wait. Its application is behind, so unhealthy."""

    stack: Stack
    connection: "psycopg2.extensions.connection"
    """The owner's. A question by `docker exec` takes a hundred times as long."""
    head: str

    def sql(self, statement: str) -> str:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return "\n".join(row[0] for row in cursor.fetchall()) if cursor.description else ""

    def sleeps(self) -> bool:
        return "PgSleep" in self.sql("SELECT wait_event FROM pg_stat_activity WHERE wait_event = 'PgSleep'")

    def let_on(self) -> None:
        self.sql(f"SELECT pg_advisory_unlock({BARRIER})::text")

    def undo(self) -> None:
        tables = [f"DROP TABLE IF EXISTS {step}" for step in STEPS]
        self.sql("; ".join([*tables, f"UPDATE alembic_version SET version_num = '{self.head}'"]))


@pytest.fixture(scope="module")
def two_slow_revisions(first_up: tuple[Stack, object]) -> Iterator[Slow]:
    stack, _ = first_up
    assert stack.is_healthy("db", "app") or stack.make("up").code == 0
    connection = psycopg2.connect(
        host="127.0.0.1", port=stack.setting("DB_PORT"), user="app_owner", password=PASSWORD, dbname="app"
    )
    connection.autocommit = True
    slow = Slow(stack, connection, stack.sql("SELECT version_num FROM alembic_version").strip())
    down, paths = slow.head, []
    for step in STEPS:
        paths.append(stack.folder / f"alembic/versions/{step}.py")
        paths[-1].write_text(REVISION.format(id=step, down=down, barrier=BARRIER))
        down = step
    yield slow
    slow.undo()
    connection.close()
    for path in paths:
        path.unlink()


@pytest.fixture
def slow(two_slow_revisions: Slow) -> Iterator[Slow]:
    two_slow_revisions.undo()
    two_slow_revisions.sql(f"SELECT pg_advisory_lock({BARRIER})::text")
    yield two_slow_revisions
    two_slow_revisions.sql("SELECT pg_advisory_unlock_all()::text")


def started(slow: Slow, *words: str) -> "subprocess.Popen[str]":
    """A command in the middle of its first revision."""
    running = subprocess.Popen(
        words,
        cwd=slow.stack.folder,
        env=inherited(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    wait_until(lambda: slow.sleeps() or running.poll() is not None)
    assert running.poll() is None
    return running


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def child(parent: int, words: str) -> int:
    """The process whose command line has these words."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return next(int(pid) for pid in found if words in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))


def process(running: "subprocess.Popen[str]", who: str) -> int:
    if who == "make":
        return running.pid
    script = child(running.pid, "runtime.sh")
    return script if who == "script" else child(script, "docker ")


def at_work(stack: Stack) -> list[str]:
    """What still runs in a container of this stack for the command. One that has ended has no list."""
    tops = [run(["docker", "top", container, "-o", "pid,args"]).output for container in stack.everything()]
    return [line for top in tops for line in top.splitlines() if "migrate" in line or "in_container" in line]


def applied(slow: Slow) -> tuple[str, ...]:
    """The slow revisions that are applied, after a look that the schema is what the version says."""
    version = slow.sql("SELECT version_num FROM alembic_version")
    done = STEPS[: STEPS.index(version) + 1] if version in STEPS else ()
    tables = slow.sql("SELECT relname::text FROM pg_class WHERE relname LIKE 'stop__' ORDER BY 1")
    assert tuple(tables.split()) == done
    return done


def settled(slow: Slow) -> tuple[str, ...]:
    """What is applied once nothing of the command is left in the container; it stays like that."""
    wait_until(lambda: not at_work(slow.stack), 30)
    found = applied(slow)
    assert not slow.sleeps()
    return found


@pytest.mark.parametrize("who", ["make", "script", "client"])
@pytest.mark.parametrize("number", [INT, TERM, HUP, KILL], ids=lambda number: number.name)
def test_a_migration_ends_with_its_caller(slow: Slow, who: str, number: signal.Signals) -> None:
    running = started(slow, "make", "migrate")

    os.kill(process(running, who), number)

    # Of these make passes none on: it waits for the script, which is done then.
    waited = who == "make" and number in (INT, HUP)
    if waited:
        slow.let_on()
    output, _ = running.communicate(timeout=120)
    found = settled(slow)
    assert found == (STEPS if waited else ())
    assert running.returncode != 0
    if who == "script" and number != KILL:
        assert "✗ Interrupted." in output
        assert "State: " in output


@pytest.mark.parametrize("number", [INT, TERM, KILL], ids=lambda number: number.name)
def test_a_signal_for_all_processes_of_the_caller_ends_the_migration(slow: Slow, number: signal.Signals) -> None:
    running = started(slow, "make", "migrate")

    os.killpg(running.pid, number)

    output, _ = running.communicate(timeout=120)
    assert settled(slow) == ()
    assert running.returncode != 0
    assert number == KILL or "✗ Interrupted." in output


def test_a_migration_in_a_container_of_its_own_ends_with_its_caller(slow: Slow) -> None:
    slow.stack.compose("stop", "--timeout", "0", "app")
    running = started(slow, "make", "migrate")
    os.kill(process(running, "script"), TERM)
    output, _ = running.communicate(timeout=120)
    by_script = settled(slow)

    running = started(slow, "make", "migrate")
    os.kill(process(running, "script"), KILL)
    running.communicate(timeout=120)

    by_kill = settled(slow)
    assert slow.stack.compose("start", "app").code == 0
    assert by_kill == by_script == ()
    assert "✗ Interrupted." in output


LOG_IN = "import os, sys; os.login_tty(0); os.execvp('make', ['make', 'migrate'])"


def on_a_terminal(slow: Slow, said: list[bytes]) -> tuple[subprocess.Popen[bytes], int]:
    """Start a migration on a terminal whose output is read, and wait until it runs. Return the terminal too."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-c", LOG_IN],
        cwd=slow.stack.folder,
        env=inherited(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)

    def runs() -> bool:
        # A terminal whose output is not read stops the program that writes to it.
        assert running.poll() is None, b"".join(said).decode()
        while select.select([ours], [], [], 0)[0]:
            with contextlib.suppress(OSError):
                said.append(os.read(ours, 65536))
        return slow.sleeps()

    wait_until(runs)
    return running, ours


def test_a_migration_whose_terminal_is_closed_ends(slow: Slow) -> None:
    running, terminal = on_a_terminal(slow, [])

    os.close(terminal)

    running.wait(120)
    assert settled(slow) == ()


def test_ctrl_c_on_a_terminal_is_the_migrations(slow: Slow) -> None:
    said: list[bytes] = []
    running, terminal = on_a_terminal(slow, said)

    os.write(terminal, b"\x03")

    with contextlib.suppress(OSError):
        while part := os.read(terminal, 65536):
            said.append(part)
    running.wait(120)
    os.close(terminal)
    assert "✗ Interrupted." in b"".join(said).decode()
    assert settled(slow) == ()


def test_without_any_input_a_migration_runs_to_its_end(slow: Slow) -> None:
    """As cron starts it: that standard input ends at once says nothing."""
    slow.let_on()
    result = run(["sh", "-c", "make migrate </dev/null"], slow.stack.folder)

    assert result.code == 0, result.output
    assert applied(slow) == STEPS


@pytest.mark.parametrize("way", ["c=SELECT pg_sleep(60)", ""], ids=["argument", "input"])
def test_a_statement_of_psql_ends_with_its_caller(slow: Slow, way: str) -> None:
    running = started(slow, "sh", "-c", f"echo 'SELECT pg_sleep(60)' | exec make psql '{way or 'c='}'")

    os.killpg(running.pid, TERM)

    running.communicate(timeout=120)
    wait_until(lambda: not slow.sleeps(), 30)
    assert running.returncode != 0
