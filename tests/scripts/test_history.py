"""make history"""

import re

from scripts.core.revisions import migration_log
from tests.conftest import Project

WHO = re.escape(migration_log.who())
WHEN = rf"\d{{4}}-\d\d-\d\d \d\d:\d\d \S+ by {WHO}, \d+\.\d\d s"


def lines(project: Project) -> list[str]:
    result = project.run("history")
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_each_revision_has_when_and_by_whom_it_was_applied(settled: Project, revisions: list[str]) -> None:
    listed = lines(settled)

    assert len(listed) == len(revisions)
    for revision, line in zip(reversed(revisions), listed, strict=True):
        star = r"\*" if revision == revisions[-1] else " "
        assert re.fullmatch(rf"{star} {revision}  create .* \(applied {WHEN}\)", line), line


def test_what_is_not_applied_is_pending_whatever_was_before(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1])
    assert project.run("rollback").returncode == 0

    listed = lines(project)

    assert listed[0] == "  abcd01  abcd01 message  (pending)"
    assert re.fullmatch(rf"  {revisions[-1]}  create .* \(pending\)", listed[1])
    assert re.fullmatch(rf"\* {revisions[-2]}  create .* \(applied {WHEN}\)", listed[2])


def test_on_an_empty_database_everything_is_pending(empty_project: Project, revisions: list[str]) -> None:
    listed = lines(empty_project)

    assert len(listed) == len(revisions)
    assert all(line.startswith("  ") and line.endswith("(pending)") for line in listed)


def test_a_stamp_is_called_one_and_what_lies_below_it_is_applied(empty_project: Project, revisions: list[str]) -> None:
    assert empty_project.run("stamp", "head", ACCEPT="stamp").returncode == 0

    listed = lines(empty_project)

    assert re.fullmatch(rf"\* {revisions[-1]}  create .* \(stamped {WHEN}\)", listed[0])
    assert all(line.endswith("(applied)") for line in listed[1:])


def test_a_revision_without_a_file_is_named(project: Project, revisions: list[str]) -> None:
    project.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    listed = lines(project)

    assert listed[0] == "* abcd01  has no file in this checkout"
    assert [line.split()[0] for line in listed[1:]] == list(reversed(revisions))


def test_without_the_log_it_is_only_known_that_they_are_applied(project: Project, revisions: list[str]) -> None:
    project.sql("DROP TABLE migration_log")

    listed = lines(project)

    assert len(listed) == len(revisions)
    assert all(line.endswith("(applied)") for line in listed)
