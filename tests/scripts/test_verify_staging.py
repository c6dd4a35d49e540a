"""make verify-staging"""

import json
import random
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import pytest
from sqlalchemy.engine import URL

from scripts.core.backups import manifest, store
from tests.conftest import ROOT, Project, copy_project
from tests.core.running import begin, wait_until
from tests.core.terminal import Terminal
from tests.core.verification.reports import document, everything_written, gate, left_behind
from tests.gates import examples

ADD = "ALTER TABLE users ADD COLUMN note text"
DROP = "ALTER TABLE users DROP COLUMN note"
GATES = ["source", "restore", "before", "upgrade", "drift", "data", "smoke", "rollback", "estimate"]


def execute(*statements: str) -> str:
    return "; ".join(f"op.execute({statement!r})" for statement in statements)


@pytest.fixture
def staged(project: Project) -> Project:
    """A project at head with fifty users, on staging's rules for nothing but its models."""
    project.sql(
        "INSERT INTO users (username, email) SELECT 'u' || n, 'person' || n % 40 || '@example.com'"
        " FROM generate_series(1, 50) n"
    )
    return project


def pend(project: Project, upgrade: str, downgrade: str = "pass") -> None:
    """One revision is pending, which the models know nothing of."""
    project.write_revision("abcd01", project.version[0], upgrade, downgrade)
    project.environment["ACCEPT"] = "drift"


def add_note_to_the_model(project: Project) -> None:
    path = project.path / "app" / "models" / "user.py"
    text = path.read_text().replace("import String", "import String, Text")
    path.write_text(text + "    note: Mapped[str | None] = mapped_column(Text)\n")


