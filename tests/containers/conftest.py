"""The real Compose stack, driven from the host. Each is a copy of the checkout and goes away with all it made."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.containers.stack import APP_PASSWORD, PASSWORD, ROOT, SOMEBODY, Result, Stack, docker, run

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run these tests only where they are named, because they take minutes. Skip them where no Docker engine answers.

    With REQUIRE_DOCKER they run in any case, and fail without an engine.
    """
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    if not ours or os.environ.get("REQUIRE_DOCKER"):
        return
    if not any(Path(word.partition("::")[0]).resolve().is_relative_to(HERE) for word in config.args):
        items[:] = [item for item in items if item not in ours]
        config.hook.pytest_deselected(items=ours)
        return
    answer = run(["sh", "-c", "docker compose version && docker info"])
    reason = "no Docker engine with Compose answers here: " + answer.output.strip().rpartition("\n")[2]
    for item in ours if answer.code else ():
        item.add_marker(pytest.mark.skip(reason))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of every stack, of which root makes somebody else the owner."""
    remove_left_over()
    folder = tmp_path_factory.mktemp("checkout")
    copy_checkout(folder)
    for name in ("backups", "reports"):
        (folder / name).mkdir(mode=0o700)
    if os.geteuid() == 0:
        give_away(folder)
    return folder


@pytest.fixture(scope="session")
def new_stack(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Stack]]:
    """Makes a copy of the checkout with its .env; nothing runs yet."""
    made: list[Stack] = []

    def make() -> Stack:
        # Another worker's stack has another name, and so have its volumes.
        folder = tmp_path_factory.mktemp(f"stack{os.getpid()}-")
        assert run(["cp", "-a", f"{checkout}/.", str(folder)]).code == 0
        stack = Stack(folder)
        made.append(stack)
        # An earlier session that was killed may have left volumes of the same name.
        run(["sh", "scripts/setup.sh"], folder, RUNTIME="docker", ACCEPT="new")
        stack.set(POSTGRES_PASSWORD=PASSWORD, APP_DB_PASSWORD=APP_PASSWORD)
        if os.geteuid() == 0:
            stack.set(HOST_UID=str(SOMEBODY), HOST_GID=str(SOMEBODY))
            os.chown(stack.env_file, SOMEBODY, SOMEBODY)
        return stack

    yield make
    for stack in made:
        remove(stack.project)


@pytest.fixture
def fresh(new_stack: Callable[[], Stack]) -> Iterator[Stack]:
    """A stack of which nothing runs yet, for one test."""
    stack = new_stack()
    yield stack
    remove(stack.project)


@pytest.fixture(scope="session")
def first_up(new_stack: Callable[[], Stack]) -> tuple[Stack, Result]:
    """A stack that `make up` has made from nothing, and what it said."""
    stack = new_stack()
    result = stack.make("up")
    assert result.code == 0, result.output
    return stack, result


@pytest.fixture
def dev(first_up: tuple[Stack, Result]) -> Stack:
    """The development stack of this session: up, healthy and at head. A test that changes that changes it back."""
    stack, _ = first_up
    if not stack.is_healthy("db", "app"):
        result = stack.make("up")
        assert result.code == 0, result.output
    return stack


@pytest.fixture(scope="module")
def host(new_stack: Callable[[], Stack]) -> Iterator[Stack]:
    """A staging host that has been prepared as the README says; nothing runs."""
    stack = new_stack()
    image, volume = f"{stack.project}-release:1", f"{stack.project}-data"
    stack.set(
        APP_ENV="staging",
        APP_IMAGE=image,
        COMPOSE_FILE="docker-compose.yml:docker-compose.staging.yml",
        DB_VOLUME=volume,
        POSTGRES_PASSWORD="",
        APP_DB_PASSWORD="",
        SECRETS_DIR="./secrets",
    )
    docker("volume", "create", volume)
    secrets = stack.folder / "secrets"
    secrets.mkdir(mode=0o700)
    for name, password in {"postgres_password": PASSWORD, "app_db_password": APP_PASSWORD}.items():
        (secrets / name).write_text(password)
        (secrets / name).chmod(0o444)
    for folder in (stack.folder / "backups", stack.folder / "reports"):
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, stack.folder.stat().st_uid, stack.folder.stat().st_gid)
    assert stack.make("build", GIT_COMMIT="c0ffee").code == 0
    yield stack
    remove(stack.project)
    docker("volume", "rm", volume)


def copy_checkout(folder: Path) -> None:
    """What git has or would add, as the one commit of a new repository."""
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"])
    assert listed.code == 0, listed.output
    for name in filter(None, listed.output.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    commit = "git init -q && git add -A && git -c user.name=t -c user.email=t@t commit -qm copy"
    assert run(["sh", "-c", commit], folder).code == 0


def give_away(folder: Path) -> None:
    # pytest's folders are closed to others; a bind mount starts inside and does not mind.
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)


def remove(project: str) -> None:
    """All that Compose has made for a project. That of another session may go away meanwhile."""
    ours = f"label=com.docker.compose.project={project}"
    for kind, every, force in (
        ("container", "--all", ["--force", "--volumes"]),
        ("network", "--no-trunc", []),
        ("volume", "--quiet", ["--force"]),
        ("image", "--no-trunc", ["--force"]),
    ):
        found = set(docker(kind, "ls", every, "--quiet", "--filter", ours).split())
        if found:
            run(["docker", kind, "rm", *force, *found])


def remove_left_over() -> None:
    """The stacks of sessions that were killed, once pytest has removed their temporary folders."""
    label = '{{.Label "com.docker.compose.project'
    for line in set(docker("ps", "--all", "--format", f'{label}"}}}} {label}.working_dir"}}}}').splitlines()):
        project, _, folder = line.partition(" ")
        # A test moves its stack's own folder.
        if "/pytest-of-" in folder and not Path(folder).parent.exists():
            remove(project)
