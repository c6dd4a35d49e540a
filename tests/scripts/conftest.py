"""How the scripts are run here, and what each run must keep to: no password, no traceback, no escape codes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import URL

from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql
from tests.conftest import Project, copy_project

# Half a second of every script goes into importing other people's packages. This process has imported them; for each
# line it reads it forks, and the fork becomes `python -m scripts.<verb>` with the project's own code still unread.
FORKS = """
import gc, json, os, runpy, sys
import alembic.command, alembic.config, dotenv.parser, encodings.idna, psycopg2.extras, sqlalchemy.orm
import sqlalchemy.dialects.postgresql.psycopg2

gc.freeze()  # A quarter of a fork's time would go into looking through all that for garbage.
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()

run = json.loads(line)
os.chdir(run["folder"])
os.environ.clear()
os.environ.update(run["environment"])
for number, path in enumerate([os.devnull, run["stdout"], run["stderr"]]):
    os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
sys.dont_write_bytecode = True
sys.argv = ["-m", *run["words"]]
runpy.run_module(run["module"], run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", FORKS],
        cwd=tmp_path_factory.mktemp("forks"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


@pytest.fixture(autouse=True)
def _run_by_forking(forks: "subprocess.Popen[str]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(project: Project, verb: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        request: dict[str, Any] = {
            "module": f"scripts.{verb}",
            "words": words,
            "folder": str(project.path),
            "environment": {**project.variables(), **project.environment, **environment},
            "stdout": str(tmp_path / "stdout"),
            "stderr": str(tmp_path / "stderr"),
        }
        assert forks.stdin
        assert forks.stdout
        forks.stdin.write(json.dumps(request) + "\n")
        forks.stdin.flush()
        code = int(forks.stdout.readline())
        printed = [(tmp_path / name).read_bytes().decode() for name in ("stdout", "stderr")]
        return checked(project, subprocess.CompletedProcess([verb, *words], code, *printed), environment)

    monkeypatch.setattr(Project, "run", run)


@pytest.fixture(autouse=True)
def _check_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Project.call

    def check(project: Project, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return checked(project, call(project, *words, **environment), environment)

    monkeypatch.setattr(Project, "call", check)


def checked(
    project: Project, result: "subprocess.CompletedProcess[str]", environment: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    printed = result.stdout + result.stderr
    given = {**project.environment, **environment}
    for password in {project.url.password, given.get("POSTGRES_PASSWORD"), given.get("APP_DB_PASSWORD")} - {None, ""}:
        assert str(password) not in printed
    assert "Traceback" not in printed, printed
    assert "\x1b" not in printed
    return result


@pytest.fixture(scope="session")
def settled(new_database: Callable[..., URL], template: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project at head that many tests share, because what they do must not change it."""
    return Project(copy_project(tmp_path_factory.mktemp("settled")), new_database(template))


@pytest.fixture
def edited(settled: Project, tmp_path: Path) -> Project:
    """A copy of the project whose files a test may change, on the database that nobody may."""
    return Project(copy_project(tmp_path), settled.url)


@pytest.fixture
def superuser(server: URL) -> Iterator[Callable[[str], None]]:
    """Runs statements on the server's maintenance database, each on its own."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def run(statement: str) -> None:
        sql.run(connection, Sql(statement))

    with engine.connect() as connection:
        yield run


@pytest.fixture
def git(project: Project) -> Callable[..., None]:
    """Runs git in the project, whose first commit is made."""
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")

    def run(*words: str) -> None:
        result = project.call("git", *identity, *words, GIT_CONFIG_NOSYSTEM="1")
        assert result.returncode == 0, result.stderr

    run("init", "--quiet", "--initial-branch=main")
    run("add", "--all")
    run("commit", "--quiet", "--message=begin")
    return run