@pytest.fixture(scope="module")
def shop(new_database: Callable[..., URL], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose application is the shop of the examples, with a backup of its rows."""
    project = Project(copy_project(tmp_path_factory.mktemp("shop")), new_database())
    examples.lay(project.path)
    for verb in ("migrate", "backup"):
        result = project.call(sys.executable, "-m", f"scripts.{verb}")
        assert result.returncode == 0, result.stderr
    return project


@pytest.mark.parametrize("example", examples.BAD, ids=examples.name)
def test_a_bad_migration_is_stopped_by_the_right_gate(shop: Project, example: Path) -> None:
    examples.lay(shop.path, example)

    result = shop.run("verify_staging", **examples.settings(example))

    stopped_by = examples.stopped_by(document(shop))
    assert result.returncode == 1, result.stdout + result.stderr
    assert stopped_by["id"] == example.parent.name, result.stdout
    reported = "\n".join([stopped_by["summary"], *stopped_by["details"]])
    assert [words for words in examples.said(example) if words not in reported] == [], reported
    assert examples.SECRET not in everything_written(shop) + result.stdout + result.stderr


@pytest.mark.parametrize("example", examples.GOOD, ids=examples.name)
def test_a_good_migration_passes_every_gate(shop: Project, example: Path) -> None:
    examples.lay(shop.path, example)

    result = shop.run("verify_staging", **examples.settings(example))

    assert result.returncode == 0, result.stdout + result.stderr
    assert document(shop)["verdict"] == "passed", result.stdout


def test_the_examples_are_ten_of_each_kind_and_of_every_gate_that_a_migration_can_fail() -> None:
    assert min(len(examples.BAD), len(examples.GOOD)) >= 10
    without = {"restore", "before", "estimate"}
    assert {example.parent.name for example in examples.BAD} == {id_ for id_ in GATES if id_ not in without}


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


def test_contents_that_a_revision_reads_and_puts_into_sql_stay_in_the_database(staged: Project) -> None:
    loop = (
        "[op.execute(f\"UPDATE users SET username = 'kept {row.email}' WHERE email = '{row.email}'\")"
        " for row in op.get_bind().exec_driver_sql('SELECT email FROM users').all()]"
    )
    pend(staged, loop)
    staged.run("verify_staging", ACCEPT="drift,rollback")
    statement = document(staged)["revisions"][0]["statements"][1]
    pend(staged, execute("ALTER TABLE users ALTER email TYPE int USING email::int"))
    failed = staged.run("verify_staging")

    assert statement["sql"] == "UPDATE users SET username = '…' WHERE email = '…'"
    assert statement["count"] == 50
    assert statement["rows_written"] == {"users": 70}
    assert "invalid input syntax for type integer" in gate(staged, "upgrade")["summary"]
    assert "@example.com" not in everything_written(staged) + failed.stdout + failed.stderr


def test_a_scratch_server_that_goes_away_fails_with_a_report(staged: Project) -> None:
    gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'alembic%'"
    pend(staged, execute(ADD, f"{gone} AND query LIKE '%pg_advisory_lock%'", gone))

    result = staged.run("verify_staging")

    assert result.returncode == 1, result.stdout + result.stderr
    assert document(staged)["verdict"] == "failed"
    assert gate(staged, "upgrade")["status"] == "failed"


def test_a_lossy_downgrade_is_named(staged: Project) -> None:
    pend(staged, execute("ALTER TABLE social_pages DROP url"), execute("ALTER TABLE social_pages ADD url varchar(500)"))
    staged.sql("INSERT INTO social_accounts (user_id, platform, handle) VALUES (1, 'x', 'y')")
    staged.sql("INSERT INTO social_pages (account_id, name, url) VALUES (1, 'a', 'https://example.com')")

    lossy = staged.run("verify_staging", ACCEPT="drift,H08,H07")

    assert lossy.returncode == 0, lossy.stdout
    assert gate(staged, "rollback")["status"] == "warned"
    assert gate(staged, "rollback")["details"] == ["social_pages: other contents in url; lost by abcd01"]
    assert gate(staged, "data")["details"] == ["social_pages: column url dropped, 1 value lost with it"]


def test_a_revision_that_says_it_cannot_be_undone_is_a_warning(staged: Project) -> None:
    pend(staged, execute(ADD), "raise NotImplementedError('the old column is gone')")

    result = staged.run("verify_staging")

    assert result.returncode == 0, result.stdout
    assert gate(staged, "rollback")["status"] == "warned"
    assert "declared irreversible" in gate(staged, "rollback")["summary"]
    assert document(staged)["verdict"] == "warned"


def test_a_downgrade_that_fails_is_a_failure(staged: Project) -> None:
    pend(staged, execute(ADD), execute("ALTER TABLE users DROP COLUMN remark"))

    result = staged.run("verify_staging")

    assert result.returncode == 1
    assert "The downgrade fails: alembic/versions/abcd01.py, line 16: column " in gate(staged, "rollback")["summary"]


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
    assert "Differs from the models: index users.by_hand is not in the models" in gate(staged, "drift")["details"]


def test_large_tables_are_compared_by_ranges_of_the_key_and_every_part_of_the_report_says_so(staged: Project) -> None:
    staged.sql("CREATE TABLE keyless AS SELECT 1 AS n")
    rename = "ALTER TABLE users RENAME id TO number", "ALTER TABLE users RENAME TO people"
    undo = "ALTER TABLE people RENAME TO users", "ALTER TABLE users RENAME number TO id"
    pend(staged, execute(*rename, "ALTER TABLE people ALTER email TYPE varchar(255) USING 'x'"), execute(*undo))

    result = staged.run("verify_staging", HASH_MB="0", ACCEPT="drift,H08")

    assert result.returncode == 1
    gates = {id_: gate(staged, id_) for id_ in ("before", "data", "rollback")}
    assert "hashed completely, 24 kB; 1 by ranges of the key" in gates["before"]["summary"]
    assert gates["before"]["details"] == [
        "keyless: 8 kB hashed completely, because it has no primary key",
        "users: of 50 rows, which are counted, 50 are hashed in 1 range of id",
    ]
    wrong = "people: 50 rows before, 50 after; other contents in email; 50 of 50 rows compared, in ranges of id"
    assert wrong in gates["data"]["details"]
    assert gates["rollback"]["details"] == ["users: other contents in email; lost by abcd01"]
    (people,) = (one for one in document(staged)["data"] if one["table"] == "people")
    assert people["compared"] == 50
    for path in (staged.path / "reports").glob("*/*"):
        assert "50 of 50 rows compared, in ranges of id" in path.read_text(), path.name
    assert document(staged)["environment"]["HASH_MB"] == "0"


def test_what_a_migration_writes_is_told_with_numbers(staged: Project) -> None:
    pend(staged, execute("UPDATE users SET email = upper(email) WHERE id <= 10", "ALTER TABLE users RENAME TO people"))

    staged.run("verify_staging", ACCEPT="drift,H08,rollback")

    assert gate(staged, "data")["details"] == ["people: 10 rows written; other contents in email"]
    assert gate(staged, "data")["status"] == "passed"


def test_a_lock_longer_than_the_budget_may_be_accepted(staged: Project) -> None:
    pend(staged, execute(ADD, "SELECT pg_sleep(0.3)"), execute(DROP))

    accepted = staged.run("verify_staging", MAX_BLOCK_MS="100", ACCEPT="drift,budget")

    assert accepted.returncode == 0, accepted.stdout
    assert gate(staged, "upgrade")["status"] == "warned"
    (lock,) = document(staged)["locks"]
    assert lock["mode"] == "AccessExclusiveLock"
    assert 0.3 < lock["seconds"] < 1


def test_a_revision_that_interrupts_itself_where_rows_are_passes_no_gate(staged: Project) -> None:
    rows = "if op.get_bind().exec_driver_sql('SELECT count(*) FROM users').scalar():\n"
    pend(staged, f"{rows}        raise KeyboardInterrupt", "pass")

    result = staged.run("verify_staging")

    assert result.returncode == 1
    upgrade = gate(staged, "upgrade")
    assert upgrade["status"] == "failed"
    assert re.fullmatch(
        r"alembic/versions/\w+\.py, line \d+: KeyboardInterrupt would end the whole command", upgrade["summary"]
    )


def test_the_users_own_checks(staged: Project) -> None:
    pend(staged, execute(ADD), execute(DROP))
    folder = staged.path / "tests" / "staging"
    folder.mkdir(exist_ok=True)
    (folder / "a.sql").write_text("SELECT email FROM users WHERE email LIKE '%0@%'")
    (folder / "b.sql").write_text("SELECT nothing")
    (folder / "c.py").write_text(
        "import os, psycopg2\nc = psycopg2.connect(os.environ['DATABASE_URL']).cursor()\n"
        "c.execute('SELECT count(note), count(*) FROM users')\nraise SystemExit(f'error: {c.fetchone()}')\n"
    )
    (folder / "d.py").write_text(
        "import os, psycopg2\nhost, port, user, password, name = (\n"
        "    os.environ[f'POSTGRES_{part}'] for part in ('HOST', 'PORT', 'USER', 'PASSWORD', 'DB'))\n"
        "c = psycopg2.connect(host=host, port=port, user=user, password=password, dbname=name)\n"
        "c.cursor().execute('DELETE FROM users')\nc.commit()\n"
    )
    (staged.path / ".env").write_text("COLOUR=blue\n")
    (folder / "e.py").write_text("import os\nassert os.environ['COLOUR'] == 'blue'\nopen('.env')\n")

    result = staged.run("verify_staging")

    assert result.returncode == 1
    assert gate(staged, "smoke")["details"] == [
        "a.sql: returned 5 rows",
        'b.sql: column "nothing" does not exist',
        "c.py: (0, 50)",
        "e.py: PermissionError: .env is not for checks: read os.environ",
    ]
    assert staged.sql("SELECT count(*) FROM users") == [(50,)]


def commit(project: Project, tag: str) -> None:
    """All of it, as a release."""
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", tag), ("tag", tag)):
        assert project.call("git", *words).returncode == 0


def test_the_checks_of_the_running_release_meet_the_new_schema_with_its_code(staged: Project, tmp_path: Path) -> None:
    checks = staged.path / "tests" / "staging"
    checks.mkdir(exist_ok=True)
    (checks / "old.py").write_text(
        "from sqlalchemy.orm import Session\nfrom app import database, settings\nfrom app.models.user import User\n"
        "with Session(database.make_engine(settings.load())) as session: session.query(User).first()\n"
    )
    commit(staged, "v1")
    (checks / "old.py").unlink()
    pend(
        staged,
        execute("ALTER TABLE users RENAME email TO address"),
        execute("ALTER TABLE users RENAME address TO email"),
    )
    staged.environment["ACCEPT"] = "drift,H08"

    alone = staged.run("verify_staging")
    both = staged.run("verify_staging", "--release=v1")
    (tmp_path / "v0" / "tests" / "staging").mkdir(parents=True)
    (tmp_path / "v0" / "tests" / "staging" / "fine.sql").write_text("SELECT 1 WHERE false")
    folder = staged.run("verify_staging", f"--release={tmp_path / 'v0'}")

    assert alone.returncode == 0, alone.stdout
    assert both.returncode == 1
    assert "column users.email does not exist" in both.stdout, both.stdout
    assert "v1: old.py: " in both.stdout
    assert folder.returncode == 0, folder.stdout
    assert gate(staged, "smoke")["summary"] == "2 checks passed"


def test_a_release_that_is_not_there_is_told_before_anything_is_done(staged: Project) -> None:
    result = staged.run("verify_staging", "--release=v9")

    assert result.returncode == 2
    assert "RELEASE=v9 is neither a folder nor a commit that git has here." in result.stderr
    assert result.stdout == ""


def test_the_estimate_says_whether_it_fits_the_shortest_window(staged: Project) -> None:
    pend(staged, execute(ADD, "SELECT pg_sleep(0.1)"), execute(DROP))
    windows = "Sun 02:00-05:00 Europe/Berlin; Wed 23:00-01:00 UTC"

    result = staged.run("verify_staging", MAINTENANCE_WINDOW=windows)

    assert result.returncode == 0, result.stdout
    assert "fits the window of 120 min" in gate(staged, "estimate")["summary"]


def test_a_backup_of_a_newer_major_is_refused(staged: Project) -> None:
    staged.run("backup")
    (found,) = store.list_all(staged.path / "backups").backups
    manifest.write(found.path, replace(found.manifest, server=990001))

    result = staged.run("verify_staging")

    assert result.returncode == 1, result.stdout
    assert "is of PostgreSQL 99, but the server is 1" in gate(staged, "source")["summary"]
    assert gate(staged, "restore")["status"] == "not run"


def test_the_backup_of_another_server_is_used_only_by_its_name(staged: Project) -> None:
    """The database has the same name there, and is at the same revision."""
    pend(staged, execute(ADD), execute(DROP))
    staged.run("backup")
    (found,) = store.list_all(staged.path / "backups").backups
    manifest.write(found.path, replace(found.manifest, cluster="7000"))

    named = staged.run("verify_staging", f"--from={found.name}")
    of_named = gate(staged, "source")["summary"]
    newest = staged.run("verify_staging")

    assert named.returncode == newest.returncode == 0, named.stdout + newest.stdout
    assert of_named.startswith(f"{found.name} (of another server), at ")
    assert "Taking a backup first" in newest.stderr
    assert document(staged)["backup"]["name"] != found.name


def test_from_names_a_backup_which_is_told_when_it_is_of_another_revision(staged: Project) -> None:
    staged.run("backup", "--name=first")
    pend(staged, execute(ADD), execute(DROP))
    staged.run("migrate")

    result = staged.run("verify_staging", "--from=first")
    unknown = staged.run("verify_staging", "--from=second")

    assert result.returncode == 0, result.stdout
    assert unknown.returncode == 1
    assert "The database is at abcd01 now, but the backup is of another revision." in result.stdout
    assert "There is no backup second of" in unknown.stdout
    assert gate(staged, "restore")["status"] == "not run"


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


def test_an_interruption_is_reported_and_leaves_nothing(staged: Project) -> None:
    """At one gate; at each of them: tests/core/verification/test_interruptions.py"""
    sleeping = pend_a_sleep(staged)
    running = begin(staged, "verify_staging")
    wait_until(lambda: staged.sql(sleeping))

    running.send(signal.SIGTERM)
    result = running.end()

    assert result.returncode == 130, result.stderr
    check_interrupted(staged)


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


def test_what_rows_hold_is_never_run(staged: Project) -> None:
    """PostgreSQL quotes the key in its error, and the application chose what is in there."""
    made = f"made_by_{random.getrandbits(31)}"
    attack = f"'') ; COPY (SELECT 1) TO PROGRAM 'touch {made}' ; SELECT 2 --)=(x"
    staged.sql("UPDATE users SET email = id")
    staged.sql("UPDATE users SET email = '{}' WHERE id <= 2".format(attack.replace("'", "''")))
    pend(staged, 'op.create_unique_constraint("u", "users", ["email"])', 'op.drop_constraint("u", "users")')

    result = staged.run("verify_staging")

    assert result.returncode == 1
    assert staged.sql(f"SELECT pg_stat_file('{made}', true)") == [(None,)]
    assert gate(staged, "upgrade")["details"][-2:] == [
        "The statement fails for 2 rows of users.",
        "Their keys (id): 1; 2",
    ]
    assert "COPY" not in everything_written(staged) + result.stdout + result.stderr


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "CREATE UNIQUE INDEX ON users (lower(email)) WHERE length(email) > 3",
            "The statement fails for 20 rows of users.",
        ),
        ("ALTER TABLE users ADD COLUMN n int NOT NULL", "The failing rows are not counted: "),
        ("ALTER TABLE users ADD COLUMN n int DEFAULT 1 UNIQUE", "The failing rows are not counted: "),
        ("ALTER TABLE users ALTER email TYPE varchar(19); SELECT 1", "The statement fails for 31 rows of users."),
        (
            "DO $$ BEGIN RAISE unique_violation USING TABLE = 'users', SCHEMA = 'public'; END $$",
            "the revision cannot run",
        ),
    ],
)
def test_the_rows_in_the_way_are_counted_by_catalogs_or_not_at_all(
    staged: Project, statement: str, expected: str
) -> None:
    pend(staged, execute(statement))

    result = staged.run("verify_staging")

    assert result.returncode == 1
    assert expected in "\n".join(gate(staged, "upgrade")["details"])
