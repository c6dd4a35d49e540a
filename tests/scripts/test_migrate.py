"""make migrate"""

from tests.conftest import Project


def test_applies_everything_and_says_the_time_of_each(empty_project: Project, revisions: list[str]) -> None:
    result = empty_project.run("migrate")

    assert result.returncode == 0, result.stderr
    assert empty_project.version == revisions[-1:]
    for revision in revisions:
        assert f"{revision}  applied in" in result.stdout


def test_a_second_time_there_is_nothing_to_do(project: Project, revisions: list[str]) -> None:
    result = project.run("migrate")

    assert result.returncode == 0
    assert result.stdout == f"✓ Nothing to do: the database is at {revisions[-1]}.\n"
