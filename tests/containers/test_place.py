"""scripts/place.sh and `.postgres/place` with the docker runtime: data stay where they are."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.conftest import copy_checkout, remove
from tests.containers.stack import Result, Stack, docker, run

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def running(dev: Stack) -> Iterator[Stack]:
    """The session's stack with a database that no other has; its files are put back."""
    dev.sql("CREATE DATABASE ada", "postgres")
    saved = {name: (dev.folder / name).read_text() for name in (".env", ".postgres/place")}
    yield dev
    for name, text in saved.items():
        (dev.folder / name).write_text(text)
    dev.sql("DROP DATABASE IF EXISTS ada", "postgres")


def names(stack: Stack) -> str:
    return stack.sql("SELECT datname FROM pg_database", "postgres", "postgres")


def refused(result: Result) -> str:
    assert result.code != 0, result.output
    assert "✗" in result.output
    return result.output


def done(result: Result) -> str:
    assert result.code == 0, result.output
    return result.output


def volumes(stack: Stack) -> list[str]:
    """Its own, and what any command here would make. Other tests make theirs meanwhile."""
    names = docker("volume", "ls", "--quiet").split()
    return [name for name in names if name.startswith((f"{stack.folder.name}-", "another-project"))]


def test_the_place_of_the_database_is_written_down(dev: Stack) -> None:
    place = (dev.folder / ".postgres/place").read_text()

    assert f"\ndocker={dev.project} {dev.project}_db\n" in place
    assert f"\ncheckout={dev.folder}\n" in place


@pytest.mark.parametrize("target", ["down", "status", "reset", "roles", "up", "logs", "test"])
def test_a_copy_is_refused_and_the_original_runs_on(running: Stack, tmp_path: Path, target: str) -> None:
    copy = Stack(tmp_path / "copy")
    subprocess.run(["cp", "-a", running.folder, copy.folder], check=True)
    before = running.ps("status=running")

    said = refused(copy.make(target, CONFIRM="app"))

    assert f"This checkout is a copy of {running.folder}, and has the same database." in said
    assert running.ps("status=running") == before


@pytest.mark.parametrize("target", ["down", "status", "reset"])
def test_a_checkout_with_a_copied_env_is_refused(running: Stack, tmp_path: Path, target: str) -> None:
    copy = Stack(tmp_path)
    copy_checkout(copy.folder)
    shutil.copy(running.env_file, copy.env_file)
    before = running.ps("status=running")

    said = refused(copy.make(target, CONFIRM="app"))

    assert f"Compose project {running.project} belongs to the checkout {running.folder}." in said
    assert running.ps("status=running") == before


def test_a_copy_gets_a_database_of_its_own_by_one_command(running: Stack, tmp_path: Path) -> None:
    copy = Stack(tmp_path / "copy")
    subprocess.run(["cp", "-a", running.folder, copy.folder], check=True)
    try:
        said = done(copy.make("up", ACCEPT="new"))

        assert f"Compose project {running.project} and its volume {running.project}_db stay as they are." in said
        assert copy.project != running.project
        assert "ada" not in names(copy)
        done(copy.make("down"))
    finally:
        if copy.project != running.project:
            remove(copy.project)
    assert "ada" in names(running)
    assert running.is_healthy("db", "app")


def test_without_env_the_recorded_project_is_named_and_used_by_one_command(running: Stack) -> None:
    before, project = running.env_file.read_text(), running.project
    running.env_file.unlink()
    existing = volumes(running)

    said = refused(running.make("up"))
    assert (
        f"There is no .env, but this checkout has a database: volume {project}_db, of Compose project {project}."
        in said
    )
    done(running.make("roles", ACCEPT="recorded"))

    assert running.project == project
    assert running.setting("POSTGRES_PASSWORD") not in before
    assert "ada" in names(running)
    assert volumes(running) == existing
    done(running.make("status"))
    running.env_file.write_text(before)
    done(running.make("roles"))


def test_without_env_and_record_a_project_of_the_folders_name_is_named_and_used(running: Stack) -> None:
    before, project, user = running.env_file.read_text(), running.project, running.setting("HOST_UID")
    running.env_file.unlink()
    shutil.rmtree(running.folder / ".postgres")

    said = refused(running.make("up"))
    assert f"Docker has the database of a checkout with this name: Compose project {project}." in said
    (command,) = re.findall("make (roles RUNTIME=docker COMPOSE_PROJECT_NAME=[a-z0-9-]+)", said)
    done(running.make(*command.split(), HOST_UID=user, HOST_GID=user))

    assert running.project == project
    assert "ada" in names(running)
    running.env_file.write_text(before)
    done(running.make("roles"))


