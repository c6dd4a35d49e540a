"""python -m scripts.health"""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL

from scripts import health
from scripts.core import application, reloader, revision_files
from tests.conftest import ROOT, Project, copy_project


@pytest.fixture
def url(new_database: Callable[..., URL], template: str) -> URL:
    """A database at head."""
    return new_database(template)


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[URL], tuple[int, str]]:
    """Exit code and output for a database."""

    def look(url: URL) -> tuple[int, str]:
        monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
        code = health.main([])
        return code, capsys.readouterr().out

    return look


Look = Callable[[URL], tuple[int, str]]


def change(url: URL, statement: str) -> None:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(statement))


def test_at_head_it_is_healthy(look: Look, url: URL) -> None:
    assert look(url) == (0, "healthy\n")


@pytest.mark.parametrize(
    "statement",
    ["UPDATE alembic_version SET version_num = '{first}'", "DELETE FROM alembic_version", "DROP TABLE alembic_version"],
    ids=["at an older revision", "at base", "never migrated"],
)
def test_behind_the_code_it_is_unhealthy(look: Look, url: URL, revisions: list[str], statement: str) -> None:
    change(url, statement.format(first=revisions[0]))

    assert look(url) == (1, f"unhealthy: the database lacks {revisions[-1]}\n")


def test_a_revision_in_a_subfolder_is_lacking_too(
    look: Look, url: URL, revisions: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(copy_project(tmp_path), url)
    (project.versions / "2026").mkdir()
    project.write_revision("abcd01", revisions[-1]).rename(project.versions / "2026" / "abcd01.py")
    ini = (project.path / "alembic.ini").read_text()
    (project.path / "alembic.ini").write_text(
        ini.replace("[alembic]\n", "[alembic]\nrecursive_version_locations = true\n")
    )
    monkeypatch.setattr(revision_files, "ROOT", project.path)

    assert look(url) == (1, "unhealthy: the database lacks abcd01\n")


def test_at_a_revision_of_a_newer_release_it_is_healthy(look: Look, url: URL) -> None:
    change(url, "UPDATE alembic_version SET version_num = 'fffffffffffe'")

    assert look(url) == (0, "healthy\n")


def test_a_wrong_password_is_unhealthy_and_is_not_shown(look: Look, url: URL) -> None:
    code, said = look(url.set(password="geheim"))

    assert code == 1
    assert said.startswith("unhealthy: ")
    assert "geheim" not in said


def test_a_missing_database_is_unhealthy(look: Look, url: URL) -> None:
    code, said = look(url.set(database="nowhere"))

    assert code == 1
    assert '"nowhere" does not exist' in said


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port where somebody listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_server_that_never_answers_is_given_up(silent_server: int) -> None:
    """As a program, because only its end can end it. The container's health check allows it 30 s."""
    result = subprocess.run(
        [sys.executable, "-m", "scripts.health"],
        cwd=ROOT,
        env={"DATABASE_URL": f"postgresql://app:geheim@127.0.0.1:{silent_server}/app?connect_timeout=1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert result.returncode == 1
    assert "timeout expired" in result.stdout
    assert "geheim" not in result.stdout + result.stderr


def test_where_nobody_listens_it_is_unhealthy_at_once(look: Look, url: URL, unused_port: int) -> None:
    code, said = look(url.set(port=unused_port, password="geheim"))

    assert code == 1
    assert "Connection refused" in said
    assert "geheim" not in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("true", (0, "healthy\n")),
        ("false", (1, "unhealthy: exit code 1\n")),
        ("sh -c 'echo no worker >&2; exit 3'", (1, "unhealthy: no worker\n")),
        ("sh -c 'test \"$DATABASE_URL\"'", (0, "healthy\n")),
        ("nosuchprogram", (1, "unhealthy: nosuchprogram is not installed\n")),
    ],
)
def test_the_application_s_own_check_counts_too(
    look: Look, url: URL, monkeypatch: pytest.MonkeyPatch, command: str, said: tuple[int, str]
) -> None:
    monkeypatch.setattr(application, "read", lambda: application.Declaration(health=command))

    assert look(url) == said


def test_settings_with_faults_are_unhealthy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///app.db")

    code = health.main([])

    assert code == 1
    assert "DATABASE_URL is for sqlite: this environment is for PostgreSQL" in capsys.readouterr().out


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_an_application_that_still_starts_is_waited_for_and_one_that_failed_is_not(
    url: URL, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    check = f"sh -c 'test -e {tmp_path}/seen || {{ touch {tmp_path}/seen; exit 1; }}'"
    monkeypatch.setattr(application, "read", lambda: application.Declaration(health=check))
    monkeypatch.setattr(reloader, "ROOT", tmp_path)

    slow = health.main(["--wait=60"]), capsys.readouterr().out
    (tmp_path / ".postgres").mkdir()
    (tmp_path / ".postgres" / "app.failed").write_text("The application ended with exit code 1.")
    failed = health.main(["--wait=60"]), capsys.readouterr().out

    assert slow == (0, "healthy\n")
    assert failed == (1, "unhealthy: The application ended with exit code 1.\n")
