"""scripts/place.sh and `.postgres/place`, with the embedded runtime: data stay where they are."""

import hashlib
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import copy_project, needs_embedded
from tests.core import forking_python
from tests.test_makefile import MENU, env_of, path_with, run

pytestmark = needs_embedded
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as another account")
Result = subprocess.CompletedProcess[str]


def make(checkout: Path, *words: str, **environment: str) -> Result:
    return run(checkout, "make", "--no-print-directory", *words, **environment)


def done(result: Result) -> str:
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def refused(result: Result) -> str:
    assert result.returncode != 0, result.stdout
    assert "✗" in result.stderr
    return result.stderr


def rows(checkout: Path) -> str:
    """What the server has. Ada, which only the original's has, is a database: to make that takes no migration."""
    return done(make(checkout, "psql", "c=SELECT datname FROM pg_database"))


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A folder which every account may enter; what runs in it is stopped in the end."""
    with tempfile.TemporaryDirectory(prefix="places-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for checkout in folder.glob("*/*/.postgres"):
            stop(checkout.parent)


def stop(checkout: Path) -> None:
    subprocess.run(["sh", "-c", ". scripts/place.sh; stop_servers"], cwd=checkout, check=True)


@pytest.fixture(scope="session", autouse=True)
def python(home: Path) -> Iterator[Path]:
    """A python for .venv/bin. One test uses the real one."""
    with forking_python.served() as text:
        program = home / "python"
        program.write_text(text)
        program.chmod(0o755)
        yield program


@pytest.fixture(scope="session")
def made(home: Path, python: Path) -> Path:
    """A checkout below a folder that is closed to others, with data; nothing runs."""
    (home / "closed").mkdir(mode=0o700)
    checkout = copy_project(home / "closed")
    shutil.copy(python, checkout / ".venv" / "bin")
    done(run(checkout, "sh", "scripts/setup.sh", RUNTIME="embedded"))
    change(checkout / ".env", POSTGRES_DB="postgres")
    done(make(checkout, "psql", "c=CREATE DATABASE ada"))
    done(make(checkout, "down"))
    return checkout


def change(file: Path, **values: object) -> None:
    text = file.read_text()
    for name, value in values.items():
        text = re.sub(f"^{name}=.*\n", "", text, flags=re.M) + f"{name}={value}\n"
    file.write_text(text)


@pytest.fixture
def checkout(made: Path, home: Path) -> Iterator[Path]:
    """A checkout of its own with the same row: everything that tells two apart is another one."""
    with tempfile.TemporaryDirectory(dir=home) as name:
        folder = Path(name)
        folder.chmod(0o755)
        subprocess.run(["cp", "-a", made, folder / "z"], check=True)
        change(folder / "z/.postgres/place", id=folder.name, checkout=folder / "z")
        change(folder / "z/.env", DB_PORT=free_port(), COMPOSE_PROJECT_NAME=folder.name.replace("_", "-"))
        yield folder / "z"
        for each in folder.glob("*/.postgres"):
            stop(each.parent)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def copied(checkout: Path, *options: str) -> Path:
    copy = checkout.with_name("copy")
    subprocess.run(["cp", "-a", *options, checkout, copy], check=True)
    return copy


@pytest.fixture
def clone(python: Path) -> Callable[[Path], None]:
    """Puts a new clone into a folder."""

    def put(checkout: Path) -> None:
        checkout.with_name("clone").mkdir()
        copy_project(checkout.with_name("clone")).rename(checkout)
        shutil.copy(python, checkout / ".venv" / "bin")

    return put


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    found = [path for path in folder.rglob("*") if not {"global", "base", "pg_wal"} & set(path.parts)]
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in found if path.is_file()}


# Modes


@needs_root
@pytest.mark.parametrize("modes", [(0o755, 0o700), (0o700, 0o755)])
def test_a_folder_above_that_is_opened_or_closed_changes_nothing(checkout: Path, modes: tuple[int, int]) -> None:
    for mode in modes:
        checkout.parent.chmod(mode)
        assert "ada" in rows(checkout)
        done(make(checkout, "down"))

    assert (checkout / ".postgres" / "target" / "PG_VERSION").exists()


@needs_root
def test_a_server_that_runs_is_found_after_a_folder_above_was_closed(checkout: Path) -> None:
    assert "ada" in rows(checkout)
    before = (checkout / ".postgres/target/postmaster.pid").read_text()
    checkout.parent.chmod(0o700)

    assert "ada" in rows(checkout)
    assert (checkout / ".postgres/target/postmaster.pid").read_text() == before
    assert "Stopped the target server" in done(make(checkout, "down"))


# Moved


def start_application(checkout: Path) -> "subprocess.Popen[bytes]":
    """What app.pid takes for one."""
    words = [sys.executable, "-c", "import time; time.sleep(100)"]
    process = subprocess.Popen(words, cwd=checkout)
    start = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()[19]
    (checkout / ".postgres/app.pid").write_text(f"{process.pid}\n{start}\n")
    return process


def test_only_the_process_that_was_started_is_the_application(checkout: Path) -> None:
    """After a restart of the machine, another process of this folder may have its number."""
    without = make(checkout, "ps")
    application = start_application(checkout)
    with_it = make(checkout, "ps")
    (checkout / ".postgres/app.pid").write_text(f"{application.pid}\n1\n")
    other = [make(checkout, "ps"), make(checkout, "down")]

    assert [line for line in done(without).splitlines() if "app" in line] == ["app      not running"]
    assert f"app      running, pid {application.pid}" in done(with_it)
    assert "app      not running" in done(other[0])
    assert "Stopped the application" not in done(other[1])
    assert application.poll() is None
    application.kill()


def server_of(checkout: Path) -> Path:
    pid = (checkout / ".postgres/target/postmaster.pid").read_text().split()[0]
    return Path("/proc", pid, "cwd")


def test_a_checkout_that_was_moved_goes_on_with_its_rows_and_says_so_once(checkout: Path) -> None:
    assert "ada" in rows(checkout)
    application, server = start_application(checkout), server_of(checkout)
    moved = checkout.rename(checkout.with_name("moved, Größe"))

    by_hand = run(moved, sys.executable, "-m", "scripts.status")
    first, second = make(moved, "ps"), make(moved, "ps")

    assert "This checkout was copied or moved from" in refused(by_hand)
    assert f"This checkout was moved here from {checkout}. It still uses the same database." in done(first)
    assert "moved here" not in done(second)
    # What was started under the old name has its programs there.
    assert not server.exists()
    assert application.wait(10) != 0
    assert "ada" in rows(moved)
    assert not checkout.exists()


def test_the_old_path_may_be_another_checkout_by_now(checkout: Path, clone: Callable[[Path], None]) -> None:
    moved = checkout.rename(checkout.with_name("moved"))
    clone(checkout)
    done(make(checkout, "ps", RUNTIME="embedded"))

    assert "moved here from" in done(make(moved, "ps"))
    assert "ada" in rows(moved)
    assert "ada" in rows(moved)


# Deleted and cloned again


def start(checkout: Path, **environment: str) -> Result:
    return run(
        checkout, *["sh", "scripts/runtime.sh", "run", "python", "-m", "scripts.servers", "start"], **environment
    )


def test_a_new_clone_in_the_same_folder_starts_empty(checkout: Path, clone: Callable[[Path], None]) -> None:
    server = server_of(checkout) if rows(checkout) else None
    shutil.rmtree(checkout)
    clone(checkout)

    said = done(start(checkout, RUNTIME="embedded"))

    assert f"Created a new, empty PostgreSQL in {checkout}/.postgres/target." in said
    change(checkout / ".env", POSTGRES_DB="postgres")
    assert "ada" not in rows(checkout)
    assert server != server_of(checkout)


@needs_root
def test_what_an_older_checkout_left_elsewhere_is_named_and_not_used(
    checkout: Path, clone: Callable[[Path], None]
) -> None:
    clone(checkout.with_name("again"))
    with elsewhere(checkout.with_name("again")) as left:
        said = done(make(checkout.with_name("again"), "ps", RUNTIME="embedded"))

    assert f"An earlier checkout in this folder left its database in {left}. To remove it: rm -r {left}" in said


@needs_root
def test_data_that_an_older_version_put_elsewhere_stay_there(checkout: Path) -> None:
    (checkout / ".postgres/place").unlink()
    with elsewhere(checkout) as old:
        shutil.rmtree(old)
        (checkout / ".postgres").rename(old)
        assert "ada" in rows(checkout)
        moved = checkout.rename(checkout.with_name("moved"))
        assert "ada" in rows(moved)
        assert not (moved / ".postgres" / "target").exists()
        stop(moved)


@contextmanager
def elsewhere(checkout: Path) -> Iterator[Path]:
    """Where data below a closed folder went before there was a record: a hash of the checkout's path."""
    name = hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
    folder = Path("/var/lib/postgresql-embedded", name)
    (folder / "target").mkdir(parents=True)
    (folder / "target" / "PG_VERSION").touch()
    yield folder
    shutil.rmtree(folder)


