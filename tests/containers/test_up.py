"""`make up`, `make down` and what they leave."""

import os
import signal
import subprocess
import time

import pytest

from tests.containers.stack import POSTGRES_IMAGE, Result, Stack, docker, inherited

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

    down = dev.make("down")
    nothing = dev.everything()
    up = dev.make("up")

    assert (down.code, nothing, up.code) == (0, [], 0), down.output + up.output
    assert "4711" in dev.sql("SELECT * FROM kept")
    dev.sql("DROP TABLE kept")


def test_down_also_stops_scratch_and_twice_is_no_fault(fresh: Stack) -> None:
    fresh.compose("up", "--detach", "scratch")

    results = [fresh.make("down"), fresh.make("down")]

    assert [result.code for result in results] == [0, 0]
    assert fresh.everything() == []


def test_up_without_git_works(fresh: Stack) -> None:
    docker("run", "--rm", "--volume", f"{fresh.folder}:/srv", POSTGRES_IMAGE, "rm", "-r", "/srv/.git")

    result = fresh.make("up")

    assert result.code == 0, result.output


@pytest.mark.parametrize("seconds", [2, 4])
def test_up_that_was_interrupted_can_be_run_again(fresh: Stack, seconds: int) -> None:
    running = subprocess.Popen(["make", "up"], cwd=fresh.folder, env=inherited(), start_new_session=True)
    time.sleep(seconds)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()

    result = fresh.make("up")

    assert result.code == 0, result.output


def test_broken_application_stops_no_migration(fresh: Stack) -> None:
    (fresh.folder / "app/__main__.py").write_text("raise SystemExit('broken')\n")

    up = fresh.make("up")
    rollback = fresh.make("rollback")
    migrate = fresh.make("migrate")

    assert up.code != 0
    assert "broken" in up.output
    assert "✗ app" in up.output
    assert (rollback.code, migrate.code) == (0, 0), rollback.output + migrate.output
    assert "applied" in migrate.output


def test_database_starts_on_demand(fresh: Stack) -> None:
    result = fresh.make("migrate")

    assert result.code == 0, result.output
    assert "applied" in result.output
