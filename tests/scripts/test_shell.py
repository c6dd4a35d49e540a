"""make shell"""

from pathlib import Path

from tests.conftest import Project


def shell(folder: Path, line: str) -> str:
    path = folder / "shell"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o700)
    return str(path)


def test_psql_in_it_connects_to_the_database(settled: Project, tmp_path: Path) -> None:
    result = settled.run("shell", SHELL=shell(tmp_path, "psql -XAtc 'SELECT current_database()'"))

    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{settled.url.database}\n"


def test_it_also_opens_with_wrong_settings(settled: Project, tmp_path: Path) -> None:
    result = settled.run("shell", SHELL=shell(tmp_path, "echo opened"), POSTGRES_PORT="x", DATABASE_URL="x")

    assert result.returncode == 0
    assert result.stdout == "opened\n"
    assert "✗ The settings are not right." in result.stderr
