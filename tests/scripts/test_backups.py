"""make backups"""

import json
import re
from dataclasses import replace
from typing import Any

from scripts.core.backups import manifest, store
from tests.conftest import Project


def names(project: Project) -> list[str]:
    return sorted(path.name for path in (project.path / "backups").iterdir())


def test_without_any_it_says_how_to_take_one(settled: Project) -> None:
    result = settled.run("backups")

    assert result.returncode == 0
    assert result.stdout == f"There is no backup in {settled.path}/backups yet: make backup\n"


def test_each_is_listed_with_what_was_proven_of_it(project: Project, revisions: list[str]) -> None:
    project.run("backup")
    project.run("backup", "--name=proven")
    project.run("verify_backup", "proven")
    (project.path / "backups" / "rubbish").mkdir()
    (project.path / "backups" / ".partial-x").mkdir()
    left = f"{project.url.database}__unfinished_0a1b2c3d"
    project.sql_on_server(f"CREATE DATABASE {left}")

    result = project.run("backups")
    project.sql_on_server(f"DROP DATABASE {left}")

    assert result.returncode == 0, result.stderr
    first, second = result.stdout.splitlines()[1::2]
    assert f" s old, 0.0 MB, at {revisions[-1]}, took " in first
    assert re.search(r", read \d+ s ago, never restored in a test   \(make verify-backup\)$", first)
    assert "restored in a test " in second
    assert "! rubbish: rubbish is no backup: its manifest cannot be read" in result.stderr
    assert f"! {left}: a database that an interrupted restore or reset left. The next one removes it." in result.stderr
    assert "! .partial-x: left by a failed backup. The next backup removes it." in result.stderr


def test_a_failed_check_is_shown(project: Project) -> None:
    project.run("backup")
    (name,) = names(project)
    (project.path / "backups" / name / "dump" / "toc.dat").write_text("x")
    assert project.run("verify_backup", "--mode=quick").returncode == 1

    assert "FAILED its check " in project.run("backups").stdout


def test_the_json_document(project: Project) -> None:
    project.run("backup", "--name=x")

    document = json.loads(project.run("backups", "--json").stdout)

    assert set(document) == {"format", "cluster", "backups", "no_backups", "failed", "kept_databases"}
    (backup,) = document["backups"]
    assert set(backup) == {
        *("name", "database", "cluster", "environment", "label", "created_at", "seconds", "bytes", "rows", "revision"),
        *("excluded", "verified", "after"),
    }
    assert backup["label"] == "x"
    assert backup["cluster"] == document["cluster"]
    assert backup["verified"]["kind"] == "quick"


def test_without_the_server_the_backups_are_listed_all_the_same(project: Project) -> None:
    project.run("backup")

    result = project.run("backups", POSTGRES_HOST="nowhere.invalid")

    assert result.returncode == 0
    assert names(project)[0] in result.stdout
    assert "The host nowhere.invalid is unknown." in result.stderr


def test_old_ones_go_when_the_folder_is_named(project: Project) -> None:
    for _ in range(3):
        project.run("backup")
    before = names(project)

    dry = project.run("backups", "--keep=1")
    wrong = project.run("backups", "--keep=1", CONFIRM="app")
    assert names(project) == before
    done = project.run("backups", "--keep=1", CONFIRM="backups")

    assert dry.returncode == done.returncode == 0
    assert wrong.returncode == 1
    assert (
        f"  {before[0]}  would be removed\n  {before[1]}  would be removed\n"
        "1 backup would stay. To remove the others: CONFIRM=backups" in dry.stdout
    )
    assert "✓ 2 backups removed; 1 left." in done.stdout
    assert names(project) == before[2:]


def test_after_a_failed_backup_none_goes(project: Project) -> None:
    for _ in range(2):
        project.run("backup")
    assert project.run("backup", "--exclude=nowhere").returncode == 2

    result = project.run("backups", "--keep=1", CONFIRM="backups")

    assert result.returncode == 1
    assert "✗ Nothing is removed: the last backup failed" in result.stderr
    assert len([name for name in names(project) if not name.startswith(".")]) == 2


def of_another_server(project: Project, cluster: str | None, **changes: Any) -> str:
    """Take a backup and write into its manifest whose it is."""
    project.run("backup")
    found = store.list_all(project.path / "backups").backups[-1]
    version = None if cluster is None else found.manifest.fingerprint_version
    changed = replace(found.manifest, cluster=cluster, fingerprint_version=version, **changes)
    manifest.write(found.path, changed)
    return found.name


def test_it_is_said_whose_a_backup_is_that_is_not_this_server_s(project: Project) -> None:
    other, old = of_another_server(project, "7000"), of_another_server(project, None)
    shop = of_another_server(project, "7000", database="shop")
    project.run("backup")

    lines = project.run("backups").stdout.splitlines()

    assert lines[lines.index(other) + 2] == "  Of another server."
    assert lines[lines.index(old) + 2].startswith("  Of an unknown server (an older version")
    assert lines[lines.index(shop) + 2] == "  Of the database shop, of another server."
    assert len(lines) == 4 * 2 + 3


def test_only_this_server_s_backups_are_removed(project: Project) -> None:
    other, old = of_another_server(project, "7000"), of_another_server(project, None)
    for _ in range(2):
        project.run("backup")
    last = names(project)[-1]

    result = project.run("backups", "--keep=1", CONFIRM="backups")

    assert result.returncode == 0, result.stderr
    assert names(project) == sorted([other, old, last])
    assert f"Not removed, because the server is unknown: 1, such as {old}." in result.stderr


def test_a_kept_database_that_may_be_another_s_is_named_and_not_restored(settled: Project) -> None:
    """Its name is of an older version, and two databases begin so."""
    beginning = f"{settled.url.database}_".ljust(40, "x")
    made = [f"{beginning}1", f"{beginning}2", f"{beginning}__kept_20261127T071800Z"]
    settled.sql_on_server(*(f'CREATE DATABASE "{name}" STRATEGY file_copy' for name in made))
    try:
        listed = settled.run("backups", POSTGRES_DB=made[0])
        refused = settled.run("restore", made[2], POSTGRES_DB=made[0], CONFIRM=made[0])
    finally:
        settled.sql_on_server(*(f'DROP DATABASE "{name}"' for name in made))

    for result in (listed, refused):
        assert f"{made[2]} was kept by a restore of {made[0]} or of {made[1]}; its name does not" in result.stderr
        assert f'make psql c=\'ALTER DATABASE "{made[2]}" RENAME TO' in result.stderr
    assert (listed.returncode, refused.returncode) == (0, 1)
