"""One PostgreSQL a worker, one database a test, and a copy of the project to be hard on."""

import compileall
import gc
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from scripts.core import env_file, settings
from scripts.core.postgres import embedded, wheel
from scripts.core.revisions import history

ROOT = Path(__file__).parents[1]
OURS = shutil.ignore_patterns(".git", ".venv", ".postgres", ".env", ".*_cache", "containers", "__pycache__")


def pytest_configure() -> None:
    # A shell starts a job in the background deaf to Ctrl-C, and the commands of these tests would be so too.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    forget_this_checkout()


def forget_this_checkout() -> None:
    """No test reads the .env of this checkout, nor, outside of the containers, which database its user has named."""
    env_file.ENV_FILE = ROOT / "tests" / ".env"
    if "SCRATCH_HOST" not in os.environ:
        for name in filter(settings.TARGET.fullmatch, list(os.environ)):
            del os.environ[name]
        os.environ |= {
            "POSTGRES_USER": "tests",
            "POSTGRES_PASSWORD": "tests",
            "POSTGRES_DB": "no_database_of_the_tests",
        }


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, because a test waits for servers and processes a fifth of its time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    gc.freeze()  # What is there stays: looking through it for garbage takes an eighth of the time.


# In the containers there is one already, and root there may not become another account, as PostgreSQL wants.
needs_embedded = pytest.mark.skipif("SCRATCH_HOST" in os.environ, reason="the embedded server is for the host")


ADMINISTRATOR: dict[str, str] = {}
"""The login to the scratch server, as commands find it in their environment."""
ENOUGH = 2 * 1024**3
"""Bytes of free memory for the databases of a session."""
REMOVE = """cat
for file in "$1"/*/postmaster.pid; do [ ! -e "$file" ] || kill -QUIT "$(head -n 1 "$file")"; done
rm -rf "$1" || { sleep 1; rm -rf "$1"; }"""
MADE = text("SELECT datname FROM pg_database WHERE substring(datname FROM '^test_[0-9]+') = ANY(:made)")
"""Also what the project made of them, such as test_1__kept_…"""


@pytest.fixture(scope="session")
def server() -> Iterator[URL]:
    """The scratch server: of Compose where SCRATCH_HOST names it, else one of this session."""
    with ExitStack() as stack:
        url = settings.scratch_server(settings.load())
        if not url:
            url = embedded.start_scratch(replace(embedded.scratch(), home=stack.enter_context(throwaway_home())))
        ADMINISTRATOR.update({"SCRATCH_USER": str(url.username), "SCRATCH_PASSWORD": str(url.password)})
        yield url


@contextmanager
def throwaway_home() -> Iterator[Path]:
    """A folder of clusters, in memory where there is enough. It goes away with this process, however that ends."""
    memory = Path("/dev/shm")
    is_large = memory.is_dir() and shutil.disk_usage(memory).free > ENOUGH
    home = Path(mkdtemp(prefix="clusters-", dir=memory if is_large else None))
    wheel.give(home)
    # The shell reads until this process closes the pipe or dies.
    with subprocess.Popen(
        ["sh", "-c", REMOVE, "sh", str(home)], stdin=subprocess.PIPE, start_new_session=True
    ) as guard:
        yield home
        guard.communicate()


@pytest.fixture(scope="session")
def administration(server: URL) -> Iterator[Connection]:
    """A session of the administrator's."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def lasting_database(administration: Connection) -> Iterator[Callable[..., URL]]:
    """Makes databases that last for the session: lasting_database(template=..., environment=...)."""
    yield from makes_databases(administration)


@pytest.fixture
def new_database(administration: Connection) -> Iterator[Callable[..., URL]]:
    """Makes databases that last for the test, as lasting_database does for the session."""
    yield from makes_databases(administration)


def makes_databases(administration: Connection) -> Iterator[Callable[..., URL]]:
    made: list[str] = []

    def make(template: str = "template0", environment: str | None = "development") -> URL:
        made.append(f"test_{random.getrandbits(31)}")
        # Without fsync, copying files is five times as fast as the default, which writes them to the log too.
        administration.execute(text(f"CREATE DATABASE {made[-1]} TEMPLATE {template} STRATEGY file_copy"))
        if environment:
            administration.execute(text(f"COMMENT ON DATABASE {made[-1]} IS 'environment={environment}'"))
        return administration.engine.url.set(database=made[-1])

    yield make
    for name in administration.scalars(MADE, {"made": made}).all():
        administration.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


@pytest.fixture(scope="session")
def template(lasting_database: Callable[..., URL], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database at head that others are copied from."""
    project = Project(copy_project(tmp_path_factory.mktemp("template")), lasting_database())
    assert project.run("migrate").returncode == 0
    return str(project.url.database)


