"""make rollback"""

import pytest

from tests.conftest import Project


def tables(project: Project) -> list[str]:
    return [
        str(row[0]) for row in project.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    ]


def test_undoes_the_newest_revision_and_says_which(project: Project, revisions: list[str]) -> None:
    result = project.run("rollback")

    assert result.returncode == 0, result.stderr
    assert "1 to undo:" in result.stdout
    assert f"{revisions[-1]}  undone in" in result.stdout
    assert f"✓ The database is at {revisions[-2]}." in result.stdout
    assert project.version == revisions[-2:-1]
    assert tables(project) == ["alembic_version", "migration_log", "users"]


@pytest.mark.parametrize("words", [("--steps=2",), ("--rev=base",)])
def test_undoes_as_much_as_it_is_told(project: Project, revisions: list[str], words: tuple[str, ...]) -> None:
    result = project.run("rollback", *words)

    assert result.returncode == 0, result.stderr
    assert result.stdout.index(f"{revisions[1]}  undone") < result.stdout.index(f"{revisions[0]}  undone")
    assert "✓ The database is at base." in result.stdout
    assert tables(project) == ["alembic_version", "migration_log"]


def test_at_base_there_is_nothing_to_undo(empty_project: Project) -> None:
    result = empty_project.run("rollback", "--steps=99")

    assert result.returncode == 0
    assert result.stdout == "✓ Nothing to do: the database is at base, no revision is applied.\n"


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("--steps=0", "STEPS=0 is not a number of revisions"),
        ("--steps=-1", "STEPS=-1 is not a number of revisions"),
        ("--steps=abc", "STEPS=abc is not a number of revisions"),
        ("--steps=", "STEPS= is not a number of revisions"),
        ("--steps=²", "STEPS=² is not a number of revisions"),
        ("--steps=99", "STEPS=99, but only 2 revisions are applied"),
        ("--rev=zzzz", "REV=zzzz is no revision of this checkout"),
        ("--rev=", "REV= is no revision of this checkout"),
    ],
)
def test_what_is_no_place_to_go_back_to_is_refused(
    settled: Project, revisions: list[str], word: str, words: str
) -> None:
    result = settled.run("rollback", word)

    assert result.returncode == 2
    assert words in result.stderr
    assert "State: nothing was changed." in result.stderr
    assert settled.version == revisions[-1:]


def test_steps_and_revision_together_are_refused(settled: Project) -> None:
    result = settled.run("rollback", "--steps=1", "--rev=base")

    assert result.returncode == 2
    assert "not allowed with" in result.stderr


def test_a_revision_that_cannot_be_undone_is_told_and_stays(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], downgrade='raise NotImplementedError("rows were merged")')
    assert project.run("migrate").returncode == 0

    result = project.run("rollback")

    assert result.returncode == 1
    assert "✗ alembic/versions/abcd01.py, line 16: NotImplementedError: rows were merged" in result.stderr
    assert "State: the database is at abcd01; what failed was rolled back." in result.stderr
    assert project.version == ["abcd01"]


def test_a_database_at_a_revision_without_a_file_is_left_alone(project: Project) -> None:
    project.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    result = project.run("rollback")

    assert result.returncode == 1
    assert "The database is at revision abcd01, which has no file in this checkout." in result.stderr
    assert project.version == ["abcd01"]
