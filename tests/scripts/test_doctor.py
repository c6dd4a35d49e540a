"""make doctor: each row of docs/troubleshooting.md is broken for real, seen, cured as the table says, and seen well."""

import pytest

from scripts.core.doctor import run
from tests.conftest import Project
from tests.scripts.troubleshooting import ROWS, Said, read, type_cure


@pytest.fixture
def patient(project: Project) -> Project:
    """A project whose targets run in its .venv, on a database of its own."""
    project.environment = {"RUNTIME": "embedded", "DATABASE_URL": project.url.render_as_string(hide_password=False)}
    return project


def look(project: Project, **environment: str) -> Said:
    """What the doctor says, without make."""
    return read(project.run("doctor", "--json", **environment))


def test_the_table_has_each_check_in_the_order_of_the_output() -> None:
    assert [check for check, _, _ in ROWS] == list(run.CHECKS)


def test_where_all_is_well_each_check_has_a_line_and_nothing_is_changed(patient: Project) -> None:
    before = sorted(patient.path.rglob("*"))

    result = patient.run("doctor")

    assert result.returncode == 0, result.stdout
    assert [line.split()[1] for line in result.stdout.splitlines()] == list(run.CHECKS)
    assert result.stderr == ""
    assert sorted(patient.path.rglob("*")) == before


def test_what_is_wrong_in_the_database_and_its_revisions(patient: Project, revisions: list[str]) -> None:
    name = str(patient.url.database)
    patient.sql_on_server(f"COMMENT ON DATABASE {name} IS NULL")
    patient.write_revision("abcd01", revisions[-1])
    patient.write_revision("abcd02", revisions[-1])

    seen = look(patient)

    assert seen.code == 1
    assert list(seen.wrong) == ["environment", "heads"]
    assert f"The environment of {name} is not set" in seen.wrong["environment"]
    assert "There are 2 heads: abcd01" in " ".join(seen.wrong["heads"].split())
    type_cure(patient, "environment", database=name)
    type_cure(patient, "heads")
    assert look(patient).wrong == {}


def test_settings_that_are_not_right(patient: Project) -> None:
    (patient.path / ".env").write_text("LOCK_TIMEOUT=soon\nOOPS\n")

    seen = look(patient)

    assert list(seen.wrong) == ["settings"]
    assert "LOCK_TIMEOUT is 'soon', not a number (line 1)" in seen.wrong["settings"]
    assert "line 2 is not NAME=value" in seen.wrong["settings"]
    assert {seen.state(check) for check in ("server", "passwords", "environment")} == {"not checked"}
    (patient.path / ".env").write_text("LOCK_TIMEOUT=300\n")
    well = look(patient, LOCK_TIMEOUT="400")
    assert well.wrong == {}
    assert "the environment wins for LOCK_TIMEOUT" in well.checks["settings"]["line"]
