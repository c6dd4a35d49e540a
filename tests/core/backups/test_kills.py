"""Promise 9 for backups: whatever is killed can simply be run again, and nothing half-done passes as whole"""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from scripts.core.backups import integrity, store
from tests.conftest import Project
from tests.core.running import Running, begin, call, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

SEEDS = range(3)
KILLS = 5


@pytest.fixture
def loaded(project: Project, folder: Path) -> Iterator[Project]:
    """A project with rows enough that pg_dump and pg_restore take a moment."""
    project.environment = {"BACKUP_DIR": str(folder), "CONFIRM": str(project.url.database)}
    project.sql("INSERT INTO users (username, email) SELECT 'u' || n, 'u' || n FROM generate_series(1, 20000) n")
    project.sql("CREATE TABLE noise AS SELECT n, sha512(n::text::bytea) AS b FROM generate_series(1, 50000) n")
    yield project
    for name in databases(project):
        project.sql_on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


def databases(project: Project) -> list[str]:
    """What is there beside the project's database."""
    found = project.sql(f"SELECT datname FROM pg_database WHERE starts_with(datname, '{project.url.database}_')")
    return [str(row[0]) for row in found]


def sessions(project: Project) -> object:
    """Of ours, in the project's database and what is made beside it."""
    return project.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        f" AND (datname = '{project.url.database}' OR starts_with(datname, '{project.url.database}_'))"
    )[0][0]


def descendants(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


def kill_somebody(running: Running, moments: random.Random) -> None:
    """The script, or one of the processes that it has started."""
    started = descendants(running.pid)
    if started and moments.random() < 0.4:
        with suppress(ProcessLookupError):
            os.kill(moments.choice(started), signal.SIGKILL)
        running.end()
    else:
        running.kill()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_backup_is_never_listed_as_one_and_the_next_cleans_up(
    loaded: Project, folder: Path, seed: int
) -> None:
    moments = random.Random(seed)
    for _ in range(KILLS):
        running = begin(loaded, "backup")
        time.sleep(moments.uniform(0.1, 1.2))
        kill_somebody(running, moments)
        for backup in store.list_all(folder).backups:
            assert integrity.damage(backup) == ""
            assert integrity.undecodable(backup.dump, backup.manifest.client) == ""
        assert store.list_all(folder).others == {}

    result = call(loaded, "backup")

    assert result.returncode == 0, result.stderr
    assert store.list_all(folder).failed == []
    wait_until(lambda: sessions(loaded) == 0)
    assert store.list_all(folder).backups[-1].manifest.tables["public.users"].rows == 20000


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_restore_leaves_the_target_whole_and_the_next_cleans_up(loaded: Project, seed: int) -> None:
    moments = random.Random(seed)
    assert call(loaded, "backup").returncode == 0
    loaded.sql("DELETE FROM users")
    for _ in range(KILLS):
        running = begin(loaded, "restore", "latest")
        time.sleep(moments.uniform(0.1, 2.0))
        kill_somebody(running, moments)
        assert loaded.sql("SELECT count(*) FROM users")[0][0] in (0, 20000), "there is no moment without a database"

    result = call(loaded, "restore", "latest")
    left = databases(loaded)

    assert result.returncode == 0, result.stderr
    assert loaded.sql("SELECT count(*) FROM users") == [(20000,)]
    assert all("__kept_" in name for name in left), left
    wait_until(lambda: sessions(loaded) == 0)
    listed = call(loaded, "backups").stdout
    assert all(name in listed for name in left)
    assert any(
        Project(loaded.path, loaded.url.set(database=name)).sql("SELECT count(*) FROM users") == [(0,)] for name in left
    ), "what was there before the first restore is still there"


@pytest.mark.parametrize("seed", [0, 1])
def test_a_killed_verification_leaves_no_database_after_the_next(loaded: Project, folder: Path, seed: int) -> None:
    moments = random.Random(seed)
    assert call(loaded, "backup").returncode == 0
    for _ in range(KILLS):
        running = begin(loaded, "verify_backup")
        time.sleep(moments.uniform(0.1, 2.0))
        kill_somebody(running, moments)
        assert store.list_all(folder).others == {}

    result = call(loaded, "verify_backup")

    assert result.returncode == 0, result.stderr
    (backup,) = store.list_all(folder).backups
    assert integrity.damage(backup) == ""
    abandoned = (
        "SELECT datname FROM pg_database WHERE datname ~ '^scratch_[0-9]+_' AND NOT EXISTS"
        " (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = split_part(datname, '_', 2)::bigint)"
    )
    wait_until(lambda: loaded.sql(abandoned) == [])


@pytest.mark.parametrize("seed", SEEDS)
def test_of_a_swap_that_is_killed_both_databases_are_there(loaded: Project, seed: int) -> None:
    """Back and forth, killed around the moment of the renames."""
    moments = random.Random(seed)
    assert call(loaded, "backup").returncode == 0
    loaded.sql("DELETE FROM users")
    assert call(loaded, "restore", "latest").returncode == 0
    for _ in range(KILLS):
        (old_name,) = databases(loaded)
        running = begin(loaded, "restore", old_name)
        time.sleep(moments.uniform(0.1, 0.6))
        running.kill()

        (old_name,) = databases(loaded)
        other = Project(loaded.path, loaded.url.set(database=old_name))
        counts = {project.sql("SELECT count(*) FROM users")[0][0] for project in (loaded, other)}
        assert counts == {0, 20000}
