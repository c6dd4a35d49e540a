"""scripts/runtimes/embedded.sh: what `make up` starts again, and the application that restarts by itself."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import copy_project, needs_embedded
from tests.core.running import wait_until
from tests.scripts.test_place import change, free_port
from tests.test_makefile import run

pytestmark = [needs_embedded, pytest.mark.faults]


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    checkout = copy_project(tmp_path_factory.mktemp("embedded"))
    assert run(checkout, "sh", "scripts/setup.sh", RUNTIME="embedded").returncode == 0
    yield checkout
    subprocess.run(["make", "down"], cwd=checkout, check=True)


def up(checkout: Path) -> str:
    result = run(checkout, "make", "up")
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def edit(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_up_starts_again_what_changed_and_says_so(checkout: Path) -> None:
    log, pid = checkout / ".postgres/app.log", checkout / ".postgres/app.pid"
    up(checkout)
    first = pid.read_text()

    nothing = up(checkout)
    unchanged = pid.read_text()
    change(checkout / ".env", PUBLISH_INTERVAL=7)
    changed = up(checkout)
    command = """command = "sh -c 'echo declared; exec python -m app'" """
    edit(checkout / "pyproject.toml", 'command = "python -m app"', command)
    declared = up(checkout)
    change(checkout / ".env", DB_PORT=free_port())
    (checkout / "docker-compose.override.yml").write_text("services: {}\n")
    moved = up(checkout)

    restarted = "Its settings or packages have changed. Starting it again."
    assert (unchanged, restarted in nothing) == (first, False)
    assert restarted in changed
    assert restarted in declared
    assert restarted in moved
    assert "! docker-compose.override.yml is not used: RUNTIME=embedded has no containers." in moved
    said = log.read_text()
    assert "publishing due posts every 7 s" in said
    assert "declared\n" in said
    assert "Connection refused" not in said.rpartition("declared\n")[2]


def test_broken_code_fails_make_up_and_comes_back_by_itself(checkout: Path) -> None:
    main, failed = checkout / "app/__main__.py", checkout / ".postgres/app.failed"
    up(checkout)
    edit(main, "log.info(", "log.info((")
    wait_until(failed.exists)

    shown, broken = run(checkout, "make", "ps"), run(checkout, "make", "up")
    edit(main, "log.info((", "log.info(")
    wait_until(lambda: not failed.exists())
    again = run(checkout, "make", "ps")

    assert "app      The application ended with exit code 1. It starts again when its code changes." in shown.stdout
    assert broken.returncode == 2
    assert "unhealthy: The application ended with exit code 1." in broken.stderr
    assert "app      running, pid " in again.stdout
    assert "pending" not in up(checkout)
