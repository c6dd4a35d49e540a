"""What goes wrong on other people's machines: a clear error, the next command, nothing lost."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.stack import POSTGRES_IMAGE, SOMEBODY, Stack, docker, inherited, run

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("verb", ["up", "migrate", "down", "ps"])
def test_engine_that_is_down_is_an_error_and_not_another_database(dev: Stack, verb: str) -> None:
    result = dev.make(verb, DOCKER_HOST="tcp://127.0.0.1:1")

    assert result.code != 0
    assert "✗ RUNTIME is docker, but the Docker engine does not answer." in result.output
    assert "RUNTIME=embedded in .env" in result.output


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        (
            "[ $1 != ps ] || { echo permission denied while trying to connect >&2; exit 1; }",
            "may not use the Docker engine",
        ),
        ("[ $1 != compose ] || { echo docker: compose is not a docker command >&2; exit 1; }", "has no Compose"),
    ],
)
def test_what_is_missing_is_named(dev: Stack, tmp_path: Path, fake: str, words: str) -> None:
    script = tmp_path / "docker"
    script.write_text(f'#!/bin/sh\n{fake}\nPATH=${{PATH#*:}} exec docker "$@"\n')
    script.chmod(0o755)

    result = dev.make("status", PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert result.code != 0
    assert words in result.output


def test_what_an_interrupted_exec_left_running_is_waited_for_and_named(dev: Stack) -> None:
    """Without a terminal, TERM ends the client only: the migration goes on in the container."""
    path = dev.folder / "alembic/versions/abcd01.py"
    head = dev.sql("SELECT version_num FROM alembic_version").strip()
    path.write_text(
        f"from alembic import op\n\nrevision = 'abcd01'\ndown_revision = {head!r}\n\n\n"
        "def upgrade():\n    op.execute('SELECT pg_sleep(8)')\n\n\ndef downgrade():\n    op.execute('SELECT 1')\n"
    )
    # By hand, which plans nothing before: what sleeps is the target's session.
    words = ["docker", "compose", "exec", "-T", "app", "alembic", "upgrade", "head"]
    interrupted = subprocess.Popen(words, cwd=dev.folder, env=inherited(), stdin=subprocess.DEVNULL)
    while not dev.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
        time.sleep(0.1)
    interrupted.send_signal(signal.SIGTERM)
    interrupted.wait()

    result = dev.execute("app", "alembic", "upgrade", "head")

    assert result.code == 0, result.output
    assert "Waiting, because another migration or backup runs: pid " in result.output
    assert "Nothing to do: another migration has done this meanwhile." in result.output
    assert dev.make("rollback", "CONFIRM=app").code == 0
    path.unlink()


def test_taken_port_is_named(fresh: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        fresh.set(DB_PORT=port)

        result = fresh.make("migrate")

    assert result.code != 0
    assert f"✗ Port {port} of this machine is taken." in result.output
    assert "DB_PORT in .env" in result.output


def test_every_fault_of_env_file_is_in_one_list(fresh: Stack) -> None:
    fresh.set(POSTGRES_USER="")
    text = fresh.env_file.read_text().replace("POSTGRES_DB=app", "POSTGRES_DB=")
    fresh.env_file.write_text(text + "secret words\nOPEN='never closed\n")

    result = fresh.make("up")

    assert result.code != 0
    assert f"line {lines(text, 'POSTGRES_DB=')}: POSTGRES_DB is empty" in result.output
    assert "POSTGRES_USER is missing" in result.output
    assert f"line {text.count(chr(10)) + 1}: is not NAME=value" in result.output
    assert "opens a quote that is never closed" in result.output
    assert "secret words" not in result.output
    assert fresh.everything() == []


def lines(text: str, start: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def test_variables_of_the_environment_count_as_set(fresh: Stack) -> None:
    fresh.set(POSTGRES_DB="", POSTGRES_USER="", POSTGRES_PASSWORD="")

    result = fresh.make("migrate", POSTGRES_DB="app", POSTGRES_USER="owner", POSTGRES_PASSWORD="x")

    assert result.code == 0, result.output


def test_volume_of_another_major_is_named_and_kept(fresh: Stack) -> None:
    volume = f"{fresh.project}_db"
    fresh.compose("create", "db")
    plant = "cd /var/lib/postgresql/data && echo 16 >PG_VERSION && touch postgresql.conf && chmod 700 ."
    as_postgres = ["--volume", f"{volume}:/var/lib/postgresql/data", "--user", "postgres", "--entrypoint", "bash"]
    docker("run", "--rm", *as_postgres, POSTGRES_IMAGE, "-c", plant)

    result = fresh.make("migrate")

    assert result.code != 0
    assert "✗ PostgreSQL 16 made the volume, and this is PostgreSQL 17." in result.output
    assert "POSTGRES_IMAGE=postgres:16-trixie" in result.output
    assert volume in docker("volume", "ls", "--quiet")


def test_image_that_cannot_be_pulled_is_named(fresh: Stack) -> None:
    fresh.set(POSTGRES_IMAGE="registry.invalid/postgres:17")

    result = fresh.make("migrate")

    assert result.code != 0
    assert "✗ Docker could not pull an image." in result.output
    assert "registry.invalid" in result.output


def test_base_image_that_cannot_be_pulled_is_named(fresh: Stack) -> None:
    fresh.set(PYTHON_IMAGE="registry.invalid/python:3")

    result = fresh.make("up")

    assert result.code != 0
    assert "✗ Docker could not pull an image." in result.output


# A restore gives the application's database another name.
COPYING = "SELECT 1 FROM pg_stat_progress_copy"


def killed_in_the_middle(dev: Stack, *words: str) -> str:
    """What the command says whose server is killed while it copies rows."""
    for _ in range(5):
        running = subprocess.Popen(
            ["make", *words],
            cwd=dev.folder,
            env=inherited(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while running.poll() is None and not dev.sql(COPYING, "postgres", "postgres"):
            time.sleep(0.05)
        docker("kill", dev.container("db"))
        said, _ = running.communicate(timeout=120)
        assert dev.compose("up", "--detach", "--wait", "db").code == 0
        if running.returncode:
            return said
    raise AssertionError("it was always done before")


def test_a_server_that_is_killed_during_a_backup_and_a_restore_loses_nothing(dev: Stack) -> None:
    dev.sql("CREATE TABLE noise AS SELECT n, sha512(n::text::bytea) AS b FROM generate_series(1, 250000) n")
    assert dev.make("backup", "NAME=whole").code == 0

    backup = killed_in_the_middle(dev, "backup")
    restore = killed_in_the_middle(dev, "restore", "BACKUP=whole", "CONFIRM=app")

    for said in (backup, restore):
        assert "✗ " in said
        assert "State: " in said
        assert "bug in the scripts" not in said
    assert dev.sql("SELECT count(*) FROM noise") == "250000\n"
    assert dev.make("backup").code == 0
    assert dev.make("restore", "BACKUP=whole", "CONFIRM=app").code == 0
    listed = dev.make("backups").output
    assert "left by" not in listed
    for line in [line for line in listed.splitlines() if "Drop it:" in line]:
        assert run(["sh", "-c", line.split(":  ")[1].strip()], dev.folder).code == 0
    dev.sql("DROP TABLE noise")


@pytest.fixture
def small(dev: Stack) -> Iterator[Path]:
    """A folder for backups with little room."""
    folder = dev.folder / "small"
    folder.mkdir()
    options = f"size=40k,uid={SOMEBODY}"
    if os.getuid() or subprocess.call(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]):
        pytest.skip("only root can mount")
    dev.set(BACKUP_DIR=str(folder))
    yield folder
    dev.set(BACKUP_DIR="")
    # At once, although a container may still show the folder.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


def test_a_disk_that_becomes_full_leaves_no_backup(dev: Stack, small: Path) -> None:
    result = dev.make("backup", "ACCEPT=space")

    assert result.code != 0
    assert "No space left on device" in result.output
    assert "bug in the scripts" not in result.output
    assert list(small.glob("*/*")) == []


def test_a_scratch_server_that_is_full_says_so_and_runs_on(dev: Stack) -> None:
    """In one transaction a table, in the next one its rows: they are in the server's log too."""
    head = dev.sql("SELECT version_num FROM alembic_version").strip()
    paths = [dev.folder / f"alembic/versions/fa0{number}.py" for number in (1, 2)]
    for number, sql in enumerate(("CREATE TABLE noise (t text)", f"INSERT INTO noise {ROWS}"), 1):
        before = "fa01" if number == 2 else head
        paths[number - 1].write_text(
            f"from alembic import op\n\nrevision = 'fa0{number}'\ndown_revision = {before!r}\n\n\n"
            f'def upgrade():\n    op.execute("{sql}")\n\n\ndef downgrade():\n    op.execute("SELECT 1")\n'
        )
    dev.set(SCRATCH_SIZE="100m")

    said = [dev.make(verb) for verb in ("plan", "lint", "verify-staging")]
    started = dev.inspect("scratch")["State"]["StartedAt"]
    for path in paths:
        path.unlink()
    dev.sql(f"CREATE TABLE noise AS {ROWS}")
    backup = dev.make("backup", "NAME=large")
    said.append(dev.make("verify-backup", "BACKUP=large", "MODE=full"))

    dev.sql("DROP TABLE noise")
    listed = dev.make("backups").output
    runs_on = dev.inspect("scratch")["State"]["StartedAt"] == started
    dev.set(SCRATCH_SIZE="")
    assert backup.code == 0, backup.output
    for result in said:
        assert result.code != 0, result.output
        assert "No space left on device" in result.output
        assert "The scratch server, which holds the throwaway databases, is full." in result.output
        assert "set SCRATCH_SIZE above 4g and SCRATCH_MEMORY above 6g in .env, then run this again" in result.output
    assert runs_on
    assert "never restored in a test" in listed.partition("-large")[2], "the backup is not to blame"


ROWS = "SELECT repeat('x', 1000) AS t FROM generate_series(1, 100000)"
