"""scripts/core/revisions/passed_over.py: a revision file that was moved below the current revision"""

import pytest

from tests.conftest import Project
from tests.core.running import by_hand, call

ADD = 'op.execute("ALTER TABLE users ADD {} int")'
DROP = 'op.execute("ALTER TABLE users DROP {}")'


@pytest.fixture
def moved(project: Project, revisions: list[str]) -> Project:
    """A project at abcd01. Then abcd02, of another branch, was put before it."""
    project.write_revision("abcd01", revisions[-1], ADD.format("a"), DROP.format("a"))
    assert call(project).returncode == 0
    project.write_revision("abcd02", revisions[-1], ADD.format("b"), DROP.format("b"))
    project.write_revision("abcd01", "abcd02", ADD.format("a"), DROP.format("a"))
    return project


@pytest.mark.parametrize("environment", ["development", "staging"])
def test_what_never_ran_here_is_refused_by_name_with_the_way_out(
    moved: Project, revisions: list[str], environment: str
) -> None:
    moved.sql_on_server(f"COMMENT ON DATABASE {moved.url.database} IS 'environment={environment}'")

    status = call(moved, "status")
    refused = [call(moved, "plan"), call(moved), by_hand(moved, "upgrade", "head"), by_hand(moved, "downgrade", "-1")]

    assert status.returncode == 1
    assert "Never ran    abcd02, before the current one: make migrate explains\n" in status.stdout
    for result in refused:
        assert result.returncode not in (0, 3)
        assert "Revision abcd02 comes before abcd01, where the database is, but it never ran here." in result.stderr
        assert 'down_revision = "abcd01" in alembic/versions/abcd02.py' in result.stderr
        assert f"let the file after it follow {revisions[-1]} again." in result.stderr
        assert "make stamp REV=abcd01" in result.stderr
    assert moved.version == ["abcd01"]


def test_a_stamp_says_that_the_schema_has_it(moved: Project) -> None:
    moved.sql("ALTER TABLE users ADD b int")

    stamped = call(moved, "stamp", "abcd01")
    result = call(moved)

    assert stamped.returncode == 0, stamped.stderr
    assert result.returncode == 0, result.stderr
    assert moved.version == ["abcd01"]


def test_put_after_the_newest_one_it_runs(moved: Project, revisions: list[str]) -> None:
    moved.write_revision("abcd01", revisions[-1], ADD.format("a"), DROP.format("a"))
    moved.write_revision("abcd02", "abcd01", ADD.format("b"), DROP.format("b"))

    result = call(moved)

    assert result.returncode == 0, result.stderr
    assert moved.sql("SELECT a, b FROM users") == []


def test_what_is_older_than_the_log_and_what_was_stamped_is_taken_for_applied(
    moved: Project, revisions: list[str]
) -> None:
    moved.sql(f"DELETE FROM migration_log WHERE revision = '{revisions[0]}'")
    older = call(moved, "status").stdout
    moved.sql(
        "INSERT INTO migration_log (revision, direction, started_at, seconds, run_by)"
        " VALUES ('abcd01', 'stamp', now(), 0, 'ada')"
    )
    stamped = call(moved, "status")
    moved.sql(
        "INSERT INTO migration_log (revision, direction, started_at, seconds, run_by)"
        " VALUES ('abcd02', 'downgrade', now(), 0, 'ada')"
    )
    undone = call(moved, "status").stdout

    moved.sql("DELETE FROM migration_log WHERE revision = 'abcd01'")
    set_by_hand = call(moved, "status")

    assert set_by_hand.returncode == 0, set_by_hand.stdout
    assert "Never ran    abcd02," in older
    assert stamped.returncode == 0, stamped.stdout
    assert "Never ran    abcd02," in undone
