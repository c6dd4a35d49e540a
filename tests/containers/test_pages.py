"""The commands of docs/staging.md and docs/verify-staging.md, typed in their order on a host without a registry."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.containers.conftest import remove
from tests.containers.stack import ROOT, SOMEBODY, Result, Stack, docker, run
from tests.test_docs import fences

pytestmark = pytest.mark.timeout(600)
PASSWORDS = {"OWNER_PASSWORD": "owner's", "APP_PASSWORD": "app's", "NEW_PASSWORD": "the next"}


@pytest.fixture
def named(new_stack: Callable[[], Stack]) -> Iterator[tuple[Stack, str]]:
    """A checkout in which nothing was set up yet, and the name for its project."""
    stack = new_stack()
    project = stack.project
    stack.env_file.write_text(f"COMPOSE_PROJECT_NAME={project}\n")
    run(["rm", "-rf", ".postgres", "backups", "reports"], stack.folder)
    yield stack, project
    remove(project)
    run(["docker", "volume", "rm", project])
    run(["docker", "image", "rm", f"{project}:1"])


def typed(stack: Stack, project: str, text: str) -> Result:
    """Type a fence. The names are this test's, and the containers run as the owner of the checkout."""
    for shown, ours in {
        "registry.example.com/blog:1.4.2": f"{project}:1",
        "blog_staging_db": project,
        "blog_staging": project,
        "$(id -u)": str(SOMEBODY),
        "$(id -g)": str(SOMEBODY),
        "/srv/blog/v1.4": str(stack.folder),
    }.items():
        text = text.replace(shown, ours)
    git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    return run(["sh", "-ec", text], stack.folder, **PASSWORDS, **git)


def test_each_command_of_the_pages_about_staging_works_in_its_order(named: tuple[Stack, str]) -> None:
    stack, project = named
    (_, first), (_, build), *later = fences(ROOT / "docs" / "staging.md", "sh")
    prepare, deploy = first.split("docker compose up", 1)
    verify = [text for _, text in fences(ROOT / "docs" / "verify-staging.md", "sh")]

    done = typed(stack, project, prepare)
    assert done.code == 0, done.output
    for name in ("backups", "reports"):
        os.chown(stack.folder / name, SOMEBODY, SOMEBODY)
    test, migrate, start, *undo, secret = (text for _, text in later)
    # The restored backup is older than the application.
    for text in (build, f"docker compose up{deploy}", test, migrate, start, *undo, test, migrate, secret, *verify):
        done = typed(stack, project, text)
        assert done.code == 0, text + done.output

    assert docker("inspect", "--format", "{{.State.Health.Status}}", stack.container("app")) == "healthy"
