"""make verify-backup"""

from tests.conftest import Project


def test_the_latest_is_restored_on_the_scratch_server(project: Project) -> None:
    project.run("backup", "--name=first")
    project.run("backup", "--name=second")
    before = project.run("verify_backup", "--mode=quick", SCRATCH_HOST="")
    project.sql("INSERT INTO users (id, username, email) VALUES (1, 'a', 'a'), (2, 'b', 'b')")

    result = project.run("verify_backup")

    assert result.returncode == 0, result.stderr
    assert "written since" not in before.stderr
    assert "! The database was written since this backup: users has 2 rows now, 0 in the backup.\n" in result.stderr
    assert "-second was restored on the scratch server in " in result.stdout
    assert " and equals what was backed up: 7 tables, " in result.stdout


def test_quick_reads_all_of_it(project: Project) -> None:
    project.run("backup", "--name=first")

    result = project.run("verify_backup", "--mode=quick", "first", SCRATCH_HOST="")

    assert result.returncode == 0, result.stderr
    assert "-first is intact: every byte was read" in result.stdout


def test_without_a_backup_it_says_so(settled: Project) -> None:
    result = settled.run("verify_backup")

    assert result.returncode == 2
    assert "✗ There is no backup of " in result.stderr
    assert "Do:    make backup" in result.stderr


def test_another_mode_is_usage(settled: Project) -> None:
    assert settled.run("verify_backup", "--mode=half").returncode == 2
