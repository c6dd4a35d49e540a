"""How the scripts are run here, and what each run must keep to: no password, no traceback, no escape codes."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import URL

from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql
from tests.conftest import Project, copy_project
from tests.core.running import Running


@pytest.fixture(autouse=True)
def _run_by_forking(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(project: Project, verb: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return checked(project, Running(project, f"scripts.{verb}", words, environment).end(), environment)

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
def settled(lasting_database: Callable[..., URL], template: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project at head that many tests share, because what they do must not change it."""
    return Project(copy_project(tmp_path_factory.mktemp("settled")), lasting_database(template))


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
