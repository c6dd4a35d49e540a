"""A server of its own, which is killed in the middle of a backup or a restore: a clear error, and nothing is lost"""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scripts.core.backups import integrity, restore, restore_into, store
from scripts.core.errors import UserError
from scripts.core.postgres import connections, embedded, environments
from tests.conftest import Project, copy_project, needs_embedded
from tests.core.postgres.test_embedded import another_checkout, cluster, settings_for
from tests.core.running import Running, begin, call, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), needs_embedded]

KILLS = 6


@pytest.fixture
def own(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project with rows, on a server that nobody else uses."""
    with another_checkout(monkeypatch):
        url = settings_for(embedded.start(cluster())).database_url.set(database="app")
        project = Project(copy_project(tmp_path), url, {"BACKUP_DIR": str(folder), "CONFIRM": "app"})
        assert call(project).returncode == 0
        project.sql("INSERT INTO users (username, email) SELECT 'u' || n, 'u' || n FROM generate_series(1, 20000) n")
        project.sql("CREATE TABLE noise AS SELECT n, sha512(n::text::bytea) AS b FROM generate_series(1, 50000) n")
        yield project


def kill_server(project: Project) -> None:
    """As the kernel does when memory is out; then the server is started again, on the same port."""
    own = cluster(port=project.url.port or 0)
    os.kill(int((own.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    wait_until(lambda: not embedded.running(own))

    def starts() -> bool:
        with suppress(UserError):  # its sessions have not ended yet
            return embedded.start(own) > 0
        return False

    wait_until(starts)


def meanwhile(project: Project, running: Running, moments: random.Random, longest: float) -> None:
    """Kill the server at some moment of the command, which must end as ours do."""
    time.sleep(moments.uniform(0.2, longest))
    kill_server(project)
    result = running.end()
    assert result.returncode in (0, 1), result.stderr
    assert result.returncode == 0 or "State: " in result.stderr


def users(project: Project) -> object:
    return project.sql("SELECT count(*) FROM users")[0][0]


def test_a_server_that_is_killed_in_the_middle_of_a_backup_leaves_none(own: Project, folder: Path) -> None:
    moments = random.Random(1)
    for _ in range(KILLS):
        meanwhile(own, begin(own, "backup"), moments, 1.2)
        for backup in store.list_all(folder).backups:
            assert integrity.damage(backup) == ""

    result = call(own, "backup")

    assert result.returncode == 0, result.stderr
    assert store.list_all(folder).failed == []
    assert store.list_all(folder).backups[-1].manifest.tables["public.users"].rows == 20000


def test_a_restore_does_not_go_on_where_its_server_has_started_again(
    own: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a server may have forgotten a commit: this one does not wait for its disk, so the environment was gone."""
    assert call(own, "backup").returncode == 0
    target = settings_for(own.url.port or 0, database_url=own.url, runtime="none", connect_wait=60)
    fill = restore_into.fill

    def after_a_kill(*arguments: Any) -> None:
        kill_server(own)
        fill(*arguments)

    monkeypatch.setattr(restore_into, "fill", after_a_kill)
    with pytest.raises(UserError, match="The restore was interrupted"):
        restore.put_in_place(target, store.list_all(folder).backups[-1], "development")

    with connections.connect(target) as connection:
        assert environments.read(connection) == "development"
    assert users(own) == 20000


def test_a_server_that_is_killed_in_the_middle_of_a_restore_still_has_the_target(own: Project) -> None:
    moments = random.Random(2)
    assert call(own, "backup").returncode == 0
    own.sql("DELETE FROM users")
    for _ in range(KILLS):
        meanwhile(own, begin(own, "restore", "latest"), moments, 1.8)
        assert users(own) in (0, 20000)

    result = call(own, "restore", "latest")
    left = [str(row[0]) for row in own.sql("SELECT datname FROM pg_database WHERE datname LIKE 'app\\_%'")]

    assert result.returncode == 0, result.stderr
    assert users(own) == 20000
    assert all("__kept_" in name for name in left), left
    assert any(users(Project(own.path, own.url.set(database=name))) == 0 for name in left), "what was there is kept"
