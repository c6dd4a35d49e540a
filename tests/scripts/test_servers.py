"""python -m scripts.servers, and every script where RUNTIME=embedded"""

import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from tests.conftest import Project, copy_project, needs_embedded
from tests.core.running import Running

pytestmark = needs_embedded
USES_OF_SCRATCH = (("rollback",), ("plan",), ("backup",), ("verify_backup",), ("verify_staging",))


@pytest.fixture
def checkout() -> Iterator[Project]:
    """A copy of the project that runs its own embedded server, not yet made; stopped in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = URL.create("postgresql+psycopg2", "ada", "s3cret-pw", "127.0.0.1", port, "shop")
    with tempfile.TemporaryDirectory(prefix="checkout-") as folder:
        Path(folder).chmod(0o755)
        project = Project(copy_project(Path(folder)), url, {"RUNTIME": "embedded"})
        yield project
        stopped = project.run("servers", "stop")
        assert stopped.returncode == 0, stopped.stderr


def test_a_first_migrate_starts_the_server_and_creates_the_database(checkout: Project, revisions: list[str]) -> None:
    migrated = checkout.run("migrate")

    assert migrated.returncode == 0, migrated.stderr
    assert "✓ Created the database shop. Its environment is development." in migrated.stdout
    assert checkout.version == revisions[-1:]
    assert checkout.run("servers", "show").stdout == (
        f"target   running at 127.0.0.1:{checkout.url.port}\nscratch  not running\n"
    )
    assert checkout.run("servers", "stop").stdout == "✓ Stopped the target server.\n"
    wrong = checkout.run("status", POSTGRES_PASSWORD="an0ther-pw")
    assert wrong.returncode == 1
    assert "Do:    restore the old password in .env, or set the new one on the server: make roles" in wrong.stderr


def test_a_taken_port_is_told_and_nothing_is_changed(checkout: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(checkout.url.port or 0)))
        other.listen()

        result = checkout.run("servers", "start")

    assert result.returncode == 1
    assert f"✗ Port {checkout.url.port} of 127.0.0.1 is taken by another program." in result.stderr
    assert "Do:    set another DB_PORT in .env, then: make up" in result.stderr


def test_with_a_database_elsewhere_no_server_is_started(checkout: Project, server: URL) -> None:
    elsewhere = server.set(drivername="postgres").render_as_string(hide_password=False)

    result = checkout.run("servers", "start", DATABASE_URL=elsewhere)

    assert result.returncode == 0, result.stderr
    assert not list(checkout.path.glob(".postgres/*/postmaster.pid"))


@pytest.mark.parametrize("words", [(), ("restart",)])
def test_an_action_that_is_none_is_wrong_usage(settled: Project, words: tuple[str, ...]) -> None:
    result = settled.run("servers", *words)

    assert result.returncode == 2
    assert "{start,stop,show}" in result.stderr


@pytest.mark.faults
def test_a_new_server_has_an_owner_who_is_no_superuser_and_a_role_for_the_application(checkout: Project) -> None:
    checkout.environment |= {"APP_DB_USER": "rows", "APP_DB_PASSWORD": "p@ss's"}
    assert checkout.run("migrate").returncode == 0
    assert checkout.run("plan", SCRATCH_HOST="").returncode == 0

    status = checkout.run("status")
    reset = checkout.run("reset", CONFIRM="shop")
    health = Running(checkout, "scripts.health", (), {"POSTGRES_PASSWORD": ""}).end()

    assert "Migrates as  ada: may create databases, no superuser\n" in status.stdout
    assert "Application  rows: reads and writes rows\n" in status.stdout
    assert status.stderr == ""
    assert reset.returncode == 0, reset.stderr
    assert health.stdout == "healthy\n"

    changed = {"POSTGRES_PASSWORD": "n3w-pw", "APP_DB_PASSWORD": "m0re-pw"}
    assert "set the new one on the server: make roles" in checkout.run("status", **changed).stderr
    roles = checkout.make("roles", **changed)
    assert roles.returncode == 0, roles.stderr
    assert "superuser" not in roles.stderr
    assert checkout.run("status", **changed).returncode == 0
    assert Running(checkout, "scripts.health", (), changed).end().stdout == "healthy\n"
    assert checkout.run("servers", "show").stdout.startswith("target   running at ")
    # The scratch server has a login of its own.
    checkout.environment |= {**changed, "SCRATCH_HOST": "", "CONFIRM": "shop"}
    used = [checkout.run(*words) for words in USES_OF_SCRATCH]
    assert [result.returncode for result in used] == [0] * len(used), used[-1].stderr


@pytest.mark.faults
def test_the_superuser_creates_the_extensions_of_the_application_and_its_password_is_gone(checkout: Project) -> None:
    checkout.environment |= {"SCRATCH_HOST": "", "CONFIRM": "shop", "ACCEPT": "superuser"}
    pyproject = checkout.path / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("apt = []", 'extensions = ["vector", "pageinspect"]'))
    names = "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql'"

    for verb, *words in (("migrate",), ("plan",), ("lint", "--all"), ("backup",), ("reset",), ("restore", "latest")):
        done = checkout.run(verb, *words)
        assert done.returncode == 0, (verb, done.stdout + done.stderr)
        assert checkout.sql(names) == [("pageinspect vector",)], verb
    assert checkout.sql("SELECT pg_get_userbyid(extowner)::text FROM pg_extension WHERE extname = 'pageinspect'") == [
        ("postgres",)
    ]
    with pytest.raises(OperationalError, match="password authentication failed"):
        replace(checkout, url=checkout.url.set(username="postgres", password="x")).sql("SELECT 1")
    pyproject.write_text(pyproject.read_text().replace('"vector"', '"pg_buffercache"'))
    roles = checkout.make("roles", APP_DB_USER="rows", APP_DB_PASSWORD="p@ss's")
    assert "✓ Created the extension pg_buffercache.\n" in roles.stdout, roles.stderr