# Copied

# make doctor says it on standard output, among its other lines.
WITHOUT_AN_ARGUMENT = sorted(target for target, _, _ in MENU if target not in ("doctor", "help", "logs", "shell"))


def as_it_was(checkout: Path) -> tuple[str, ...]:
    """What a command in a copy might change of the original."""
    files = [".env", ".postgres/place", ".postgres/target/postmaster.pid", ".postgres/app.pid"]
    return (*((checkout / file).read_text() for file in files), rows(checkout))


@pytest.mark.parametrize("options", [(), ("--link",)], ids=["cp -a", "cp -al"])
def test_a_copy_refuses_every_target_and_leaves_the_original_alone(checkout: Path, options: tuple[str, ...]) -> None:
    assert "ada" in rows(checkout)
    application = start_application(checkout)
    before = as_it_was(checkout)
    copy = copied(checkout, *options)
    path = path_with(copy.parent / "bin", docker="touch called", python="touch called")

    for target in WITHOUT_AN_ARGUMENT:
        said = refused(make(copy, target, CONFIRM="postgres", m="x", c="x", PATH=path))
        assert f"This checkout is a copy of {checkout}, and has the same database." in said, target
        assert "make up ACCEPT=new" in said

    for runtime in ("embedded", "docker"):
        by_hand = run(copy, ".venv/bin/python", "-m", "scripts.status", RUNTIME=runtime)
        assert "This checkout was copied or moved" in refused(by_hand)
    assert not (copy / "called").exists()
    assert application.poll() is None
    assert as_it_was(checkout) == before
    application.kill()


