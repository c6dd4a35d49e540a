"""The projects in tests/applications/, moved in with make adopt, and used."""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project
from tests.core.running import wait_until

CACHE = Path.home() / ".cache" / "uv"
APPLICATIONS = ROOT / "tests" / "applications"
FOUND = {
    "blog": (
        "models        migration_models:metadata, 2 tables",
        "packages      blog; migration_models",
        "command       flask --app blog:create_app run --host 0.0.0.0 --port 8000  (from blog/__init__.py)",
        "carried over  include_object",
    ),
    "notes": (
        "models        app.models:Base.metadata, 1 table",
        "packages      app\n",
        "command       uvicorn app.main:app --host 0.0.0.0 --port 8000  (from app/main.py)",
        "driver        asyncpg",
        "not carried   migrations/versions/0002_written_at.py, line 16: a raw statement with %%, which is ",
    ),
    "heroes": (
        "models        heroes.models:SQLModel.metadata, 2 tables",
        "packages      src/heroes\n",
        "command       uvicorn heroes.main:app --host 0.0.0.0 --port 8000  (from Procfile)",
        "get the URL   DATABASE_URL, DB_URL",
        "dependencies  requirements.txt: 5, 5 added and locked\n",
    ),
    "events": (
        "models        migration_models:metadata, 2 tables",
        "packages      src/; migration_models",
        "command       python src/main.py  (from Dockerfile)",
        "driver        psycopg\n",
        "carried over  include_object, version_table=applied, version_table_schema=migrations",
        "not carried   env.py executes: CREATE SCHEMA IF NOT EXISTS migrations",
        "get the URL   DATABASE_URL, EVENTS_DSN",
    ),
}


def moved_in(project: Project, name: str, tmp_path: Path) -> str:
    """Adopt a copy of an application. Return what the command printed."""
    copy = shutil.copytree(APPLICATIONS / name, tmp_path / name)
    if name == "notes":
        (copy / ".env.example").rename(copy / ".env")
    result = project.run("adopt", f"--project={copy}", CONFIRM=name, UV_CACHE_DIR=str(CACHE))
    assert result.returncode == 0, result.stdout + result.stderr
    if (given := project.path / ".env.adopted").exists():
        given.rename(project.path / ".env")  # as scripts/runtimes/docker.sh does
    return result.stdout


def packages(project: Project) -> str:
    """Install the packages that are locked now. Return their Python."""
    python, uv = project.path / ".venv" / "bin" / "python", str(Path(sys.executable).with_name("uv"))
    shutil.rmtree(project.path / ".venv")
    install = ["pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", "requirements-dev.txt"]
    for words in (["venv", "--quiet", "--python", sys.executable, ".venv"], install):
        command = [uv, "--system-certs", *words]
        done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return str(python)


@contextmanager
def served(project: Project, python: str, port: int) -> Iterator[None]:
    """Run the application as make app does, on a port of its own."""
    toml = project.path / "pyproject.toml"
    toml.write_text(toml.read_text().replace("--port 8000", f"--port {port}"))
    main = project.path / "src" / "main.py"
    if main.exists():
        main.write_text(main.read_text().replace("8000", str(port)))
    with subprocess.Popen(
        [python, "-m", "scripts.app"], cwd=project.path, env=project.variables(), stdout=-3, stderr=-3
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def answer(port: int) -> dict[str, object] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
            found: dict[str, object] = json.load(response)
            return found
    except (urllib.error.URLError, ConnectionError):
        return None


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(FOUND))
def test_an_application_moves_in_and_works(empty_project: Project, name: str, tmp_path: Path) -> None:
    """It chooses and installs packages, so it needs an index of packages."""
    port = 10000 + os.getpid() % 10000  # no port that a connection gets by itself: it could connect to itself
    printed = moved_in(empty_project, name, tmp_path)

    for line in FOUND[name]:
        assert line in printed
    python = packages(empty_project)
    for words in (
        ["migrate"],
        ["adopt"],
        ["plan"],
        ["rollback", "--steps=1"],
        ["migrate"],
        ["backup"],
        ["verify_staging"],
    ):
        done = empty_project.call(python, "-m", f"scripts.{words[0]}", *words[1:], CONFIRM="")
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    with served(empty_project, python, port):
        wait_until(lambda: answer(port) is not None)
        assert int(str((answer(port) or {})["rows"])) >= 2


@pytest.mark.faults
def test_packages_that_cannot_be_installed_together_change_nothing(empty_project: Project, tmp_path: Path) -> None:
    copy = shutil.copytree(APPLICATIONS / "heroes", tmp_path / "heroes")
    before = (empty_project.path / "pyproject.toml").read_text()

    def refused(requirements: str) -> str:
        (copy / "requirements.txt").write_text(requirements)
        result = empty_project.run("adopt", f"--project={copy}", CONFIRM="heroes", UV_CACHE_DIR=str(CACHE))
        assert result.returncode == 1, result.stdout
        assert (empty_project.path / "pyproject.toml").read_text() == before
        assert not (empty_project.path / ".adopt").exists()
        return result.stderr

    said = refused("flask>=3\nsqlalchemy==1.4.54\n")
    assert "The packages of the project and of this environment cannot be installed together." in said
    assert "\n    sqlalchemy==1.4.54: the project's; sqlalchemy>=" in said
    assert "Do:    change these requirements in requirements.txt, then run this again" in said
    said = refused("no-such-package-of-heroes\n")
    assert said.startswith("✗ no-such-package-of-heroes, which the project needs, was not found")
