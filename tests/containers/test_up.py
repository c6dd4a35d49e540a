"""`make up`, `make down` and what they leave."""

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.containers.stack import POSTGRES_IMAGE, ROOT, Result, Stack, docker, inherited

pytestmark = pytest.mark.timeout(600)


def test_up_brings_an_empty_machine_to_head_and_says_where_things_are(first_up: tuple[Stack, Result]) -> None:
    stack, result = first_up

    assert "applied" in result.output
    assert f"127.0.0.1:{stack.setting('DB_PORT')}" in result.output
    assert "Pending      nothing" in result.output
    assert "Migrates as  app_owner: may create databases, no superuser\n" in result.output
    assert "Application  app: reads and writes rows\n" in result.output
    assert "could drop tables" not in result.output
    assert result.output.count("\n  make ") == 3


def test_env_file_is_for_its_owner_only(dev: Stack) -> None:
    assert dev.env_file.stat().st_mode & 0o777 == 0o600


def test_second_up_changes_nothing(dev: Stack) -> None:
    assert dev.make("up").code == 0  # an earlier test may have changed the scratch server's settings
    before = [(dev.inspect(name)["Id"], dev.inspect(name)["State"]["StartedAt"]) for name in ("db", "app")]

    result = dev.make("up")

    assert "Starting" not in result.output
    assert before == [(dev.inspect(name)["Id"], dev.inspect(name)["State"]["StartedAt"]) for name in ("db", "app")]


def test_up_applies_a_changed_setting(dev: Stack) -> None:
    dev.set(PUBLISH_INTERVAL="7")

    result = dev.make("up")

    assert "Starting app" in result.output
    assert "PUBLISH_INTERVAL=7" in dev.inspect("app")["Config"]["Env"]
    dev.set(PUBLISH_INTERVAL="")


def test_up_rebuilds_a_changed_image_and_uses_it(dev: Stack) -> None:
    dockerfile = dev.folder / "Dockerfile"
    old = dockerfile.read_text()
    dockerfile.write_text(old.replace("ENV MYPY_CACHE_DIR", "ENV REBUILT=yes MYPY_CACHE_DIR"))

    result = dev.make("up")

    seen = dev.execute("app", "printenv", "REBUILT")
    dockerfile.write_text(old)
    assert dev.make("up").code == 0
    assert result.code == 0, result.output
    assert seen.output == "yes\n"


def test_data_survives_down_and_the_second_start_of_the_hardened_database(dev: Stack) -> None:
    dev.sql("CREATE TABLE kept (id int); INSERT INTO kept VALUES (4711)")
    assert dev.compose("up", "--detach", "scratch").code == 0

    down = [dev.make("down"), dev.make("down")]
    nothing = dev.everything()
    up = dev.make("up")

    assert ([result.code for result in down], nothing, up.code) == ([0, 0], [], 0), down[0].output + up.output
    assert dev.sql("SELECT * FROM kept") == "4711\n"
    dev.sql("DROP TABLE kept")


@pytest.fixture(scope="module")
def another(new_stack: Callable[[], Stack]) -> Stack:
    """A stack of which nothing runs yet, for the tests that follow one another."""
    return new_stack()


def test_up_that_was_interrupted_can_be_run_again(another: Stack) -> None:
    for seconds in (2, 4):
        running = subprocess.Popen(["make", "up"], cwd=another.folder, env=inherited(), start_new_session=True)
        time.sleep(seconds)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()

    result = another.make("up")

    assert result.code == 0, result.output


def test_broken_application_stops_no_migration(another: Stack) -> None:
    main = another.folder / "app/__main__.py"
    text = main.read_text()
    main.write_text("raise SystemExit('broken')\n")
    docker("rm", "--force", *another.container("app").split())

    up = another.make("up")
    rollback = another.make("rollback", "CONFIRM=app")
    migrate = another.make("migrate")

    main.write_text(text)
    assert up.code != 0
    assert "broken" in up.output
    assert "✗ app" in up.output
    assert (rollback.code, migrate.code) == (0, 0), rollback.output + migrate.output
    assert "applied" in migrate.output


def test_up_without_git_works(another: Stack) -> None:
    assert another.make("down").code == 0
    docker("run", "--rm", "--volume", f"{another.folder}:/srv", POSTGRES_IMAGE, "rm", "-r", "/srv/.git")

    result = another.make("up")

    assert result.code == 0, result.output


def test_database_starts_on_demand(another: Stack) -> None:
    assert another.make("down").code == 0

    result = another.make("migrate", POSTGRES_DB="later")

    assert result.code == 0, result.output
    assert "applied" in result.output


def test_page_about_staging_says_what_to_type_where_compose_refuses_a_paused_database(another: Stack) -> None:
    page = " ".join((ROOT / "docs" / "staging.md").read_text().split())
    assert another.make("up").code == 0
    docker("pause", another.container("db"))

    refused, woken = (another.compose(*words.split()) for words in ("up -d --wait app", "unpause db"))
    while another.inspect("db")["State"]["Health"]["Status"] == "unhealthy":  # Docker says so of a paused container.
        time.sleep(0.1)
    again = another.compose("up", "-d", "--wait", "app")

    assert (refused.code, woken.code, again.code) == (1, 0, 0), refused.output + woken.output + again.output
    reason = refused.output.strip().rpartition("Error response from daemon: ")[2]
    assert f'"{reason}". Type `docker compose unpause db`' in page


@pytest.fixture
def quick(another: Stack) -> Stack:
    """The same stack, whose application is called unhealthy after two failed checks."""
    (another.folder / "quick.yml").write_text(
        "services: {app: {healthcheck: {interval: 500ms, retries: 2, start_period: 0s}}}\n"
    )
    another.set(COMPOSE_FILE="docker-compose.yml:quick.yml")
    result = another.make("up")
    assert result.code == 0, result.output
    return another


def test_up_migrates_and_waits_for_an_application_that_was_behind_for_long(quick: Stack) -> None:
    assert quick.make("rollback", "CONFIRM=app").code == 0
    docker("pause", quick.container("db"))  # as a laptop that slept
    while not quick.ps("health=unhealthy"):
        time.sleep(0.1)

    result = quick.make("up")

    assert result.code == 0, result.output
    assert "applied" in result.output


def test_up_names_make_roles_where_the_application_gets_permission_denied(quick: Stack) -> None:
    quick.sql("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM app")
    docker("rm", "--force", quick.container("app"))

    up, status, roles, again = (quick.make(verb) for verb in ("up", "status", "roles", "up"))

    assert up.code != 0
    assert "✗ app does not become healthy." in up.output
    assert "permission denied for table alembic_version" in up.output
    for result in (up, status):
        assert "app: may not " in result.output
        assert "SELECT on alembic_version" in result.output
        assert "To grant its usual rights: make roles" in result.output
    assert roles.code == 0, roles.output
    assert again.code == 0, again.output
    assert "app: reads and writes rows" in again.output


def test_two_at_once_in_a_fresh_checkout_both_succeed(fresh: Stack) -> None:
    """Both make the same network and containers, and Docker gives each name once."""
    both = [
        subprocess.Popen(
            ["make", "up"],
            cwd=fresh.folder,
            env=inherited(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]

    said = [one.communicate()[0] for one in both]

    assert [one.returncode for one in both] == [0, 0], "".join(said)
    assert all("Pending      nothing" in one for one in said)