@pytest.mark.parametrize("options", [(), ("--link",)], ids=["cp -a", "cp -al"])
def test_a_copy_gets_a_database_of_its_own_by_one_command(checkout: Path, options: tuple[str, ...]) -> None:
    assert "ada" in rows(checkout)
    application = start_application(checkout)
    before = as_it_was(checkout)
    copy = copied(checkout, *options)

    said = done(start(copy, ACCEPT="new"))

    assert "The earlier data is kept in .postgres/kept-" in said
    assert "Changed COMPOSE_PROJECT_NAME and DB_PORT in .env" in said
    assert "ada" not in rows(copy)
    done(make(copy, "down"))
    assert application.poll() is None
    assert as_it_was(checkout) == before
    application.kill()
    ours, theirs = env_of(copy), env_of(checkout)
    assert {name for name in ours if ours[name] != theirs[name]} == {"COMPOSE_PROJECT_NAME", "DB_PORT"}
    assert stat.S_IMODE((copy / ".env").stat().st_mode) == 0o600


def test_a_copy_whose_data_folder_leads_to_the_originals_leaves_that_alone(checkout: Path) -> None:
    data = (checkout / ".postgres").rename(checkout.with_name("data"))
    (checkout / ".postgres").symlink_to(data)
    assert "ada" in rows(checkout)
    server = server_of(checkout)
    copy = copied(checkout)

    assert "is a copy of" in refused(make(copy, "status"))
    done(start(copy, ACCEPT="new"))

    assert server.exists()
    assert "ada" in rows(checkout)
    assert "ada" not in rows(copy)
    assert not (copy / ".postgres").is_symlink()


def test_a_copy_that_was_interrupted_while_it_got_names_of_its_own_is_still_one(checkout: Path) -> None:
    copy = copied(checkout)
    mv = 'case "$*" in *target*) kill -KILL $PPID; exit 1 ;; esac; exec /bin/mv "$@"'

    start(copy, ACCEPT="new", PATH=path_with(copy.parent / "bin", mv=mv))

    assert "is a copy of" in refused(make(copy, "status"))
    done(start(copy, ACCEPT="new"))
    assert "ada" not in rows(copy)


def test_a_pidfile_that_was_copied_without_the_record_is_not_trusted(checkout: Path) -> None:
    """Of a checkout that is older than the record."""
    assert "ada" in rows(checkout)
    server, application = server_of(checkout), start_application(checkout)
    copy = copied(checkout)
    (copy / ".postgres/place").unlink()

    said = done(make(copy, "down"))

    assert "Stopped" not in said
    assert server.exists()
    assert application.poll() is None
    application.kill()


def test_one_checkout_under_two_names_is_no_copy(checkout: Path) -> None:
    other = checkout.with_name("other")
    other.symlink_to(checkout)
    assert "ada" in rows(checkout)
    place = (checkout / ".postgres/place").read_text()

    assert "ada" in rows(other)
    assert (checkout / ".postgres/place").read_text() == place


