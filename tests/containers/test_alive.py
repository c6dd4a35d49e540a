"""Changed code, settings and packages, and services of the user's own."""

import json
import random
import socket
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.containers.stack import Stack, docker, inherited

pytestmark = pytest.mark.timeout(600)

STARTED = "publishing due posts"
SLOW = '''"""slow"""

from alembic import op

revision = "510f01"
down_revision = "a4b8f234fc7c"
branch_labels = depends_on = None


def upgrade() -> None:
    op.execute("SELECT pg_sleep(12)")


def downgrade() -> None:
    pass
'''
MIGRATES = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"


@pytest.fixture(scope="module")
def stack(new_stack: Callable[[], Stack]) -> Stack:
    """A stack of this file alone, which is up. Its tests follow one another."""
    stack = new_stack()
    result = stack.make("up")
    assert result.code == 0, result.output
    return stack


def wait_until(condition: Callable[[], object], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def edit(stack: Stack, file: str, old: str, new: str) -> None:
    path = stack.folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def wait_for_log(stack: Stack, text: str) -> None:
    wait_until(lambda: text in docker("logs", stack.container("app")))


def test_changed_code_restarts_the_application_and_no_migration(stack: Stack) -> None:
    container = stack.inspect("app")
    (stack.folder / "alembic/versions/slow.py").write_text(SLOW)
    with subprocess.Popen(
        ["make", "migrate"],
        cwd=stack.folder,
        env=inherited(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as migration:
        wait_until(lambda: stack.sql(MIGRATES, "postgres") == "1\n")
        edit(stack, "app/__main__.py", STARTED, "the second edition")
        wait_for_log(stack, "the second edition")
        edit(stack, "app/__main__.py", "log.info(", "log.info((")
        wait_for_log(stack, "ended with exit code 1")
        broken = stack.make("status").output
        edit(stack, "app/__main__.py", "log.info((", "log.info(")
        edit(stack, "app/__main__.py", "the second edition", STARTED)
        said = migration.communicate()[0]

    wait_until(lambda: "exit code" not in stack.make("status").output)
    assert migration.returncode == 0, said
    assert "510f01  applied in 12." in said
    assert "! The application ended with exit code 1. It starts again when its code changes.\n" in broken
    assert stack.inspect("app")["State"]["StartedAt"] == container["State"]["StartedAt"]


def test_broken_code_fails_make_up_at_once_and_comes_back_by_itself(stack: Stack) -> None:
    docker("rm", "--force", stack.container("app"))
    edit(stack, "app/__main__.py", "log.info(", "log.info((")

    began = time.monotonic()
    failed = stack.make("up")
    lasted = time.monotonic() - began
    edit(stack, "app/__main__.py", "log.info((", "log.info(")
    wait_until(lambda: stack.is_healthy("app"))
    again = stack.make("up")

    assert failed.code != 0
    assert "SyntaxError" in failed.output
    assert "✗ app does not run. Its last log lines are above." in failed.output
    assert "  Why:   The application ended with exit code 1. It starts again when its code changes." in failed.output
    assert lasted < 60, "Compose would wait two minutes"
    assert (again.code, "Starting" in again.output) == (0, False), again.output


def test_up_starts_the_application_again_after_a_change_of_pyproject_and_builds_nothing(stack: Stack) -> None:
    image = stack.inspect("app")["Image"]
    edit(
        stack,
        "pyproject.toml",
        'command = "python -m app"',
        """command = "sh -c 'echo changed; exec python -m app'" """,
    )

    result, again = stack.make("up"), stack.make("up")

    assert result.code == 0, result.output
    assert "Starting app" in result.output
    assert "Building" not in result.output
    assert "changed" in docker("logs", stack.container("app"))
    assert stack.inspect("app")["Image"] == image
    assert "Starting" not in again.output


def test_up_builds_the_image_again_for_another_package_of_debian(stack: Stack) -> None:
    # No two sessions write the same list: what one has built, the next one finds in the cache.
    edit(stack, "pyproject.toml", "apt = []", f"apt = {json.dumps(['tree'] * random.randint(1, 5000))}")

    result = stack.make("up")

    assert result.code == 0, result.output
    assert "Building" in result.output
    assert "Starting app" in result.output
    assert stack.execute("app", "tree", "--version").code == 0


OVERRIDE = """
services:
  cache:
    image: ${POSTGRES_IMAGE:-postgres:17-trixie}
    environment: {POSTGRES_PASSWORD: cache}
    healthcheck: {test: [CMD, pg_isready, --host=127.0.0.1, --username=postgres], interval: 1s, retries: 60}
  sick:
    image: ${COMPOSE_PROJECT_NAME}-app:dev
    command: [sh, -c, "echo I am sick; exec sleep 1000"]
    init: true
    healthcheck: {test: [CMD, "false"], interval: 1s, retries: 1}
    profiles: [sick]
  prepared:
    image: ${COMPOSE_PROJECT_NAME}-app:dev
    command: ["true"]
  other:
    image: ${COMPOSE_PROJECT_NAME}-app:dev
    command: [sleep, "1000"]
    init: true
    profiles: [other]
  app:
    depends_on:
      cache: {condition: service_healthy}
    ports: ["127.0.0.1:${APP_PORT}:8000"]
"""


def test_services_of_the_override_start_are_shown_and_stop_with_the_others(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stack.set(APP_PORT=str(taken.getsockname()[1]))
        (stack.folder / "docker-compose.override.yml").write_text(OVERRIDE)
        refused = stack.make("up")

    up, again = stack.make("up"), stack.make("up")
    shown, logs, others = stack.make("ps"), stack.make("logs", "c=cache"), stack.make("logs", "c=other")
    stack.set(COMPOSE_PROFILES="db,other")
    with_profile = stack.make("up")
    stack.set(COMPOSE_PROFILES="db,sick")
    sick = stack.make("up")
    down = stack.make("down")

    assert f"✗ Port {stack.setting('APP_PORT')} of this machine is taken." in refused.output
    assert "  Do:    set another port in .env or docker-compose.override.yml, then: make up" in refused.output
    assert up.code == 0, up.output
    assert "Starting app" in up.output
    assert "Starting prepared" in up.output
    assert (again.code, "Starting app" in again.output) == (0, False), again.output
    assert "-cache-1" in shown.output
    assert "ready to accept connections" in logs.output
    assert others.code == 0
    assert (with_profile.code, "Starting other" in with_profile.output) == (0, True), with_profile.output
    assert "    I am sick\n✗ sick does not become healthy. Its last log lines are above.\n" in sick.output
    assert (down.code, stack.everything()) == (0, [])


def test_staging_reads_no_override(host: Stack) -> None:
    """It lies in the checkout of the host too, where a developer has committed it."""
    (host.folder / "docker-compose.override.yml").write_text(OVERRIDE)

    services = host.compose("--profile", "*", "config", "--services").output.split()

    assert set(services) == {"app", "db", "release", "scratch", "tools"}
