"""A verification that is interrupted, or killed, at each gate: the report says so, and nothing stays"""

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.conftest import Project
from tests.core.running import begin, call, run, session, wait_until
from tests.core.verification.reports import document, gate

pytestmark = pytest.mark.faults

GATES = ["source", "restore", "before", "upgrade", "drift", "data", "smoke", "rollback", "estimate"]
# Waits on the scratch server for as long as there is a session called "hold <gate>", and is then called "held <gate>".
# Restoring calls it in a CHECK, hashing in the hash of a type, a revision and a smoke check in a query.
HELD = """
CREATE FUNCTION hold(gate text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    WHILE current_database() LIKE 'scratch%' AND EXISTS (
        SELECT FROM pg_stat_activity WHERE application_name = 'hold ' || gate || ' in NAME'
    ) LOOP
        PERFORM set_config('application_name', 'held ' || gate || ' in NAME', false), pg_sleep(0.02);
        PERFORM pg_stat_clear_snapshot();
    END LOOP;
    RETURN true;
END $$;
CREATE TABLE restored (n int CHECK (hold('restore')));
CREATE TYPE slow AS (n int);
CREATE FUNCTION is_equal(slow, slow) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1.n = $2.n';
CREATE OPERATOR = (LEFTARG = slow, RIGHTARG = slow, FUNCTION = is_equal, HASHES);
CREATE FUNCTION hash(slow) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION hash(slow, bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
    PERFORM public.hold(CASE WHEN to_regclass('public.migrated') IS NULL THEN 'before' ELSE 'data' END);
    RETURN 1;
END $$;
CREATE OPERATOR CLASS slow_ops DEFAULT FOR TYPE slow USING hash AS
    OPERATOR 1 =, FUNCTION 1 hash(slow), FUNCTION 2 hash(slow, bigint);
CREATE TABLE hashed (n slow);
"""
UPGRADE = "SELECT hold(CASE WHEN EXISTS (SELECT FROM hashed) THEN 'upgrade' ELSE 'drift' END); CREATE TABLE migrated ()"
DOWNGRADE = "SELECT hold('rollback'); DROP TABLE migrated"


@pytest.fixture
def slow(project: Project) -> Project:
    """A project whose verification can be held at each gate."""
    head, name = project.version[0], str(project.url.database)
    project.write_revision("abcd00", head, f"op.execute({HELD.replace('NAME', name)!r})")
    assert call(project).returncode == 0
    project.sql("INSERT INTO restored VALUES (1); INSERT INTO hashed VALUES (ROW(1))")
    assert call(project, "backup").returncode == 0
    project.write_revision("abcd01", "abcd00", f"op.execute({UPGRADE!r})", f"op.execute({DOWNGRADE!r})")
    (project.path / "tests" / "staging" / "held.sql").write_text("SELECT WHERE NOT hold('smoke')")
    return project


@contextmanager
def holding(project: Project, id_: str) -> Iterator[None]:
    """Until the end of the block no verification gets past the gate."""
    with session(project.url, f"hold {id_} in {project.url.database}") as connection:
        run(connection, "LOCK TABLE alembic_version" if id_ == "source" else "SELECT 1")
        yield


@contextmanager
def holding_estimates(project: Project) -> Iterator[None]:
    """What is read there, and before all gates, is a view of the scratch server."""
    with session(project.url.set(database="postgres")) as connection:
        run(connection, "LOCK TABLE pg_settings")
        yield


def held(project: Project, id_: str) -> str:
    """The database in which a verification is held, or nothing."""
    waits = "pid IN (SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'alembic_version'::regclass)"
    called = f"application_name = 'held {id_} in {project.url.database}'"
    query = f"SELECT datname FROM pg_stat_activity WHERE {waits if id_ == 'source' else called}"
    return "".join(str(row[0]) for row in project.sql(query))


def estimates_are_held(project: Project) -> object:
    return project.sql("SELECT FROM pg_locks WHERE NOT granted AND relation = 'pg_settings'::regclass")


def left_by(project: Project, database: str) -> list[tuple[object, ...]]:
    """What is still there of whoever made a throwaway database."""
    maker = re.match("scratch_[0-9]+_", database)
    return project.sql(f"SELECT datname FROM pg_database WHERE starts_with(datname, '{maker[0]}')") if maker else []


def assert_interrupted_at(project: Project, id_: str) -> None:
    assert document(project)["verdict"] == "interrupted"
    assert gate(project, id_)["status"] == "interrupted"
    assert {gate(project, later)["status"] for later in GATES[GATES.index(id_) + 1 :]} <= {"not run"}


@pytest.mark.parametrize("id_", GATES[:-1])
def test_interrupted_or_killed_at_a_gate(slow: Project, id_: str) -> None:
    with holding(slow, id_):
        running = begin(slow, "verify_staging")
        wait_until(lambda: held(slow, id_))
        database = held(slow, id_)
        running.send(signal.SIGINT)
        result = running.end()
        left = left_by(slow, database)
    assert result.returncode == 130, result.stderr
    assert left == []
    assert_interrupted_at(slow, id_)
    if id_ == "source":
        return  # nothing was made yet

    with holding(slow, id_):
        running = begin(slow, "verify_staging")
        wait_until(lambda: held(slow, id_))
        database = held(slow, id_)
        made = left_by(slow, database)
        running.kill()
        # What was killed goes on there.
        next_ = call(slow, "verify_staging", "--from=nothing")
        # A command of another test may have begun to drop the same ones.
        wait_until(lambda: left_by(slow, database) == [])
    assert made != []
    assert "There is no backup nothing" in next_.stdout


def test_interrupted_in_the_estimate_and_before_all_gates(slow: Project) -> None:
    with ExitStack() as stack:
        with holding(slow, "rollback"):
            running = begin(slow, "verify_staging")
            wait_until(lambda: held(slow, "rollback"))
            database = held(slow, "rollback")
            stack.enter_context(holding_estimates(slow))
        wait_until(lambda: estimates_are_held(slow))
        running.send(signal.SIGTERM)
    at_the_last, left = running.end(), left_by(slow, database)
    with holding_estimates(slow):
        running = begin(slow, "verify_staging")
        wait_until(lambda: estimates_are_held(slow))
        running.send(signal.SIGINT)
    before_the_first = running.end()

    assert at_the_last.returncode == before_the_first.returncode == 130
    assert_interrupted_at(slow, "estimate")
    assert left == []
    assert "Interrupted." in before_the_first.stderr


def test_a_report_that_is_being_written_is_finished_first(slow: Project) -> None:
    running = begin(slow, "verify_staging")
    wait_until(lambda: any(path.is_dir() for path in (slow.path / "reports").glob("*")), 60)
    running.send(signal.SIGINT)
    result = running.end()

    assert result.returncode in (1, 130), "unless it was finished before"
    assert document(slow)["verdict"] == "failed", "the models know nothing of what is slow"
