"""make reset"""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from tests.conftest import Project, copy_project


def name(project: Project) -> str:
    return str(project.url.database)


def reset(project: Project, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Reset with the name typed."""
    return project.run("reset", **{"CONFIRM": name(project), **environment})


def databases(project: Project) -> list[str]:
    """The project's database and what a reset has made beside it."""
    found = project.sql(f"SELECT datname FROM pg_database WHERE starts_with(datname, '{name(project)}_')")
    return [str(row[0]) for row in found]


def seed(project: Project) -> None:
    project.sql("INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com')")


def users(project: Project) -> object:
    return project.sql("SELECT count(*) FROM users")[0][0]


def environment(project: Project) -> object:
    return project.sql(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    )[0][0]


@pytest.fixture(scope="module")
def shared(lasting_database: Callable[..., URL], template: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    shared = Project(copy_project(tmp_path_factory.mktemp("precious")), lasting_database(template))
    seed(shared)
    return shared


@pytest.fixture
def precious(shared: Project) -> Project:
    """A project with two users in a development database, for resets that must be refused."""
    shared.sql(f"COMMENT ON DATABASE {name(shared)} IS 'environment=development'")
    return shared


def test_drops_the_rows_and_builds_again_from_the_files(project: Project, revisions: list[str]) -> None:
    seed(project)
    project.sql("CREATE TABLE by_hand AS SELECT generate_series(1, 7)")

    result = reset(project)

    assert result.returncode == 0, result.stderr
    assert f"Database {name(project)}: 5 tables with 9 rows will be lost." in result.stdout
    assert "  users: 2 rows\n" in result.stdout
    assert "  by_hand: 7 rows\n" in result.stdout
    for revision in revisions:
        assert f"{revision}  applied in" in result.stdout
    assert f"✓ Database {name(project)} is empty and at {revisions[-1]}." in result.stdout
    assert users(project) == 0
    assert project.sql("SELECT to_regclass('by_hand')::text") == [(None,)]
    assert project.version == revisions[-1:]
    assert environment(project) == "environment=development"
    assert databases(project) == []


@pytest.mark.parametrize("typed", ["", "yes", "y", "{name} ", "{NAME}", "postgres"])
def test_nothing_is_dropped_unless_the_name_is_typed(precious: Project, typed: str) -> None:
    typed = typed.format(name=name(precious), NAME=name(precious).upper())

    result = precious.run("reset", CONFIRM=typed)

    assert result.returncode == 1
    assert "✗ Not confirmed" in result.stderr
    assert f"Do:    make reset CONFIRM={name(precious)}" in result.stderr
    assert users(precious) == 2


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("NULL", "its environment is not set (treated as production)."),
        ("'environment=staging'", "its environment is staging."),
        ("'environment=production'", "its environment is production."),
        ("'this is no environment=development'", "its environment is not set (treated as production)."),
        ("'environment=development2'", "its environment is development2."),
    ],
)
def test_a_database_that_is_not_marked_development_is_refused(precious: Project, comment: str, words: str) -> None:
    precious.sql(f"COMMENT ON DATABASE {name(precious)} IS {comment}")

    result = reset(precious)

    assert result.returncode == 1
    assert f"✗ Refusing to reset {name(precious)}: {words}" in result.stderr
    assert "State: nothing was changed." in result.stderr
    assert users(precious) == 2


@pytest.mark.parametrize("environment", ["staging", "production", ""])
def test_outside_development_a_database_marked_development_is_refused_too(precious: Project, environment: str) -> None:

    result = reset(precious, APP_ENV=environment)

    assert result.returncode == 1
    assert f"✗ Refusing to reset {name(precious)}: APP_ENV is {environment or 'production'}." in result.stderr
    assert users(precious) == 2


def test_a_session_of_somebody_else_is_ended(project: Project) -> None:
    engine = create_engine(project.url, poolclass=NullPool)
    with engine.connect() as other:
        other.execute(text("INSERT INTO users (username, email) VALUES ('eve', 'eve@example.com')"))

        result = reset(project)

        with pytest.raises(DBAPIError):
            other.execute(text("SELECT 1"))
        other.invalidate()

    assert result.returncode == 0, result.stderr
    assert users(project) == 0