def test_a_worktree_has_a_database_of_its_own(checkout: Path) -> None:
    ours = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q"], ["add", "."], [*ours, "commit", "-qm", "x"], ["worktree", "add", "-q", "../tree"]):
        done(run(checkout, "git", *words))
    tree = checkout.with_name("tree")
    shutil.copytree(checkout / ".venv", tree / ".venv", symlinks=True)

    done(start(tree, RUNTIME="embedded"))
    change(tree / ".env", POSTGRES_DB="postgres")

    assert "ada" not in rows(tree)
    assert "ada" in rows(checkout)


@needs_root
def test_what_an_account_may_not_look_at_is_not_taken_for_gone(checkout: Path) -> None:
    copy = copied(checkout)
    subprocess.run(["chown", "-R", "daemon", copy], check=True)
    (checkout.parent / "closed").mkdir(mode=0o700)
    checkout.rename(checkout.parent / "closed" / "z")
    change(copy / ".postgres/place", checkout=checkout.parent / "closed" / "z")

    said = run_as("daemon", copy, "make", "ps").stderr

    assert "This checkout was copied or moved from" in said
    assert "which daemon cannot read" in said


# Root and an ordinary user


@needs_root
def test_root_uses_a_users_database_as_that_user(checkout: Path) -> None:
    assert "daemon cannot read .env." in run_as("daemon", checkout, "make", "ps").stderr
    subprocess.run(["chown", "-R", "daemon", checkout], check=True)

    assert "ada" in rows(checkout)

    assert server_of(checkout).parent.stat().st_uid == pwd.getpwnam("daemon").pw_uid
    assert (checkout / ".postgres").owner() == "daemon"


def run_as(name: str, folder: Path, *words: str) -> Result:
    account = pwd.getpwnam(name)
    return subprocess.run(
        words,
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
    )


# Without .env


def test_without_env_the_recorded_database_is_named_and_not_replaced(checkout: Path) -> None:
    change(checkout / ".env", APP_DB_USER="'reader'")
    assert "ada" in rows(checkout)
    before = env_of(checkout)
    (checkout / ".env").unlink()

    for environment in ({}, {"RUNTIME": "embedded"}, {"RUNTIME": "docker"}):
        said = refused(make(checkout, "status", **environment))
        assert "There is no .env, but this checkout has a database: .postgres/target." in said
    said = done(make(checkout, "roles", "ACCEPT=recorded"))

    after = env_of(checkout)
    assert "Made .env (mode 0600, generated passwords): RUNTIME=embedded, because its database uses that." in said
    assert {name for name in before if before[name] != after[name]} == {"POSTGRES_PASSWORD", "APP_DB_PASSWORD"}
    assert "ada" in rows(checkout)


def test_without_env_one_may_start_empty_and_the_data_are_kept(checkout: Path) -> None:
    assert "ada" in rows(checkout)
    server = server_of(checkout)
    (checkout / ".env").unlink()

    said = done(start(checkout, RUNTIME="embedded", ACCEPT="new"))

    assert "The earlier data is kept in .postgres/kept-" in said
    assert not server.exists()
    change(checkout / ".env", POSTGRES_DB="postgres")
    assert "ada" not in rows(checkout)
    assert len(list(checkout.glob(".postgres/kept-*/target/PG_VERSION"))) == 1


# Another runtime, lost data, another port


def test_another_runtime_makes_no_second_database_unless_that_is_accepted(checkout: Path) -> None:
    shutil.rmtree(checkout / ".postgres/target")
    place = checkout / ".postgres/place"
    place.write_text(re.sub("^embedded=.*", "docker=z-1a2b3c z-1a2b3c_db", place.read_text(), flags=re.M))

    said = refused(start(checkout))

    assert "This checkout's database is in Docker: volume z-1a2b3c_db, of Compose project z-1a2b3c." in said
    assert not (checkout / ".postgres/target").exists()
    assert "Created a new" in done(start(checkout, ACCEPT="new"))
    assert "ada" not in rows(checkout)


def test_data_that_are_gone_are_not_replaced_by_an_empty_database(checkout: Path) -> None:
    shutil.rmtree(checkout / ".postgres/target")

    said = refused(start(checkout))

    assert f"The data of this checkout's database are gone: {checkout}/.postgres/target does not exist." in said
    assert "Created a new" in done(start(checkout, ACCEPT="new"))


def test_a_server_goes_to_the_port_that_env_names_by_now(checkout: Path) -> None:
    assert "ada" in rows(checkout)
    change(checkout / ".env", DB_PORT=free_port())

    assert "ada" in rows(checkout)
