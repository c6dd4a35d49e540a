"""What a verification says of a scratch server that dies under it, or whose disk becomes full"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.core import place
from scripts.core.postgres import embedded, scratch_room
from scripts.core.postgres.embedded import THROWAWAY, Cluster
from tests.conftest import Project, needs_embedded
from tests.core.running import begin, call, wait_until
from tests.core.verification.reports import document, gate, left_behind

pytestmark = [needs_embedded, pytest.mark.faults]


@pytest.fixture
def cluster(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A scratch server for one test, which the project uses; not started."""
    with tempfile.TemporaryDirectory(prefix="checkout-") as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(place, "ROOT", Path(name))
        made = Cluster("scratch", str(project.url.username), str(project.url.password), 0, THROWAWAY)
        yield made
        embedded.stop(made)


def start(project: Project, cluster: Cluster) -> Project:
    """Returns a project whose own database is the maintenance database of the scratch server, to look into it."""
    port = embedded.start(cluster)
    project.environment |= {"SCRATCH_PORT": str(port), "ACCEPT": "drift"}
    return Project(project.path, project.url.set(port=port, database="postgres"))


def kill(cluster: Cluster) -> None:
    number = int((cluster.data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(number, signal.SIGKILL)
    wait_until(lambda: not is_there(number))


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("where", ["upgrade", "smoke"])
def test_a_scratch_server_that_is_killed_fails_the_verification_and_the_next_finds_nothing_left(
    project: Project, cluster: Cluster, where: str
) -> None:
    scratch = start(project, cluster)
    if where == "upgrade":
        path = project.write_revision("abcd01", project.version[0], 'op.execute("SELECT pg_sleep(60)")')
    else:
        path = project.path / "tests" / "staging" / "slow.sql"
        path.write_text("SELECT pg_sleep(60)")
    running = begin(project, "verify_staging")
    wait_until(lambda: scratch.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))

    kill(cluster)
    result = running.end()

    assert result.returncode == 1, result.stderr
    assert document(project)["verdict"] == "failed"
    failed = gate(project, where)
    assert "server closed the connection unexpectedly" in "".join([failed["summary"], *failed["details"]])
    path.unlink()
    again = start(project, cluster)
    assert call(project, "verify_staging").returncode == 0
    assert left_behind(again) == []


@pytest.fixture
def small_disk(cluster: Cluster) -> Iterator[Path]:
    """The scratch server's databases are on a disk with room for some more."""
    embedded.start(cluster)
    embedded.stop(cluster)
    base, before = cluster.data / "base", cluster.data / "base.before"
    base.rename(before)
    base.mkdir()
    if os.getuid() or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(base)]):
        pytest.skip("only root can mount")
    subprocess.run(["cp", "-a", f"{before}/.", str(base)], check=True)
    yield base
    embedded.stop(cluster)
    subprocess.run(["umount", str(base)], check=True)


def test_a_scratch_server_whose_disk_is_full_fails_the_verification_and_gives_the_room_back(
    project: Project, cluster: Cluster, small_disk: Path
) -> None:
    scratch = start(project, cluster)
    used = shutil.disk_usage(small_disk).used
    fill = "CREATE TABLE noise AS SELECT repeat('x', 1000) FROM generate_series(1, 60000)"
    project.write_revision("abcd01", project.version[0], f'op.execute("{fill}")')

    result = call(project, "verify_staging")

    assert result.returncode == 1, result.stderr
    assert document(project)["verdict"] == "failed"
    assert "No space left on device" in gate(project, "upgrade")["summary"]
    assert f"Why: {scratch_room.FULL}" in gate(project, "upgrade")["details"][0]
    assert f"Do: {scratch_room.DO}" in gate(project, "upgrade")["details"]
    assert left_behind(scratch) == []
    assert shutil.disk_usage(small_disk).used < used + 1_000_000
