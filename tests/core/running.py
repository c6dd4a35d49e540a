"""Commands that run beside the test, and sessions of an application that stand in their way."""

import multiprocessing
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import URL

from tests.conftest import Project
from tests.core import forked

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([forked.__name__])

MIGRATING = "datname = current_database() AND application_name LIKE 'alembic %'"


class Running:
    """python -m <module>, in a process that is forked for it."""

    def __init__(self, project: Project, module: str, words: tuple[str, ...], environment: dict[str, str]) -> None:
        number, folder = random.getrandbits(31), project.path.parent
        self._printed, self._said = folder / f"stdout-{number}", folder / f"stderr-{number}"
        command = forked.Command(
            words=("-m", module, *words),
            folder=str(project.path),
            environment={**project.variables(), **project.environment, **environment},
            files=[os.devnull, str(self._printed), str(self._said)],
        )
        self._process = FORKS.Process(target=forked.become, args=(command,))
        self._process.start()

    @property
    def runs(self) -> bool:
        return self._process.is_alive()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def printed(self) -> str:
        """What it has printed by now, and then what it has said of faults."""
        return "".join(path.read_text() for path in (self._printed, self._said) if path.exists())

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def end(self) -> "subprocess.CompletedProcess[str]":
        """Wait for its exit code and what it printed; never a traceback."""
        self._process.join()
        assert self._process.exitcode is not None
        printed, said = self._printed.read_text(), self._said.read_text()
        assert "Traceback" not in printed + said, said
        return subprocess.CompletedProcess([], self._process.exitcode, printed, said)


def begin(project: Project, verb: str = "migrate", *words: str, **environment: str) -> Running:
    if verb == "migrate":
        # Without a plan: what is waited for, killed and raced here shall happen on the target only.
        environment = {"SCRATCH_HOST": "", **environment}
    return Running(project, f"scripts.{verb}", words, environment)


def call(
    project: Project, verb: str = "migrate", *words: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return begin(project, verb, *words, **environment).end()


def by_hand(project: Project, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `alembic` as if it were typed by hand, without a script of this project."""
    return Running(project, "alembic", words, environment).end()


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@contextmanager
def session(url: URL, application: str = "shop", **settings: str) -> Iterator[Connection]:
    """A session of an application; its transaction is open from its first statement to its end."""
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    engine = create_engine(url, poolclass=NullPool, connect_args={"application_name": application, "options": options})
    with engine.connect() as connection:
        yield connection


def run(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


def pid(connection: Connection) -> int:
    return int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)


def migrating(project: Project, condition: str = "true") -> bool:
    """Whether a session migrates now, of which the condition on pg_stat_activity is true."""
    return bool(project.sql(f"SELECT 1 FROM pg_stat_activity WHERE {MIGRATING} AND {condition}"))


def asleep(project: Project) -> bool:
    return migrating(project, "wait_event = 'PgSleep'")


def waits_for_lock(project: Project) -> bool:
    return migrating(project, "wait_event_type = 'Lock'")


@contextmanager
def readers(url: URL, query: str) -> Iterator[list[float]]:
    """Two sessions that read again and again; the seconds that each reading took."""
    took: list[float] = []
    over = Event()

    def read() -> None:
        with session(url, "reader") as connection:
            while not over.wait(0.01):
                started = time.monotonic()
                run(connection, query)
                connection.rollback()
                took.append(time.monotonic() - started)

    threads = [Thread(target=read, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield took
    finally:
        over.set()
        for thread in threads:
            thread.join()
