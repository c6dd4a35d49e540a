"""make merge"""

import pytest

from tests.conftest import Project
from tests.core.running import begin, wait_until


def test_joins_two_heads_with_one_revision(project: Project, revisions: list[str]) -> None:
    for revision in ("abcd01", "abcd02"):
        project.write_revision(revision, revisions[-1])

    result = project.run("merge", "--message", "both")
    heads = project.run("alembic", "heads")

    assert result.returncode == 0, result.stderr
    assert "which joins abcd01 and abcd02" in result.stdout.replace("abcd02 and abcd01", "abcd01 and abcd02")
    assert "It ran up, down and up." in result.stdout
    assert heads.stdout.count("(head)") == 1
    assert project.run("migrate").returncode == 0


def column(of: str) -> str:
    return f'op.execute("ALTER TABLE users {of}")'


def test_branches_that_do_not_run_together_get_no_merge(edited: Project, revisions: list[str]) -> None:
    for revision in ("abcd01", "abcd02"):
        edited.write_revision(revision, revisions[-1], column("ADD note text"), column("DROP note"))
    files = sorted(edited.versions.iterdir())
    twice = edited.run("merge")
    for revision, length in (("abcd01", 300), ("abcd02", 400)):
        type_ = column("ALTER email TYPE varchar({})")
        edited.write_revision(revision, revisions[-1], type_.format(length), type_.format(255))
    ordered = edited.run("merge")
    left = sorted(edited.versions.iterdir())
    accepted = edited.run("merge", ACCEPT="merge")

    assert twice.returncode == ordered.returncode == 1
    assert 'column "note" of relation "users" already exists' in twice.stderr
    assert "The branches end in another schema when " in ordered.stderr
    assert "table users, column email: varchar(" in ordered.stderr
    assert "Override with ACCEPT=merge." in ordered.stderr
    assert twice.stderr.count("no merge revision was written.") == ordered.stderr.count("no merge revision") == 1
    assert left == files
    assert accepted.returncode == 0, accepted.stderr


@pytest.mark.faults
def test_a_kill_leaves_two_heads(edited: Project, revisions: list[str]) -> None:
    for revision in ("abcd01", "abcd02"):
        edited.write_revision(revision, revisions[-1])
    files = sorted(edited.versions.glob("*.py"))
    command = begin(edited, "merge")
    wait_until(lambda: [*edited.versions.glob(".unproven-*/*.py")])

    command.kill()

    assert sorted(edited.versions.glob("*.py")) == files
    assert edited.run("merge").returncode == 0
    assert not [*edited.versions.glob(".unproven-*")]


def test_with_one_head_there_is_nothing_to_join(project: Project, revisions: list[str]) -> None:
    files = sorted(project.versions.iterdir())

    result = project.run("merge")

    assert result.returncode == 0
    assert result.stdout == f"✓ Nothing to do: there is one head, {revisions[-1]}.\n"
    assert sorted(project.versions.iterdir()) == files
