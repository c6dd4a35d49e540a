"""make verify-staging"""

import json
import re
import signal
from unittest.mock import ANY

import pytest

from tests.conftest import ROOT, Project
from tests.core.running import begin, wait_until
from tests.core.terminal import Terminal
from tests.core.verification.reports import ADD, DROP, document, execute, gate, left_behind, pend

GATES = ["source", "restore", "before", "upgrade", "drift", "data", "smoke", "rollback", "estimate"]


@pytest.fixture
def staged(project: Project) -> Project:
    """A project at head with fifty users, on staging's rules for nothing but its models."""
    project.sql(
        "INSERT INTO users (username, email) SELECT 'u' || n, 'person' || n % 40 || '@example.com'"
        " FROM generate_series(1, 50) n"
    )
    return project


def add_note_to_the_model(project: Project) -> None:
    path = project.path / "app" / "models" / "user.py"
    text = path.read_text().replace("import String", "import String, Text")
    path.write_text(text + "    note: Mapped[str | None] = mapped_column(Text)\n")


def test_a_good_migration_passes_every_gate_and_the_database_is_only_read(staged: Project) -> None:
    add_note_to_the_model(staged)
    staged.write_revision("abcd01", staged.version[0], execute(ADD, "UPDATE users SET note = 'x'"), execute(DROP))
    (staged.path / "tests" / "staging").mkdir(exist_ok=True)
    (staged.path / "tests" / "staging" / "notes.sql").write_text("SELECT id FROM users WHERE note IS NULL")
    before = staged.version, staged.sql("SELECT * FROM users")

    result = staged.run("verify_staging")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Taking a backup first" in result.stderr
    assert "✓ Verification passed: every gate has passed\n" in result.stdout
    found = document(staged)
    assert found["verdict"] == "passed"
    assert [(one["id"], one["status"]) for one in found["gates"]] == [(id_, "passed") for id_ in GATES]
    assert found["from"] == staged.version
    assert found["to"] == "abcd01"
    (revision,) = found["revisions"]
    assert revision["statements"][1]["rows_written"] == {"users": 50}
    assert [one["table"] for one in found["data"] if one["note"]] == ["users"]
    assert found["schema"] == [
        {"name": "table users, column note", "kind": "structure", "before": None, "after": "text"}
    ]
    assert (staged.version, staged.sql("SELECT * FROM users")) == before
    assert left_behind(staged) == []


def test_the_document_has_the_names_that_docs_promise(staged: Project) -> None:
    (promised,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "verify-staging.md").read_text(), re.DOTALL)
    pend(staged, execute("CREATE INDEX i ON users (email)"), execute("DROP INDEX i"))

    printed = json.loads(staged.run("verify_staging", "--json").stdout)

    assert printed == document(staged)
    expected = json.loads(promised)
    assert printed.keys() == expected.keys()
    for name in ("backup", "estimate"):
        assert printed[name].keys() == expected[name].keys()
    for name in ("gates", "revisions", "locks", "schema", "data"):
        assert printed[name][0].keys() == expected[name][0].keys(), name
    assert printed["revisions"][0]["statements"][0].keys() == expected["revisions"][0]["statements"][0].keys()
    assert [one["id"] for one in expected["gates"]] == GATES


def test_with_nothing_pending_the_restore_and_drift_are_still_proven(staged: Project) -> None:
    well = staged.run("verify_staging")
    staged.sql("ALTER TABLE users ADD COLUMN by_hand text; CREATE INDEX by_hand ON users (email)")
    staged.run("backup")
    drifted = staged.run("verify_staging")

    assert well.returncode == 0, well.stdout
    assert "nothing pending" in well.stdout
    assert drifted.returncode == 1
    assert gate(staged, "restore")["status"] == "passed"
    assert gate(staged, "drift")["status"] == "failed"
    assert (
        "Differs from the revision files: table users, column by_hand is not expected"
        in gate(staged, "drift")["details"]
    )


def test_a_release_that_is_not_there_is_told_before_anything_is_done(staged: Project) -> None:
    result = staged.run("verify_staging", "--release=v9")

    assert result.returncode == 2
    assert "RELEASE=v9 is neither a folder nor a commit that git has here." in result.stderr
    assert result.stdout == ""


def pend_a_sleep(project: Project) -> str:
    """A revision, and one that does not end; returns the query that has a row while that runs."""
    pend(project, execute(ADD), execute(DROP))
    sleep = f"SELECT pg_sleep(60) AS {project.url.database}"
    project.write_revision("abcd02", "abcd01", execute(sleep), "pass")
    return f"SELECT 1 FROM pg_stat_activity WHERE query = '{sleep}' AND wait_event = 'PgSleep'"


def check_interrupted(project: Project) -> None:
    assert document(project)["verdict"] == "interrupted"
    assert gate(project, "upgrade")["status"] == "interrupted"
    assert gate(project, "drift")["status"] == "not run"
    assert [len(one["statements"]) for one in document(project)["revisions"]] == [1, 0]
    assert left_behind(project) == []


@pytest.mark.faults
def test_an_interruption_is_reported_and_leaves_nothing(staged: Project) -> None:
    """At one gate; at each of them: tests/core/verification/test_interruptions.py"""
    sleeping = pend_a_sleep(staged)
    running = begin(staged, "verify_staging")
    wait_until(lambda: staged.sql(sleeping))

    running.send(signal.SIGTERM)
    result = running.end()

    assert result.returncode == 130, result.stderr
    check_interrupted(staged)


@pytest.mark.faults
def test_a_terminal_shows_every_gate_from_the_beginning_and_is_as_before_after_ctrl_c(staged: Project) -> None:
    sleeping = pend_a_sleep(staged)
    variables = {**staged.variables(), **staged.environment}
    terminal = Terminal(["-m", "scripts.verify_staging"], staged.path, variables)
    terminal.read_until(lambda: len(terminal.lines) > len(GATES))
    began = terminal.lines
    terminal.read_until(lambda: staged.sql(sleeping) and " of 2 revisions" in "".join(terminal.lines))
    running = terminal.lines
    terminal.write("\x03")
    code = terminal.end()

    assert code == 130
    check_interrupted(staged)
    waiting = [line[2:15].strip() for line in began if line.endswith(" waits")]
    assert waiting == ["restore", "before", "upgrade", "drift", "data kept", "smoke checks", "rollback", "estimate"]
    assert [line[0] for line in running if re.search(" passed | 50% | waits$", line)] == ["✓"] * 3 + [ANY] + ["·"] * 5
    *_, verdict, path, last = terminal.lines
    assert [line[0] for line in terminal.lines if re.match("[✓✗·-] ", line)] == [*"✓✓✓✗-----"]
    assert verdict == "Verification interrupted: upgrade: interrupted here"
    assert (staged.path / path.strip()).is_file()
    assert last == ""