def test_a_revision_that_fails_leaves_the_old_database_whole(project: Project, revisions: list[str]) -> None:
    seed(project)
    project.write_revision("abcd01", revisions[-1], 'op.execute("SELECT nonsense")')

    result = reset(project)

    assert result.returncode == 1
    assert 'line 12: column "nonsense" does not exist' in result.stderr
    assert f"State: {project.url.database} is as it was." in result.stderr
    assert "✓" not in result.stdout
    assert users(project) == 2
    assert project.version == revisions[-1:]


def test_what_an_interrupted_reset_left_is_cleaned(project: Project) -> None:
    for left in ("__unfinished_0a1b2c3d", "__replaced"):
        engine = create_engine(project.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name(project)}{left}"))

    result = reset(project)

    assert result.returncode == 0, result.stderr
    assert databases(project) == []


def test_a_database_at_a_revision_without_a_file_is_rebuilt(project: Project, revisions: list[str]) -> None:
    project.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    result = reset(project)

    assert result.returncode == 0, result.stderr
    assert project.version == revisions[-1:]


def test_two_heads_are_named_before_anything_is_dropped(project: Project, revisions: list[str]) -> None:
    seed(project)
    for revision in ("abcd01", "abcd02"):
        project.write_revision(revision, revisions[-1])

    result = reset(project)

    assert result.returncode == 1
    assert "✗ There are 2 heads:" in result.stderr
    assert users(project) == 2


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_at_any_moment_it_can_be_run_again(
    project: Project, revisions: list[str], number: signal.Signals
) -> None:
    seed(project)
    moment = random.uniform(0.4, 1.6)
    running = subprocess.Popen(
        [sys.executable, "-m", "scripts.reset"],
        cwd=project.path,
        env={**project.variables(), "CONFIRM": name(project)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(moment)
    running.send_signal(number)
    running.wait(60)
    assert users(project) in (0, 2), "there is no moment without a whole database"

    result = reset(project)

    assert result.returncode == 0, f"{number.name} after {moment:.3f} s: {result.stderr}"
    assert users(project) == 0
    assert project.version == revisions[-1:]
    assert databases(project) == []


def test_a_database_of_somebody_else_under_a_name_of_ours_is_not_dropped(project: Project) -> None:
    other = f"{project.url.database}__replaced"
    project.sql_on_server(f"CREATE DATABASE {other}", f"COMMENT ON DATABASE {other} IS 'environment=production'")

    result = reset(project)
    project.sql_on_server(f"DROP DATABASE {other}")

    assert result.returncode == 1
    assert f"✗ A database {other} exists already, and its environment is production." in result.stderr


@pytest.mark.faults
def test_a_table_that_somebody_locks_is_named_instead_of_waited_for(project: Project) -> None:
    with create_engine(project.url, poolclass=NullPool).connect() as other:
        other.execute(text("LOCK TABLE users"))

        result = reset(project)

    assert result.returncode == 1
    assert "users is locked by another session" in result.stderr


def test_a_temporary_table_of_another_session_is_no_obstacle(project: Project) -> None:
    with create_engine(project.url, poolclass=NullPool).connect() as other:
        other.execute(text("CREATE TEMPORARY TABLE passing AS SELECT 1"))
        other.commit()

        result = reset(project)
        other.invalidate()

    assert result.returncode == 0, result.stderr
    assert f"Database {name(project)}: 4 tables with 0 rows will be lost." in result.stdout


def test_rows_of_a_large_table_are_not_counted_before_the_question(precious: Project) -> None:
    precious.sql("CREATE TABLE large WITH (autovacuum_enabled = off) AS SELECT generate_series(1, 60000)")
    precious.sql("ANALYZE large")

    result = precious.run("reset")
    precious.sql("DROP TABLE large")

    assert result.returncode == 1
    assert f"Database {name(precious)}: 5 tables with about 60,002 rows will be lost." in result.stdout
    assert "  large: about 60,000 rows\n" in result.stdout
    assert "  users: 2 rows\n" in result.stdout
