"""Promise 9: whatever is killed at any moment can simply be run again"""

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from scripts.core.postgres import client_programs, connections, embedded, wheel
from scripts.core.postgres.embedded import Cluster
from tests.conftest import Project, copy_project, needs_embedded, throwaway_home
from tests.core.running import asleep, begin, call, migrating, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

REVISIONS = 20


def statement(number: int) -> str:
    """One of the things that revisions do, by turns; what commits by itself may be run again."""
    if number == 0:
        return 'op.execute("CREATE TABLE base (id int PRIMARY KEY)")'
    if number % 5 == 0:
        index = f"CREATE INDEX CONCURRENTLY IF NOT EXISTS i{number} ON base (id)"
        return f"exec('with op.get_context().autocommit_block(): op.execute(\"{index}\")')"
    return (
        f'op.execute("CREATE TABLE t{number} (id int REFERENCES base)");'
        f' op.execute("INSERT INTO base VALUES ({number})"); op.execute("SELECT pg_sleep(0.01)");'
        f' op.execute("ALTER TABLE base ADD COLUMN c{number} text")'
    )


def write_all(project: Project) -> None:
    for path in project.versions.glob("*.py"):
        path.unlink()
    before = None
    for number in range(REVISIONS):
        project.write_revision(f"abcd{number:02}", before, statement(number))
        before = f"abcd{number:02}"


def schema(url: URL) -> str:
    dumped = subprocess.run(
        [client_programs.newest("pg_dump"), "--schema-only"],
        env=connections.tool_environment(url),
        capture_output=True,
        text=True,
        check=True,
    )
    return "".join(line for line in dumped.stdout.splitlines(True) if "restrict" not in line)


