"""make merge"""

from tests.conftest import Project


def test_joins_two_heads_with_one_revision(project: Project, revisions: list[str]) -> None:
    for revision in ("abcd01", "abcd02"):
        project.write_revision(revision, revisions[-1])

    result = project.run("merge", "--message", "both")
    heads = project.run("alembic", "heads")

    assert result.returncode == 0, result.stderr
    assert "which joins abcd01 and abcd02" in result.stdout.replace("abcd02 and abcd01", "abcd01 and abcd02")
    assert heads.stdout.count("(head)") == 1
    assert project.run("migrate").returncode == 0


def test_with_one_head_there_is_nothing_to_join(project: Project, revisions: list[str]) -> None:
    files = sorted(project.versions.iterdir())

    result = project.run("merge")

    assert result.returncode == 0
    assert result.stdout == f"✓ Nothing to do: there is one head, {revisions[-1]}.\n"
    assert sorted(project.versions.iterdir()) == files
