"""Killed and run again, a rollback undoes what was asked for, and no more"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy.engine import URL

from scripts.core.migrate import alembic_commands, unfinished_rollback
from scripts.core.postgres import connections
from scripts.core.revisions import history
from scripts.core.settings import Settings
from tests.conftest import Project
from tests.core.running import begin, by_hand, call, run, session, wait_until, waits_for_lock

THREE = ["abcd01", "abcd02", "abcd03"]
WAIT = "op.execute('SELECT pg_advisory_xact_lock(42)')"


@pytest.fixture
def three(project: Project, revisions: list[str]) -> Project:
    """A project with three revisions more, of which the downgrade of the second waits for a lock of the test."""
    for below, revision in zip([revisions[-1], *THREE], THREE, strict=False):
        project.write_revision(revision, below, downgrade=WAIT if revision == "abcd02" else "op.execute('SELECT 1')")
    assert call(project).returncode == 0
    return project


def kill(project: Project, *words: str) -> None:
    """Begin a rollback and kill it while it waits for the lock."""
    with session(project.url) as other:
        run(other, "SELECT pg_advisory_xact_lock(42)")
        killed = begin(project, "rollback", *words)
        wait_until(lambda: waits_for_lock(project))
        killed.kill()


def is_open(project: Project) -> bool:
    return bool(project.sql("SELECT 1 FROM migration_log WHERE direction = 'rollback' AND closed_at IS NULL"))


def finished_by_hand(project: Project, *words: str) -> str:
    result = by_hand(project, *words)
    assert result.returncode == 0, result.stderr
    return result.stderr


@pytest.mark.faults
@pytest.mark.parametrize("again", [(), ("--steps=2",), ("--rev=abcd01",)])
def test_killed_between_two_steps_it_is_finished(three: Project, again: tuple[str, ...]) -> None:
    kill(three, "--steps=2")
    assert three.version == ["abcd02"]
    shown = call(three, "status")

    result = call(three, "rollback", *again)

    assert "! Not finished: the rollback from abcd03 to abcd01, started " in shown.stderr
    assert "This continues the rollback from abcd03 to abcd01, started " in result.stdout
    assert "1 revision to undo:" in result.stdout
    assert "✓ The database is at abcd01." in result.stdout
    assert three.version == ["abcd01"]
    assert not is_open(three)


@pytest.mark.faults
def test_killed_before_its_first_step_it_is_begun_once_more(three: Project) -> None:
    assert call(three, "rollback").returncode == 0
    kill(three, "--steps=2")
    assert three.version == ["abcd02"]

    result = call(three, "rollback")

    assert "2 revisions to undo:" in result.stdout
    assert "✓ The database is at " in result.stdout
    assert three.version not in (["abcd01"], ["abcd02"])


@pytest.mark.faults
def test_killed_after_its_commit_it_undoes_nothing_more(three: Project) -> None:
    """The moment is held by a row lock: what is left to do is to close the row."""
    with session(three.url) as other, session(three.url) as watcher:
        run(other, "SELECT pg_advisory_xact_lock(42)")
        killed = begin(three, "rollback", "--steps=2")
        wait_until(lambda: waits_for_lock(three))
        run(watcher, "SELECT FROM migration_log WHERE direction = 'rollback' FOR UPDATE")
        other.rollback()
        closing = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE migration_log%'"
        wait_until(lambda: three.sql(closing))
        killed.kill()
        three.sql(closing.replace("1", "pg_terminate_backend(pid)", 1))

    again, third = call(three, "rollback", "--steps=2"), call(three, "rollback")

    assert "✓ Nothing to do: the database is at abcd01." in again.stdout
    assert "Completed: the rollback from abcd03 to abcd01, started " in again.stdout
    assert "abcd01  undone in" in third.stdout


@pytest.fixture
def half(three: Project, target: Settings, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A rollback from abcd03 to abcd01 that was stopped after its first step."""
    monkeypatch.setattr("scripts.core.revision_files.ROOT", three.path)
    stop(replace(target, database_url=three.url), "abcd02")
    three.sql("UPDATE migration_log SET revision = 'abcd01', undoes = '{abcd03,abcd02}' WHERE direction = 'rollback'")
    return three


def stop(target: Settings, goal: str) -> None:
    """A rollback without the report at its end, which closes it."""
    alembic_commands.downgrade(target, goal, [], lambda _: None)


@pytest.mark.parametrize(
    ("verb", "words", "version"),
    [
        ("rollback", ("--steps=4",), ""),
        ("rollback", ("--rev=base",), ""),
        ("migrate", (), "abcd03"),
        ("migrate", ("abcd02",), "abcd02"),
        ("stamp", ("abcd03",), "abcd03"),
    ],
)
def test_whatever_leads_elsewhere_closes_it_and_says_so(
    half: Project, verb: str, words: tuple[str, ...], version: str
) -> None:
    result = call(half, verb, *words)

    assert result.returncode == 0, result.stderr
    assert "Closed before it was finished: the rollback from abcd03 to " in result.stdout
    assert half.version == ([version] if version else [])
    assert not is_open(half)


def test_typed_by_hand_the_same_count_finishes_it_too(half: Project) -> None:
    said = finished_by_hand(half, "downgrade", "-2")

    assert "This continues the rollback from abcd03 to abcd01" in said
    assert half.version == ["abcd01"]
    assert not is_open(half)
    finished_by_hand(half, "downgrade", "-1")
    assert half.version != ["abcd01"]
    assert not is_open(half)


