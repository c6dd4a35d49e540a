"""scripts/core/postgres/embedded.py"""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from scripts.core import place, settings
from scripts.core.errors import UserError
from scripts.core.postgres import connections, embedded, wheel
from scripts.core.postgres.embedded import THROWAWAY, Cluster
from scripts.core.settings import Settings
from tests.conftest import Project, copy_project, needs_embedded
from tests.core.running import begin, call, wait_until

pytestmark = needs_embedded


@contextmanager
def another_checkout(patch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of another checkout, which every account may enter; what runs in it is stopped in the end."""
    with tempfile.TemporaryDirectory(prefix="checkout-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        patch.setattr(place, "ROOT", folder)
        yield folder
        for pidfile in folder.glob(".postgres/*/postmaster.pid"):
            embedded.stop(cluster(pidfile.parent.name))


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with another_checkout(monkeypatch) as folder:
        yield folder


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """The data of a cluster that was made once, for tests that do not look at the making."""
    with pytest.MonkeyPatch.context() as patch, another_checkout(patch) as folder:
        embedded.start(cluster())
        embedded.stop(cluster())
        patch.undo()
        yield folder / ".postgres" / "target"


@pytest.fixture
def data(checkout: Path, made: Path) -> Path:
    """A stopped cluster in the checkout."""
    wheel.home()
    return copy(made, checkout / ".postgres" / "target")


def copy(source: Path, to: Path) -> Path:
    """A copy of everything that belongs to whom the original does."""
    subprocess.run(["cp", "-a", str(source), str(to)], check=True)
    return to


def pretend_data(checkout: Path, major: str = wheel.MAJOR, configuration: str = "") -> Path:
    """What looks like a cluster until a server starts on it."""
    data = wheel.home() / "target"
    data.mkdir(mode=0o700)
    for name, content in {"PG_VERSION": f"{major}\n", "postgresql.conf": configuration}.items():
        (data / name).write_text(content)
    for path in (data, *data.iterdir()):
        wheel.give(path)
    return data


def leave_pidfile(data: Path, port: int) -> None:
    """What a server that was cut off leaves behind: the pid of nobody, and a port that another may have by now."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    path = data / "postmaster.pid"
    path.write_text(f"{gone.pid}\n{data}\n1700000000\n{port}\n\n127.0.0.1\n  1234567    123456\nready   \n")
    wheel.give(path)


def cluster(name: str = "target", port: int = 0, password: str = "s3cret-pw", logins: tuple[URL, ...] = ()) -> Cluster:
    """With Ada as its superuser, as they were made before there were two roles; with `logins`, as now."""
    if logins:
        return Cluster(name, "postgres", "unkn0wn-pw", port, THROWAWAY, logins)
    return Cluster(name, "ada", password, port, THROWAWAY)


def login(name: str, password: str) -> URL:
    return URL.create("postgresql+psycopg2", name, password, "127.0.0.1")


LOGINS = (login('Ada\'s "own" %', 'o\'f \\ "100%"'), login("rows; 'x", "p@$$do$; e's"))


def settings_for(port: int, **changes: object) -> Settings:
    url = URL.create("postgresql+psycopg2", "ada", "s3cret-pw", "127.0.0.1", port, "postgres")
    ours = replace(settings.load(), runtime="embedded", external=False)
    changed = replace(ours, database_url=url, application_url=url)
    return replace(changed, **changes)  # type: ignore[arg-type]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, question: str) -> object:
    with connections.connect(settings_for(port, runtime="none", connect_wait=20)) as connection:
        return connection.scalar(text(question))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux shows the folder of a process")
def test_a_server_whose_folder_was_deleted_is_named(data: Path) -> None:
    port = embedded.start(cluster())
    pid = int((data / "postmaster.pid").read_text().split()[0])
    shutil.rmtree(data)

    with pytest.raises(UserError, match=re.escape(f"runs in the deleted folder {data}.")) as caught:
        embedded.start(cluster(port=port))

    assert ("Do", f"kill -INT {pid}, then run this again") in caught.value.facts
    os.kill(pid, signal.SIGINT)


def test_a_cluster_of_an_older_version_has_room_for_more_locks_after_its_next_start(data: Path) -> None:
    assert not re.search(r"^max_locks", (data / "postgresql.conf").read_text(), re.MULTILINE)

    target = settings_for(embedded.start(cluster()))

    with connections.connect(target) as connection:
        assert connection.scalar(text("SHOW max_locks_per_transaction")) == "1024"


def test_a_scratch_server_from_before_it_had_an_administrator_is_made_again_at_its_next_start(checkout: Path) -> None:
    """Its only login was the target's, and PostgreSQL has no way to take that login's rights away."""
    before = embedded.start(cluster("scratch"))
    assert ask(before, "SELECT 1") == 1

    url = embedded.start_scratch()

    assert roles(int(url.port or 0), url) == [("scratch_administrator", True, True, True)]
    assert embedded.start_scratch() == url
    assert embedded.running(cluster("scratch")) == url.port


@pytest.mark.parametrize("name", ["scratch", "target"])
def test_only_the_scratch_server_keeps_a_password_and_only_for_its_user(checkout: Path, name: str) -> None:
    made_cluster = replace(cluster(name), keeps_password=name == "scratch")
    embedded.start(made_cluster)

    file = checkout / ".postgres" / name / "superuser_password"

    assert file.exists() == made_cluster.keeps_password
    assert not file.exists() or (file.read_text(), file.stat().st_mode & 0o077) == (made_cluster.password, 0)


@pytest.mark.faults
def test_a_migration_whose_server_stops_between_two_revisions_is_finished_by_another(
    data: Path, tmp_path: Path, revisions: list[str]
) -> None:
    port = embedded.start(cluster())
    project = Project(copy_project(tmp_path), settings_for(port).database_url.set(database="app"))
    project.write_revision("abcd01", revisions[-1], 'op.execute("CREATE SEQUENCE tries")')
    project.write_revision(
        "abcd02",
        "abcd01",
        "op.execute(\"CREATE TABLE t (); SELECT CASE nextval('tries') WHEN 1 THEN pg_sleep(60) END\")",
    )
    process = begin(project)
    wait_until(lambda: server_sleeps(port))
    embedded.stop(cluster())
    stopped = process.end()

    embedded.start(cluster(port=port))
    again = call(project)

    assert stopped.returncode == 1
    assert "✗ The migrating session was ended: " in stopped.stderr
    assert "State: the server does not answer; the step was rolled back. See: make status" in stopped.stderr
    assert again.returncode == 0, again.stderr
    assert project.version == ["abcd02"]


def server_sleeps(port: int) -> object:
    return ask(port, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")


def test_a_cluster_is_made_started_and_stopped(checkout: Path) -> None:
    port = embedded.start(cluster())

    assert embedded.running(cluster()) == port
    assert embedded.start(cluster()) == port
    assert str(ask(port, "SHOW server_version")).split(".")[0] == wheel.MAJOR
    assert ask(port, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(port, "SHOW unix_socket_directories") == ""
    assert ask(port, "SHOW server_encoding") == "UTF8"
    assert ask(port, "SHOW fsync") == "off"
    assert ask(port, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
    assert (checkout / ".postgres" / "target").stat().st_mode & 0o077 == 0
    assert embedded.stop(cluster()) is True
    assert embedded.stop(cluster()) is False
    assert embedded.running(cluster()) == 0


def test_a_failed_initdb_says_why(checkout: Path) -> None:
    """Its last line says only that it removes the folder."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    try:
        with pytest.raises(UserError, match="File too large"):
            embedded.start(cluster())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (checkout / ".postgres" / "target").exists()


def test_what_an_interrupted_initdb_left_is_made_anew(checkout: Path) -> None:
    left = checkout / ".postgres" / "target.new"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text(wheel.MAJOR)

    port = embedded.start(cluster())

    assert ask(port, "SELECT 1") == 1
    assert not left.exists()


def test_a_power_cut_leaves_nothing_in_the_way(data: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        leave_pidfile(data, port)

        assert embedded.running(cluster()) == 0
        started = embedded.start(cluster())

    assert started != port
    assert ask(started, "SELECT 1") == 1


def test_a_taken_port_is_told_and_left_alone(checkout: Path) -> None:
    pretend_data(checkout)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(UserError, match=f"Port {port} of 127.0.0.1 is taken by another program") as caught:
            embedded.start(cluster(port=port))

    assert ("Do", "set another DB_PORT in .env, then: make up") in caught.value.facts
    assert embedded.running(cluster()) == 0


def test_the_data_of_another_major_is_told_and_not_touched(checkout: Path) -> None:
    data = pretend_data(checkout, major="17")
    before = sorted(data.rglob("*"))

    with pytest.raises(UserError, match="holds data of PostgreSQL 17; the embedded server is PostgreSQL 18") as caught:
        embedded.start(cluster())

    assert "or dump it with PostgreSQL 17" in str(caught.value)
    assert sorted(data.rglob("*")) == before


def test_a_data_folder_that_others_may_read_is_told_with_its_cure(checkout: Path) -> None:
    data = pretend_data(checkout)
    data.chmod(0o755)

    with pytest.raises(UserError) as caught:
        embedded.start(cluster())

    assert ("Do", f"chmod 700 {data}") in caught.value.facts


def test_a_server_that_will_not_start_is_told_in_its_own_words(checkout: Path) -> None:
    pretend_data(checkout, configuration="shared_buffers = nonsense\n")

    with pytest.raises(UserError, match="did not start") as caught:
        embedded.start(cluster())

    assert 'invalid value for parameter "shared_buffers": "nonsense"' in str(caught.value)


def test_of_several_starts_at_once_one_makes_the_server(checkout: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        ports = list(pool.map(embedded.start, [cluster()] * 4))

    assert len(set(ports)) == 1
    assert ask(ports[0], "SELECT 1") == 1


def test_another_password_in_env_than_the_data_has_is_told_with_its_cure(data: Path) -> None:
    port = free_port()
    other = settings_for(port).database_url.set(password="an0ther-pw")

    with pytest.raises(UserError) as caught, connections.connect(settings_for(port, database_url=other)):
        pass

    assert "refuses the password of user ada" in caught.value.problem
    assert (
        "Do",
        "restore the old password in .env, or set the new one on the server: make roles",
    ) in caught.value.facts
    assert "an0ther-pw" not in str(caught.value)
    assert (data / "PG_VERSION").exists()


def test_a_server_that_starts_late_is_waited_for(data: Path) -> None:
    port = free_port()
    starting = threading.Timer(0.7, embedded.start, [cluster(port=port)])
    starting.start()

    assert ask(port, "SELECT 1") == 1
    starting.join()


def test_a_server_that_recovers_from_a_crash_is_waited_for(data: Path) -> None:
    port = embedded.start(cluster())
    with connections.connect(settings_for(port, runtime="none")) as connection:
        os.kill(int(str(connection.scalar(text("SELECT pg_backend_pid()")))), signal.SIGKILL)
        connection.invalidate()

    assert ask(port, "SELECT 1") == 1


def test_the_password_is_in_no_file_and_no_log(data: Path) -> None:
    embedded.start(cluster())

    files = [path for path in data.parent.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert not [path for path in files if b"s3cret-pw" in path.read_bytes()]


# Roles

ROLES = "SELECT rolname, rolsuper, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY oid"


def roles(port: int, login: URL) -> list[tuple[object, ...]]:
    url = login.set(port=port, database="postgres")
    with connections.connect(settings_for(port, runtime="none", database_url=url)) as connection:
        return [tuple(row) for row in connection.execute(text(ROLES))]


def memberships(port: int, login: URL) -> list[str]:
    """The roles whose sessions that one sees or ends."""
    url = login.set(port=port, database="postgres")
    with connections.connect(settings_for(port, runtime="none", database_url=url)) as connection:
        found = connection.scalars(
            text(
                "SELECT rolname FROM pg_roles WHERE pg_has_role(oid, 'USAGE') AND rolname <> current_user ORDER BY oid"
            )
        )
        return list(found)


def refused(port: int, login: URL) -> bool:
    with pytest.raises(UserError, match="refuses the password"):
        roles(port, login)
    return True


def test_a_new_cluster_has_both_roles_and_a_superuser_whom_nobody_can_be(checkout: Path) -> None:
    owner, application = (one.set(port=free_port()) for one in LOGINS)

    port = embedded.start(embedded.target(settings_for(0, database_url=owner, application_url=application)))

    for one in LOGINS:
        assert roles(port, one) == [
            ("postgres", True, True, True),
            (owner.username, False, True, True),
            (application.username, False, False, True),
        ]
    assert memberships(port, owner) == ["pg_read_all_stats", application.username]
    for guess in ("postgres", str(owner.password)):
        assert refused(port, login("postgres", guess))
    files = [path for path in checkout.rglob("*") if path.is_file()]
    words = [str(one.password).encode() for one in LOGINS]
    assert not [path for path in files for word in words if word in path.read_bytes()]


def test_without_a_role_of_the_application_the_owner_alone_is_made(checkout: Path) -> None:
    owner = login("ada", "s3cret-pw")
    port = embedded.start(cluster(logins=(owner, owner)))

    assert roles(port, owner) == [("postgres", True, True, True), ("ada", False, True, True)]


@pytest.mark.parametrize("runs", [True, False])
def test_roles_and_passwords_of_a_cluster_are_mended(checkout: Path, runs: bool) -> None:
    owner, application = login("ada", "old-pw"), login("rows", "r")
    port = embedded.start(cluster(port=free_port(), logins=(owner, owner)))
    if not runs:
        embedded.stop(cluster())
    owner = owner.set(password="n3w-pw")

    embedded.make_roles(cluster(port=port, logins=(owner, application)))

    assert embedded.running(cluster()) == (port if runs else 0)
    assert embedded.start(cluster(port=port)) == port
    assert [row[0] for row in roles(port, owner)] == ["postgres", "ada", "rows"]
    assert roles(port, application)
    assert refused(port, login("ada", "old-pw"))


def test_a_cluster_that_was_made_with_its_owner_as_superuser_gets_the_other_role(data: Path) -> None:
    port, owner, application = free_port(), login("ada", "n3w-pw"), login("rows", "r")

    embedded.make_roles(cluster(port=port, logins=(owner, application)))

    embedded.start(cluster(port=port))
    assert roles(port, application) == roles(port, owner)
    assert roles(port, owner) == [("ada", True, True, True), ("rows", False, False, True)]


def test_roles_that_postgresql_will_not_have_are_told_in_its_words_and_the_server_runs_again(data: Path) -> None:
    port = embedded.start(cluster(port=free_port()))

    with pytest.raises(UserError, match="The roles cannot be created: ") as caught:
        embedded.make_roles(cluster(port=port, logins=(login("other", "s3cret-0"), login("ada", "s3cret-1"))))

    assert "permission denied to alter role" in caught.value.problem
    assert "s3cret" not in str(caught.value)
    assert ask(port, "SELECT count(*) FROM pg_roles WHERE rolname = 'other'") == 0
