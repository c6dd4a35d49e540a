"""make stamp"""

import pytest

from tests.conftest import Project


def test_says_what_it_changes_and_runs_nothing(project: Project, revisions: list[str]) -> None:
    result = project.run("stamp", revisions[0][:4])

    assert result.returncode == 0, result.stderr
    assert f"The recorded revision changes from {revisions[-1]} to {revisions[0]}. No revision runs:" in result.stdout
    assert f"{revisions[-1]}  create social tables: counts as pending" in result.stdout
    assert project.version == revisions[:1]
    assert project.sql("SELECT to_regclass('social_posts')::text") == [("social_posts",)]


def test_a_schema_that_was_made_without_alembic_can_be_stamped(empty_project: Project, revisions: list[str]) -> None:
    result = empty_project.run("stamp", "head")

    assert result.returncode == 0, result.stderr
    for revision in revisions:
        assert f"{revision}  create" in result.stdout
    assert result.stdout.count("counts as applied") == len(revisions)
    assert f"✓ The recorded revision is {revisions[-1]}." in result.stdout
    assert empty_project.version == revisions[-1:]
    assert empty_project.sql("SELECT to_regclass('users')::text") == [(None,)]


def test_base_is_a_place_too(project: Project) -> None:
    result = project.run("stamp", "base")

    assert result.returncode == 0, result.stderr
    assert "✓ The recorded revision is base." in result.stdout
    assert project.version == []


def test_what_the_database_says_already_is_nothing_to_do(settled: Project, revisions: list[str]) -> None:
    result = settled.run("stamp", "head")

    assert result.returncode == 0
    assert result.stdout == f"✓ Nothing to do: the recorded revision is {revisions[-1]} already.\n"


def test_is_the_way_out_when_a_revision_has_no_file(project: Project, revisions: list[str]) -> None:
    project.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    result = project.run("stamp", revisions[-1])

    assert result.returncode == 0, result.stderr
    assert "abcd01 (no file here) is deleted" in result.stdout
    assert project.version == revisions[-1:]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "No revision was given."),
        (("",), "No revision was given."),
        (("zzzz",), "REV=zzzz is no revision of this checkout"),
    ],
)
def test_without_a_revision_that_exists_nothing_is_stamped(
    settled: Project, revisions: list[str], words: tuple[str, ...], said: str
) -> None:
    result = settled.run("stamp", *words)

    assert result.returncode == 2
    assert said in result.stderr
    assert settled.version == revisions[-1:]