def test_typed_by_hand_another_count_closes_it(half: Project) -> None:
    said = finished_by_hand(half, "downgrade", "-4")

    assert "Closed before it was finished: the rollback from abcd03 to abcd01" in said
    assert half.version == []
    assert not is_open(half)


def test_typed_by_hand_and_at_its_end_it_is_closed(half: Project, target: Settings) -> None:
    stop(replace(target, database_url=half.url), "abcd01")

    said = finished_by_hand(half, "downgrade", "-2")

    assert "Completed: the rollback from abcd03 to abcd01" in said
    assert half.version == ["abcd01"]
    assert not is_open(half)


def test_it_is_complete_although_another_branch_stays(
    project: Project, target: Settings, revisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.core.revision_files.ROOT", project.path)
    for branch in ("abcd01", "abcd02"):
        project.write_revision(branch, revisions[-1], downgrade="op.execute('SELECT 1')")
    merge = project.write_revision("abcd03", "MERGED", downgrade="op.execute('SELECT 1')")
    merge.write_text(merge.read_text().replace("'MERGED'", "('abcd01', 'abcd02')"))
    assert call(project).returncode == 0
    stop(replace(target, database_url=project.url), "abcd01")
    assert sorted(project.version) == ["abcd01", "abcd02"]

    result = call(project, "rollback", "--rev=abcd01")

    assert result.returncode == 0, result.stderr
    assert "Completed: the rollback from abcd03 to abcd01" in result.stdout
    assert not is_open(project)


def test_a_version_that_was_changed_elsewhere_is_not_on_its_way(half: Project) -> None:
    half.write_revision("abcd04", "abcd01", downgrade="op.execute('SELECT 1')")
    half.write_revision("abcd05", "abcd04", downgrade="op.execute('SELECT 1')")
    half.sql("UPDATE alembic_version SET version_num = 'abcd05'")

    result = call(half, "rollback")

    assert "This continues" not in result.stdout
    assert "Closed before it was finished: the rollback from abcd03 to abcd01" in result.stdout
    assert half.version == ["abcd04"]


def test_it_may_be_finished_although_the_file_of_what_is_undone_is_gone(half: Project) -> None:
    (half.versions / "abcd03.py").unlink()

    result = call(half, "rollback", "--steps=2")

    assert result.returncode == 0, result.stderr
    assert half.version == ["abcd01"]


def test_a_copy_of_the_database_has_none(half: Project, target: Settings, new_database: Callable[..., URL]) -> None:
    copy = replace(target, database_url=new_database(template=str(half.url.database)))
    there = replace(target, database_url=half.url)

    with connections.connect(there) as connection, connections.connect(copy) as copied:
        assert unfinished_rollback.find(connection)
        assert unfinished_rollback.find(copied) is None


@pytest.mark.parametrize(
    "missing", ["DROP TABLE migration_log", "ALTER TABLE migration_log DROP closed_at, DROP undoes"]
)
def test_a_log_that_lacks_what_is_needed_gets_it(three: Project, missing: str) -> None:
    three.sql(missing)
    shown = call(three, "status", "--json")

    result = call(three, "rollback", "--steps=2")

    assert '"rollback": null' in shown.stdout
    assert result.returncode == 0, result.stderr
    assert three.sql("SELECT revision, undoes FROM migration_log WHERE closed_at IS NOT NULL") == [
        ("abcd01", ["abcd03", "abcd02"])
    ]


def test_it_is_no_step_of_any_revision(half: Project) -> None:
    half.sql("UPDATE migration_log SET revision = 'abcd02' WHERE direction = 'rollback'")

    assert "abcd02 message  (applied " in call(half, "history").stdout


def test_a_log_that_is_locked_stops_it_before_its_first_step(three: Project) -> None:
    with session(three.url) as other:
        run(other, "LOCK TABLE migration_log IN SHARE MODE")

        result = call(three, "rollback", LOCK_TIMEOUT="200")

    assert result.returncode == 1
    assert (
        "✗ The rollback cannot be written into migration_log: canceling statement due to lock timeout" in result.stderr
    )
    assert "State: nothing was changed." in result.stderr
    assert three.version == ["abcd03"]


@pytest.mark.faults
def test_two_at_once_undo_what_one_was_asked_for(three: Project) -> None:
    with session(three.url) as other:
        run(other, "SELECT pg_advisory_xact_lock(42)")
        first = begin(three, "rollback", "--steps=2")
        wait_until(lambda: waits_for_lock(three))
        second = begin(three, "rollback", "--steps=2")
        wait_until(lambda: "Waiting, because another migration" in second.printed)
    results = [first.end(), second.end()]

    assert [result.returncode for result in results] == [0, 0], [result.stderr for result in results]
    assert three.version == ["abcd01"]


def test_the_number_of_its_steps_is_that_of_what_it_undoes(half: Project) -> None:
    revisions = history.load()
    with session(half.url) as connection:
        found = [unfinished_rollback.resumed(connection, revisions, ["abcd02"], steps) for steps in (None, 1, 2, 3)]

    assert [bool(one) for one in found] == [True, False, True, False]
