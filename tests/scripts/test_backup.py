"""make backup"""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import Project


def backups(project: Project) -> list[Path]:
    folder = project.path / "backups"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_a_backup_is_taken_and_its_name_is_told(project: Project, revisions: list[str]) -> None:
    project.sql("INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com')")

    result = project.run("backup")

    assert result.returncode == 0, result.stderr
    (made,) = backups(project)
    assert re.fullmatch(
        rf"✓ Backed up {project.url.database}, at {revisions[-1]}: 7 tables, \d rows, 0\.\d MB in \d\.\d s\.\n"
        rf"  make restore BACKUP={made.name}\n",
        result.stdout,
    )
    assert json.loads((made / "manifest.json").read_text())["tables"]["public.users"]["rows"] == 1


def test_it_gets_the_name_that_it_is_given_and_leaves_out_what_it_is_told(project: Project) -> None:
    result = project.run("backup", "--name=feature-x", "--exclude=social_posts, migration_log")

    assert result.returncode == 0, result.stderr
    (made,) = backups(project)
    assert made.name.endswith("-feature-x")
    assert "Without the rows of public.social_posts, public.migration_log." in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--name=a/b"], "✗ NAME=a/b cannot name a backup."), (["--exclude=nowhere"], "✗ EXCLUDE=nowhere: there is no")],
)
def test_what_cannot_be_is_usage(project: Project, words: list[str], said: str) -> None:
    result = project.run("backup", *words)

    assert result.returncode == 2
    assert said in result.stderr
    assert [path for path in backups(project) if not path.name.startswith(".partial-")] == []


def test_a_wrong_password_is_told_and_nothing_is_made(settled: Project) -> None:
    result = settled.run("backup", POSTGRES_PASSWORD="wr0ng")

    assert result.returncode == 1
    assert "refuses the password of user" in result.stderr
    assert backups(settled) == []


def test_the_users_own_command_gets_the_folder_and_the_manifest(project: Project) -> None:
    command = 'cat >"$HOME/given"; basename "$1" >"$HOME/name"; ls "$1" >"$HOME/files"'

    result = project.run("backup", BACKUP_AFTER=command)

    assert result.returncode == 0, result.stderr
    (made,) = backups(project)
    assert (project.path / "name").read_text() == f"{made.name}\n"
    assert json.loads((project.path / "given").read_text())["database"] == project.url.database
    assert "manifest.json" in (project.path / "files").read_text()
    assert project.run("verify_backup", "--mode=quick").returncode == 0


def test_when_the_users_command_fails_so_does_ours_and_the_backup_stays(project: Project) -> None:
    result = project.run("backup", BACKUP_AFTER="echo no bucket >&2; exit 7")

    assert result.returncode == 1
    assert "✗ BACKUP_AFTER failed: no bucket" in result.stderr
    (made,) = backups(project)
    assert f"State: the backup {made.name} is complete and stays here." in result.stderr
    assert "  The command in BACKUP_AFTER FAILED: no bucket\n" in project.run("backups").stdout
    assert json.loads(project.run("backups", "--json").stdout)["backups"][0]["after"]["passed"] is False
    assert project.run("verify_backup", "--mode=quick").returncode == 0