@pytest.mark.parametrize("way", ["in .env", "in the environment"])
def test_another_project_name_makes_no_second_database(running: Stack, way: str) -> None:
    before, existing = running.project, volumes(running)
    if way == "in .env":
        running.set(COMPOSE_PROJECT_NAME="another-project")
        said = refused(running.make("up"))
    else:
        said = refused(running.make("status", COMPOSE_PROJECT_NAME="another-project"))

    assert f"This checkout's database is in volume {before}_db, of Compose project {before}." in said
    assert volumes(running) == existing


def test_a_stack_that_is_moved_goes_on_and_a_volume_that_is_gone_is_not_replaced(fresh: Stack) -> None:
    done(fresh.make("psql", "c=SELECT 1", POSTGRES_DB="postgres"))
    fresh.sql("CREATE DATABASE ada", "postgres", "postgres")
    moved = Stack(fresh.folder.rename(fresh.folder.with_name(f"{fresh.folder.name}-moved")))
    try:
        said = done(moved.make("psql", "c=SELECT 1", POSTGRES_DB="postgres"))
        assert f"This checkout was moved here from {fresh.folder}." in said
        assert "moved here" not in done(moved.make("ps"))
        assert "ada" in names(moved)

        moved.compose("--profile", "*", "down", "--volumes", "--timeout", "0")
        existing = volumes(fresh)
        said = refused(moved.make("up"))
        assert f"The volume {moved.project}_db of this checkout's database is gone." in said
        assert volumes(fresh) == existing
    finally:
        moved.folder.rename(fresh.folder)


def test_on_a_staging_host_another_volume_is_not_taken_for_the_database(fresh: Stack) -> None:
    project, volume = fresh.project, f"{fresh.project}-data"
    fresh.set(COMPOSE_FILE="docker-compose.yml:docker-compose.staging.yml", APP_IMAGE="no-such:1", DB_VOLUME=volume)
    fresh.set(SECRETS_DIR="./secrets", POSTGRES_PASSWORD="", APP_DB_PASSWORD="")
    (fresh.folder / ".postgres").mkdir()
    place = fresh.folder / ".postgres/place"
    place.write_text(f"id=1\ncheckout={fresh.folder}\ndocker={project} {volume}-of-before\n")

    said = refused(fresh.make("status"))

    assert f"This checkout's database is in volume {volume}-of-before, of Compose project {project}." in said
    env = fresh.env_file.read_text()
    fresh.env_file.unlink()
    said = refused(fresh.make("status"))
    fresh.env_file.write_text(env)
    assert f"put .env back. It had COMPOSE_PROJECT_NAME={project} and DB_VOLUME={volume}-of-before." in said


@pytest.fixture
def worktree(dev: Stack, tmp_path: Path) -> Iterator[Stack]:
    """The session's stack as a worktree of another folder's repository, with a file that is not committed."""
    git, repository = dev.folder / ".git", tmp_path / "repository"
    trusted = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    shutil.copytree(git, repository / ".git")
    path = dev.folder / "alembic/versions/abcd01.py"
    head = dev.sql("SELECT version_num FROM alembic_version").strip()
    path.write_text(
        f"revision = 'f00d01'\ndown_revision = {head!r}\n\n\ndef upgrade():\n    pass\n\n\ndowngrade = upgrade\n"
    )
    done(run(["git", "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree")], repository, **trusted))
    git.rename(tmp_path / "before")
    shutil.move(tmp_path / "tree/.git", git)
    yield dev
    git.unlink()
    (tmp_path / "before").rename(git)
    path.unlink()


def test_the_containers_of_a_worktree_see_its_repository(worktree: Stack) -> None:
    status, lint = worktree.make("status"), worktree.make("lint")

    assert "Pending      f00d01\n" in status.output
    assert "Uncommitted  alembic/versions/abcd01.py\n" in status.output
    assert lint.code == 0, lint.output
    assert "Nothing blocks in 1 revision." in lint.output