@dataclass
class Project:
    """A copy of this checkout with a database of its own, used as its user would."""

    path: Path
    url: URL
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, verb: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """python -m scripts.<verb> in the copy."""
        return self.call(sys.executable, "-m", f"scripts.{verb}", *words, **environment)

    def make(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """make in the copy, with this Python in place of its .venv."""
        return self.call("make", *words, **environment)

    def call(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            words,
            cwd=self.path,
            env={**self.variables(), **self.environment, **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )

    def variables(self) -> dict[str, str]:
        """The environment of a command: nothing of the machine's but the path, the database as parts."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "APP_ENV": "development",
            "RUNTIME": "none",
            "POSTGRES_HOST": str(self.url.host),
            "POSTGRES_PORT": str(self.url.port),
            "POSTGRES_USER": str(self.url.username),
            "POSTGRES_PASSWORD": str(self.url.password),
            "POSTGRES_DB": str(self.url.database),
            "SCRATCH_HOST": str(self.url.host),
            "SCRATCH_PORT": str(self.url.port),
            **ADMINISTRATOR,
            "VERIFY_FRESH": "",
        }

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Rows of a statement, committed, on a connection of its own."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    def sql_on_server(self, *statements: str) -> None:
        """Statements that no transaction may hold, such as CREATE DATABASE."""
        engine = create_engine(self.url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def own(self, folder: str) -> Path:
        """A folder that is a link in this copy becomes its own, for a test that writes there."""
        link = self.path / folder
        source = link.resolve()
        link.unlink()
        return shutil.copytree(source, link)

    @property
    def version(self) -> list[str]:
        return [str(row[0]) for row in self.sql("SELECT version_num FROM alembic_version")]

    @property
    def versions(self) -> Path:
        return self.path / "alembic" / "versions"

    def write_revision(self, revision: str, down: str | None, upgrade: str = "pass", downgrade: str = "pass") -> Path:
        """A revision file by hand; `upgrade` and `downgrade` are one line of code."""
        path = self.versions / f"{revision}.py"
        path.write_text(
            f'"""{revision} message"""\n\nfrom alembic import op\n\nrevision = "{revision}"\n'
            f"down_revision = {down!r}\nbranch_labels = None\ndepends_on = None\n\n\n"
            f"def upgrade() -> None:\n    {upgrade}\n\n\ndef downgrade() -> None:\n    {downgrade}\n"
        )
        return path


def not_copied(folder: str, names: list[str]) -> set[str]:
    """Nor are the backups and reports of this checkout."""
    made = {"backups", "reports"} if Path(folder) == ROOT else set()
    return OURS(folder, names) | (made & set(names))


@cache
def original() -> "TemporaryDirectory[str]":
    """The project as tests copy it: compiled, else every command would compile it again, and without most tests."""
    made = TemporaryDirectory(prefix="project-")
    path = Path(made.name) / "project"
    shutil.copytree(ROOT, path, ignore=not_copied, symlinks=True)
    for folder in ("app", "core", "hazards", "scripts"):
        shutil.rmtree(path / "tests" / folder, ignore_errors=folder == "app")  # the user may have removed it
    for folder in ("alembic", "app", "scripts"):
        compileall.compile_dir(path / folder, quiet=1)
    python = path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    shutil.copy(ROOT / "requirements-dev.txt", path / ".venv")
    return made


UNCHANGED = ("docs", "scripts/core", "tests/bench", "tests/gates")
"""What is a link in a copy, because no test writes there, unless it makes it its own: most of the files."""


@cache
def contents() -> "dict[str, tuple[os.stat_result, bytes] | None]":
    """What is no link in a copy, read once: a copy takes a quarter of the time then. Folders (None) come first."""
    source, found = Path(original().name) / "project", dict[str, tuple[os.stat_result, bytes] | None]()
    for path in sorted(source.rglob("*")):
        place = str(path.relative_to(source))
        if not any(f"{place}/".startswith(f"{folder}/") for folder in UNCHANGED):
            found[place] = None if path.is_dir() else (path.stat(), path.read_bytes())
    return found


def copy_project(to: Path) -> Path:
    source, copy = Path(original().name) / "project", to / "project"
    copy.mkdir()
    for place, file in contents().items():
        if file is None:
            os.mkdir(f"{copy}/{place}")
            continue
        status, content = file
        with open(os.open(f"{copy}/{place}", os.O_CREAT | os.O_WRONLY, status.st_mode), "wb", 0) as written:
            written.write(content)
            os.utime(written.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))  # what is compiled depends on it
    for folder in UNCHANGED:
        (copy / folder).symlink_to(source / folder)
    return copy


@pytest.fixture
def empty_project(new_database: Callable[..., URL], tmp_path: Path) -> Project:
    """A copy of the project with an empty development database."""
    return Project(copy_project(tmp_path), new_database())


@pytest.fixture
def project(new_database: Callable[..., URL], template: str, tmp_path: Path) -> Project:
    """A copy of the project with its development database at head."""
    return Project(copy_project(tmp_path), new_database(template))


@pytest.fixture(scope="session")
def revisions() -> list[str]:
    """The ids of this project's revisions, oldest first."""
    return [found.revision for found in reversed(list(history.load().walk_revisions()))]