@pytest.fixture(scope="session")
def undisturbed(lasting_database: Callable[..., URL], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The schema after a run that nobody has killed."""
    project = Project(copy_project(tmp_path_factory.mktemp("undisturbed")), lasting_database())
    write_all(project)
    assert call(project).returncode == 0
    made = schema(project.url)
    assert "CREATE TABLE public.t19" in made
    assert "CREATE INDEX i15" in made
    return made


@pytest.mark.parametrize("seed", range(5))
def test_a_run_that_is_killed_anywhere_is_finished_by_another(
    new_database: Callable[..., URL], tmp_path: Path, undisturbed: str, seed: int
) -> None:
    """Five kills for each seed, at moments spread over the whole run."""
    moments = random.Random(seed)
    folder = copy_project(tmp_path)
    for _ in range(5):
        project = Project(folder, new_database())
        write_all(project)
        killed = begin(project)
        wait_until(lambda project=project: migrating(project))  # type: ignore[misc]
        time.sleep(moments.uniform(0, 0.3))
        killed.kill()

        result = call(project)

        assert result.returncode == 0, result.stderr
        assert project.version == [f"abcd{REVISIONS - 1:02}"]
        assert schema(project.url) == undisturbed
        applied = project.sql("SELECT count(*), count(DISTINCT revision) FROM migration_log")
        assert applied == [(REVISIONS, REVISIONS)]


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[tuple[Cluster, Project]]:
    """A server of its own that brings nothing onto the disk by itself, and a project with an empty database there."""
    with throwaway_home() as home:
        cluster = replace(embedded.scratch(), home=home, settings=("wal_writer_delay=10s",))
        login = embedded.start_scratch(cluster)
        names = {"SCRATCH_USER": str(login.username), "SCRATCH_PASSWORD": str(login.password)}
        project = Project(copy_project(tmp_path), login, names)
        project.sql_on_server("CREATE DATABASE shop", "COMMENT ON DATABASE shop IS 'environment=development'")
        write_all(project)
        yield replace(cluster, port=login.port or 0), replace(project, url=login.set(database="shop"))
        embedded.stop(cluster)


def crash(cluster: Cluster) -> None:
    words = ("--wait", "--mode=immediate", f"--pgdata={wheel.here(cluster.data)}")
    assert wheel.run("pg_ctl", "stop", *words, data=cluster.data)[0] == 0
    embedded.start(cluster)


@needs_embedded
def test_what_is_done_outlives_a_crash_of_the_server(durable: tuple[Cluster, Project], undisturbed: str) -> None:
    cluster, project = durable
    assert call(project).returncode == 0

    crash(cluster)

    assert project.version == [f"abcd{REVISIONS - 1:02}"]
    assert schema(project.url) == undisturbed


@needs_embedded
def test_a_crash_of_the_server_within_a_run_leaves_whole_revisions(
    durable: tuple[Cluster, Project], undisturbed: str
) -> None:
    cluster, project = durable
    last = project.versions / f"abcd{REVISIONS - 1:02}.py"
    whole = last.read_text()
    last.write_text(whole.replace("pg_sleep(0.01)", "pg_sleep(60)"))
    running = begin(project)
    wait_until(lambda: asleep(project) and int(project.version[0].removeprefix("abcd")) == REVISIONS - 2)

    crash(cluster)
    stopped = running.end()

    assert stopped.returncode == 1, stopped.stderr
    made = project.sql("SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+$' AND relkind = 'r'")
    [(is_there,)] = project.sql("SELECT to_regclass('alembic_version') IS NOT NULL")
    at = int(project.version[0].removeprefix("abcd")) if is_there and project.version else -1
    assert made == [(sum(1 for number in range(1, at + 1) if number % 5),)]
    assert f"the database is at {f'abcd{at:02}' if at >= 0 else 'base'}" in stopped.stderr
    last.write_text(whole)
    result = call(project)
    assert result.returncode == 0, result.stderr
    assert schema(project.url) == undisturbed
    assert project.sql("SELECT count(*), count(DISTINCT revision) FROM migration_log") == [(REVISIONS, REVISIONS)]


def test_a_role_that_may_not_create_is_told_so(project: Project, revisions: list[str]) -> None:
    name = f"test_role_{random.getrandbits(31)}"
    project.write_revision("abcd01", revisions[-1], 'op.execute("CREATE TABLE t ()")')
    project.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'x'; GRANT ALL ON alembic_version, migration_log TO {name}")
    try:
        result = call(project, "migrate", POSTGRES_USER=name, POSTGRES_PASSWORD="x")
    finally:
        project.sql(f"DROP OWNED BY {name}; DROP ROLE {name}")

    assert result.returncode == 1
    assert "line 12: permission denied for schema public" in result.stderr
    assert f"State: the database is at {revisions[-1]}; the step was rolled back." in result.stderr
    assert project.version == revisions[-1:]


@pytest.mark.parametrize("environment", ["banana", ""])
def test_an_environment_that_was_edited_by_hand_counts_as_production(
    project: Project, revisions: list[str], environment: str
) -> None:
    project.write_revision("abcd01", revisions[-1])
    project.sql(f"COMMENT ON DATABASE {project.url.database} IS 'environment={environment}'")

    reset = call(project, "reset", CONFIRM=str(project.url.database))
    there = str(project.url.host)
    closed = call(project, SCRATCH_HOST=there, APP_ENV="staging", MAINTENANCE_WINDOW="Sun 02:00-02:01 UTC")

    assert (reset.returncode, closed.returncode) == (1, 1)
    assert "Refusing to reset" in reset.stderr
    assert "Outside the maintenance window" in closed.stderr
    assert project.version == revisions[-1:]


def test_the_log_table_may_be_dropped_by_hand(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1])
    project.sql("DROP TABLE migration_log")

    assert call(project).returncode == 0
    assert project.sql("SELECT revision FROM migration_log") == [("abcd01",)]


def test_an_enum_value_may_be_used_by_the_next_revision(project: Project, revisions: list[str]) -> None:
    project.sql("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE moods (mood mood)")
    project.write_revision("abcd01", revisions[-1], "op.execute(\"ALTER TYPE mood ADD VALUE 'glad'\")")
    project.write_revision("abcd02", "abcd01", "op.execute(\"INSERT INTO moods VALUES ('glad')\")")

    result = call(project)

    assert result.returncode == 0, result.stderr
    assert project.sql("SELECT mood::text FROM moods") == [("glad",)]
