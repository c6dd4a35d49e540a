"""What the guards refuse: the environment, an edited revision, the maintenance window, rows to be lost"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from scripts.core import maintenance_window, overrides
from scripts.core.backups import manifest, store
from scripts.core.errors import UserError
from scripts.core.postgres import environments
from scripts.core.settings import Settings
from tests.conftest import Project, copy_project
from tests.core.running import begin, by_hand, run, session, wait_until, waits_for_lock
from tests.scripts.conftest import _check_calls, _run_by_forking  # noqa: F401  (commands run as they do there)

SOON = datetime.now(UTC) + timedelta(days=3)
CLOSED = f"{maintenance_window.DAYS[SOON.weekday()]} 02:00-03:00 UTC"
OPEN = "; ".join(f"{day} 00:00-00:00 UTC" for day in maintenance_window.DAYS)


@pytest.fixture
def staging(new_database: Callable[..., URL], template: str, tmp_path: Path, revisions: list[str]) -> Project:
    """A staging environment at head, with one revision pending."""
    folder = tmp_path / "staging"
    folder.mkdir()
    project = Project(copy_project(folder), new_database(template, "staging"), {"APP_ENV": "staging"})
    project.write_revision("abcd01", revisions[-1])
    return project


def edit(project: Project, revision: str, old: str = "length=50", new: str = "length=60") -> str:
    """Change the file of a revision; returns its name."""
    (path,) = project.versions.glob(f"*{revision}*.py")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return path.name


@pytest.mark.parametrize(
    ("app_env", "stored", "effective"),
    [
        ("development", "development", "development"),
        ("development", None, "production"),
        ("test", "development", "test"),
        ("test", "test", "test"),
        ("test", "staging", "staging"),
        ("test", None, "production"),
        ("staging", "development", "staging"),
        ("staging", "staging", "staging"),
        ("staging", "production", "production"),
        ("staging", None, "production"),
        ("production", "development", "production"),
        ("production", "staging", "production"),
        # Edited by hand.
        ("staging", "", "production"),
        ("staging", "Staging", "production"),
        ("staging", "development ", "production"),
        ("test", "no such thing", "production"),
    ],
)
def test_the_stricter_of_environment_and_mark_wins(
    configured: Settings, app_env: str, stored: str | None, effective: str
) -> None:
    assert environments.effective(replace(configured, app_env=app_env), stored) == effective


@pytest.mark.parametrize("stored", ["test", "staging", "production", "Development", "no such thing"])
def test_a_development_environment_may_not_touch_a_database_of_another_one(configured: Settings, stored: str) -> None:
    with pytest.raises(UserError, match=f"its environment is {stored}"):
        environments.effective(replace(configured, app_env="development"), stored)


@pytest.mark.parametrize(
    ("accept", "accepted"),
    [
        ("", False),
        ("edited", True),
        ("window,edited", True),
        (" window , edited ", True),
        ("window", False),
        ("edit", False),
        ("EDITED", False),
        ("window edited", False),
    ],
)
def test_a_refusal_is_accepted_by_its_id(monkeypatch: pytest.MonkeyPatch, accept: str, accepted: bool) -> None:
    monkeypatch.setenv("ACCEPT", accept)

    assert overrides.accepted("edited") is accepted


def test_development_is_refused_on_a_database_marked_staging(staging: Project, revisions: list[str]) -> None:
    results = [
        staging.run("migrate", APP_ENV="development"),
        staging.run("rollback", APP_ENV="development"),
        staging.run("stamp", revisions[0], APP_ENV="development"),
        by_hand(staging, "upgrade", "head", APP_ENV="development"),
    ]

    for result in results:
        printed = result.stdout + result.stderr
        assert f"Refusing to touch {staging.url.database}: its environment is staging." in printed
        assert "APP_ENV is development" in printed
    assert [result.returncode for result in results[:3]] == [1, 1, 1]
    assert results[3].returncode != 0
    assert staging.version == revisions[-1:]


def test_an_edited_revision_stops_staging_until_it_is_accepted(staging: Project, revisions: list[str]) -> None:
    name = edit(staging, revisions[0])

    refused = staging.run("migrate")
    status = staging.run("status")

    assert refused.returncode == 1
    assert f"✗ {name} was edited after revision {revisions[0]} was applied." in refused.stderr
    assert "ACCEPT=edited" in refused.stderr
    assert "State: nothing was changed." in refused.stderr
    assert "Taking a backup" not in refused.stdout
    assert staging.version == revisions[-1:]
    assert f"{revisions[0]}, after it was applied" in status.stdout
    accepted = staging.run("migrate", ACCEPT="edited,window")
    assert accepted.returncode == 0, accepted.stderr
    assert f"{name} was edited after" in accepted.stdout
    assert staging.version == ["abcd01"]
    assert staging.sql("SELECT overrides FROM migration_log WHERE revision = 'abcd01'") == [("ACCEPT=edited",)]


def test_another_layout_stops_nothing(staging: Project, revisions: list[str]) -> None:
    edit(staging, revisions[0], "length=50", "length = 50  # enough\n")
    edit(staging, revisions[1], "create social tables", "create the social tables")

    result = staging.run("migrate")

    assert result.returncode == 0, result.stderr
    assert "edited" not in result.stdout + result.stderr


def test_an_edited_revision_is_a_warning_in_development(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1])
    name = edit(project, revisions[0])

    result = project.run("migrate")

    assert result.returncode == 0, result.stderr
    assert f"{name} was edited after revision {revisions[0]} was applied; this database has" in result.stdout
    assert project.version == ["abcd01"]


def test_outside_the_window_staging_is_left_alone(staging: Project, revisions: list[str]) -> None:
    staging.environment["MAINTENANCE_WINDOW"] = CLOSED

    results = [staging.run("migrate"), staging.run("rollback"), by_hand(staging, "upgrade", "head")]

    for result in results:
        printed = result.stdout + result.stderr
        assert f"Outside the maintenance window {CLOSED}." in printed
        assert f"It opens {SOON:%A %Y-%m-%d} 02:00 UTC." in printed
        assert "ACCEPT=window" in printed
        assert "Taking a backup" not in printed
    assert [result.returncode for result in results[:2]] == [1, 1]
    assert results[2].returncode != 0
    assert staging.version == revisions[-1:]
    assert staging.run("migrate", ACCEPT="window").returncode == 0
    assert staging.version == ["abcd01"]


def test_staging_wants_a_verification_of_these_very_files(staging: Project, revisions: list[str]) -> None:
    staging.environment |= {"VERIFY_FRESH": "7"}

    refused = [staging.run("migrate"), by_hand(staging, "upgrade", "head", ACCEPT="plan")]
    verified = staging.run("verify_staging")
    edit(staging, "abcd01", "    pass", '    op.execute("SELECT 1")')
    edited = staging.run("migrate")
    edit(staging, "abcd01", 'op.execute("SELECT 1")', "pass  # nothing")
    stale = staging.run("migrate", VERIFY_FRESH="0.00000001")
    migrated = staging.run("migrate")

    for result in refused:
        printed = result.stdout + result.stderr
        assert f"Not verified on a copy of the data of {staging.url.database}: abcd01." in printed
        assert "make verify-staging. Override with ACCEPT=unverified." in printed
        assert "Taking a backup" not in printed
    assert verified.returncode == 0, verified.stdout
    assert edited.returncode == 1
    assert "Not verified on a copy" in edited.stderr
    assert stale.returncode == 1
    assert migrated.returncode == 0, migrated.stderr
    assert staging.version == ["abcd01"]
    assert staging.sql("SELECT overrides FROM migration_log WHERE revision = 'abcd01'") == [(None,)]


def test_a_verification_for_another_server_proves_nothing(staging: Project) -> None:
    staging.environment |= {"VERIFY_FRESH": "7"}
    assert staging.run("verify_staging").returncode == 0
    (report,) = (staging.path / "reports").glob("*/report.json")
    report.write_text(json.dumps(json.loads(report.read_text()) | {"cluster": "7000"}))

    refused = staging.run("migrate")

    assert refused.returncode == 1
    assert "Not verified on a copy" in refused.stderr


def test_a_fresh_backup_of_another_server_is_none(staging: Project) -> None:
    assert staging.run("backup").returncode == 0
    (found,) = store.list_all(staging.path / "backups").backups
    manifest.write(found.path, replace(found.manifest, cluster="7000"))

    result = staging.run("migrate")

    assert result.returncode == 0, result.stderr
    assert "Taking a backup first: " in result.stdout


def test_a_failed_verification_proves_nothing_and_is_overridden_by_name(staging: Project) -> None:
    edit(staging, "abcd01", "    pass", '    op.execute("CREATE TABLE more ()")')
    staging.environment |= {"VERIFY_FRESH": "7"}

    failed = staging.run("verify_staging")
    refused = staging.run("migrate")
    accepted = staging.run("migrate", ACCEPT="unverified")

    assert failed.returncode == 1
    assert "Not verified on a copy" in refused.stderr
    assert accepted.returncode == 0, accepted.stderr
    assert staging.sql("SELECT overrides FROM migration_log WHERE revision = 'abcd01'") == [("ACCEPT=unverified",)]


def test_inside_the_window_staging_migrates(staging: Project) -> None:
    result = staging.run("migrate", MAINTENANCE_WINDOW=f"{CLOSED}; {OPEN}")

    assert result.returncode == 0, result.stderr
    assert staging.version == ["abcd01"]


def test_development_has_no_window_unless_the_database_is_not_marked(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1])
    project.environment["MAINTENANCE_WINDOW"] = CLOSED

    assert project.run("migrate").returncode == 0
    project.sql(f"COMMENT ON DATABASE {project.url.database} IS NULL")
    refused = project.run("rollback")

    assert refused.returncode == 1
    assert "Outside the maintenance window" in refused.stderr
    assert project.version == ["abcd01"]


def test_a_malformed_window_is_a_fault_of_the_settings(staging: Project, revisions: list[str]) -> None:
    result = staging.run("migrate", MAINTENANCE_WINDOW="Sundays", MIGRATION_WAIT="long")

    assert result.returncode == 2
    assert "    MAINTENANCE_WINDOW: 'Sundays' is not like 'Sun 02:00-05:00 Europe/Berlin'" in result.stderr
    assert "    MIGRATION_WAIT is 'long', not a number" in result.stderr
    assert staging.version == revisions[-1:]


INDEX = 'op.create_index("ix_users_email", "users", ["email"])'


@pytest.fixture
def blocking(staging: Project) -> Project:
    """A staging environment whose pending revision stops writes of a table that counts as large."""
    staging.write_revision("abcd02", "abcd01", INDEX, 'op.drop_index("ix_users_email")')
    staging.sql("INSERT INTO users (username, email) SELECT n, n FROM generate_series(1, 100) n; ANALYZE users")
    staging.environment["LARGE_TABLE_ROWS"] = "100"
    return staging


def test_a_blocking_finding_stops_staging_until_it_is_accepted(blocking: Project, revisions: list[str]) -> None:
    refused = [blocking.run("migrate"), blocking.run("migrate", ACCEPT="H04,window")]

    for result in refused:
        assert result.returncode == 1
        assert "  H03 block  alembic/versions/abcd02.py:12  users is read to build" in result.stdout
        assert "(100 rows, " in result.stdout
        assert "✗ Not applied, because of H03: see the plan." in result.stderr
        assert "ACCEPT=H03" in result.stderr
        assert "State: nothing was changed." in result.stderr
    assert blocking.version == revisions[-1:]
    accepted = blocking.run("migrate", ACCEPT="H03")
    assert accepted.returncode == 0, accepted.stderr
    assert blocking.sql("SELECT DISTINCT overrides FROM migration_log WHERE revision LIKE 'abcd%'") == [("ACCEPT=H03",)]


def test_a_silenced_finding_stops_nothing(blocking: Project) -> None:
    file = blocking.versions / "abcd02.py"
    file.write_text(file.read_text() + "# safe: H03 nobody writes users at night\n")

    result = blocking.run("migrate")

    assert result.returncode == 0, result.stderr
    assert "H03 silenced  alembic/versions/abcd02.py:12  index not CONCURRENTLY: nobody writes" in result.stdout


def test_in_development_a_blocking_finding_is_a_warning(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], INDEX)
    project.sql("INSERT INTO users (username, email) SELECT n, n FROM generate_series(1, 100) n; ANALYZE users")

    result = project.run("migrate", LARGE_TABLE_ROWS="100")

    assert result.returncode == 0, result.stderr
    assert "  abcd01  abcd01 message  (1 statement, " in result.stdout
    assert " s on a copy; blocks writes of users)\n" in result.stdout
    assert "  H03 block  alembic/versions/abcd01.py:12" in result.stdout
    assert project.version == ["abcd01"]


def test_by_hand_nothing_is_planned_so_staging_refuses_and_names_the_target(
    staging: Project, revisions: list[str]
) -> None:
    result = by_hand(staging, "upgrade", "head")

    assert result.returncode != 0
    assert "These revisions have not been planned." in result.stderr
    assert "make migrate" in result.stderr
    assert staging.version == revisions[-1:]
    assert by_hand(staging, "upgrade", "head", ACCEPT="plan,backup").returncode == 0
    assert staging.sql("SELECT overrides FROM migration_log WHERE revision = 'abcd01'") == [("ACCEPT=plan,backup",)]


def backups(project: Project) -> list[str]:
    folder = project.path / "backups"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_outside_development_migrate_takes_a_backup_first_and_logs_its_name(staging: Project) -> None:
    result = staging.run("migrate")

    (name,) = backups(staging)
    assert result.returncode == 0, result.stderr
    assert f"Taking a backup first: {name}\n" in result.stdout
    assert staging.sql("SELECT backup, overrides FROM migration_log WHERE revision = 'abcd01'") == [(name, None)]


def test_a_fresh_backup_is_used_and_one_from_before_the_last_migration_is_not(staging: Project) -> None:
    assert staging.run("backup").returncode == 0
    (first,) = backups(staging)

    migrate = staging.run("migrate")
    rollback = staging.run("rollback")

    assert "Taking a backup" not in migrate.stdout
    assert f"Taking a backup first: {backups(staging)[1]}\n" in rollback.stdout
    log = staging.sql("SELECT direction, backup FROM migration_log WHERE revision = 'abcd01' ORDER BY id")
    assert log == [("upgrade", first), ("downgrade", backups(staging)[1])]


@pytest.mark.parametrize("spoil", ["old", "damaged", "excluded"])
def test_a_backup_that_is_not_good_enough_does_not_count(staging: Project, spoil: str) -> None:
    exclude = ["--exclude=social_posts"] if spoil == "excluded" else []
    assert staging.run("backup", *exclude).returncode == 0
    if spoil == "damaged":
        (staging.path / "backups" / backups(staging)[0] / "dump" / "toc.dat").write_text("x")
    environment = {"BACKUP_FRESH": "0"} if spoil == "old" else {}

    by_hand_ = by_hand(staging, "upgrade", "head", ACCEPT="plan", **environment)

    assert by_hand_.returncode != 0
    assert f"There is no recent backup of {staging.url.database}." in by_hand_.stderr + by_hand_.stdout
    assert "the make target, which takes a backup" in by_hand_.stderr + by_hand_.stdout


def test_after_a_backup_alembic_by_hand_goes_on(staging: Project) -> None:
    assert staging.run("backup").returncode == 0

    assert by_hand(staging, "upgrade", "head", ACCEPT="plan").returncode == 0
    assert by_hand(staging, "downgrade", "-1").returncode != 0, "that backup is from before a migration"


def test_when_no_backup_can_be_taken_nothing_is_migrated(staging: Project, revisions: list[str]) -> None:
    result = staging.run("migrate", BACKUP_DIR="/dev/null/x")

    assert result.returncode == 1
    assert "/dev/null/x cannot be written" in result.stderr
    assert staging.version == revisions[-1:]
    assert staging.run("migrate", BACKUP_DIR="/dev/null/x", ACCEPT="backup").returncode == 0
    assert staging.sql("SELECT overrides FROM migration_log WHERE revision = 'abcd01'") == [("ACCEPT=backup",)]


def test_in_development_no_backup_is_taken(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1])

    assert project.run("migrate").returncode == 0
    assert backups(project) == []


def test_a_log_of_an_older_version_gets_the_column(project: Project, revisions: list[str]) -> None:
    project.sql("ALTER TABLE migration_log DROP COLUMN backup, DROP COLUMN closed_at, DROP COLUMN sources")
    project.write_revision("abcd01", revisions[-1])

    assert project.run("migrate").returncode == 0
    assert project.sql("SELECT backup FROM migration_log WHERE revision = 'abcd01'") == [(None,)]


def test_an_empty_database_needs_no_plan(new_database: Callable[..., URL], tmp_path: Path) -> None:
    project = Project(copy_project(tmp_path), new_database(environment="staging"), {"APP_ENV": "staging"})

    assert by_hand(project, "upgrade", "head").returncode == 0


@pytest.mark.parametrize("where", [{"SCRATCH_HOST": ""}, {"SCRATCH_HOST": "scratch.invalid"}])
def test_without_a_scratch_server_staging_waits_and_development_goes_on(
    staging: Project, project: Project, revisions: list[str], where: dict[str, str]
) -> None:
    project.write_revision("abcd01", revisions[-1])

    refused, warned = staging.run("migrate", **where), project.run("migrate", **where)

    assert refused.returncode == 1
    assert "scratch server" in refused.stderr
    assert staging.version == revisions[-1:]
    assert warned.returncode == 0
    assert "! Not planned: " in warned.stderr
    assert staging.run("migrate", ACCEPT="plan", **where).returncode == 0


def test_a_revision_that_needs_rows_is_tried_in_development_and_stops_staging(
    staging: Project, project: Project, revisions: list[str]
) -> None:
    needs = 'op.get_bind().exec_driver_sql("SELECT 1 / count(*) FROM users")'
    for one in (staging, project):
        one.write_revision("abcd01", revisions[-1], needs)
        one.sql("INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com')")

    refused, done = staging.run("migrate"), project.run("migrate")

    assert refused.returncode == 1
    assert "alembic/versions/abcd01.py, line 12: division by zero" in refused.stderr
    assert "throwaway database" in refused.stderr
    assert staging.version == revisions[-1:]
    assert done.returncode == 0, done.stderr
    assert "! Not planned: alembic/versions/abcd01.py, line 12: division by zero" in done.stderr
    assert project.version == ["abcd01"]


ADA = "INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com')"


def adds_notes(project: Project, after: str) -> None:
    """Applies a revision that adds users.notes and the table notes, for the rollback to take away."""
    project.write_revision(
        "abcd01",
        after,
        'op.execute("ALTER TABLE users ADD COLUMN notes text; CREATE TABLE notes (n int)")',
        'op.execute("DROP TABLE notes; ALTER TABLE users DROP COLUMN notes")',
    )
    assert project.run("migrate").returncode == 0


def test_by_hand_no_database_with_rows_is_downgraded_unless_its_name_is_given(
    project: Project, revisions: list[str]
) -> None:
    """Wherever the rows are: nobody has looked what would be lost."""
    name = str(project.url.database)
    project.sql(ADA)

    refused = [
        by_hand(project, "downgrade", "-1"),
        by_hand(project, "downgrade", "base", CONFIRM="another"),
        project.run("alembic", "downgrade -1"),
    ]

    for result in refused:
        printed = result.stdout + result.stderr
        assert result.returncode != 0
        assert f"Refusing to downgrade {name} by hand: there are rows, for example in users." in printed
        assert f"make rollback. Override with CONFIRM={name}." in printed
        assert "State: nothing was changed." in printed
    assert project.version == revisions[-1:]
    confirmed = by_hand(project, "downgrade", "-1", CONFIRM=name)
    assert confirmed.returncode == 0, confirmed.stderr
    assert project.version == revisions[-2:-1]
    (logged,) = project.sql("SELECT overrides FROM migration_log WHERE direction = 'downgrade'")
    assert logged == (f"CONFIRM={name}",)


def test_by_hand_rows_stop_neither_an_upgrade_nor_a_stamp(project: Project, revisions: list[str]) -> None:
    project.sql(ADA)
    project.write_revision("abcd01", revisions[-1])

    for words in (("upgrade", "head"), ("stamp", revisions[-1])):
        assert by_hand(project, *words).returncode == 0

    assert project.version == revisions[-1:]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("came", "words"),
    [
        ("INSERT INTO notes VALUES (1)", "notes: 1 row now, but you confirmed 0."),
        ("UPDATE users SET notes = 'n'", "users.notes: 1 value now, but you confirmed 0."),
    ],
)
def test_what_comes_between_the_question_and_the_lock_is_not_lost(
    project: Project, revisions: list[str], came: str, words: str
) -> None:
    adds_notes(project, revisions[-1])
    project.sql(ADA)
    with session(project.url) as other:
        run(other, "SELECT pg_advisory_lock(hashtextextended('alembic_version', 0))")
        other.commit()
        process = begin(project, "rollback", CONFIRM=str(project.url.database))
        wait_until(lambda: "Waiting, because another migration or backup runs" in process.printed)
        project.sql(came)
    result = process.end()

    assert result.returncode == 1
    assert f"✗ {words}" in result.stderr
    assert "State: nothing was changed." in result.stderr
    assert project.version == ["abcd01"]
    assert project.sql("SELECT to_regclass('notes')::text") == [("notes",)]
    again = project.run("rollback", CONFIRM=str(project.url.database))
    assert again.returncode == 0, again.stderr


def waits_for_migrations(project: Project) -> bool:
    return bool(
        project.sql(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'alembic-lock %' AND query LIKE '%advisory%'"
        )
    )


@pytest.mark.faults
def test_what_goes_meanwhile_stops_nothing(project: Project, revisions: list[str]) -> None:
    adds_notes(project, revisions[-1])
    project.sql("INSERT INTO notes VALUES (1), (2)")
    with session(project.url) as other:
        run(other, "SELECT pg_advisory_lock(hashtextextended('alembic_version', 0))")
        other.commit()
        process = begin(project, "rollback", CONFIRM=str(project.url.database))
        wait_until(lambda: waits_for_migrations(project))
        project.sql("DELETE FROM notes WHERE n = 1")
    result = process.end()

    assert result.returncode == 0, result.stderr
    assert project.version == revisions[-1:]


@pytest.mark.faults
def test_what_is_committed_by_the_session_that_is_waited_for_is_not_lost(
    project: Project, revisions: list[str]
) -> None:
    """The table was empty for everybody else, and its lock is free at the very moment when there is a row in it."""
    adds_notes(project, revisions[-1])
    with session(project.url) as other:
        run(other, "INSERT INTO notes VALUES (1)")
        process = begin(project, "rollback", LOCK_TIMEOUT="10000")
        wait_until(lambda: waits_for_lock(project))
        other.commit()
    result = process.end()

    assert result.returncode == 1
    assert "✗ notes: 1 row now, but you confirmed 0." in result.stderr
    assert "State: the database is at abcd01; the step was rolled back." in result.stderr
    assert project.version == ["abcd01"]
    assert project.sql("SELECT n FROM notes") == [(1,)]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("verb", "words", "said"),
    [
        ("rollback", [], "users.notes: 1 value now, but you confirmed 0."),
        ("alembic", ["downgrade", "-1"], "there are rows, for example in users."),
    ],
)
def test_what_is_written_between_two_tries_is_not_lost(
    project: Project, revisions: list[str], verb: str, words: list[str], said: str
) -> None:
    adds_notes(project, revisions[-1])
    with session(project.url) as other:
        run(other, "SELECT FROM users")
        process = begin(project, verb, *words, LOCK_TIMEOUT="100")
        wait_until(lambda: "Attempt 4: " in process.printed)
        run(other, ADA.replace("(username", "(notes, username").replace("('ada'", "('n', 'ada'"))
        other.commit()
    result = process.end()

    printed = result.stdout + result.stderr
    assert result.returncode == 1
    assert "Attempt 1: " in printed
    assert said in printed
    assert "State: the database is at abcd01; the step was rolled back." in printed
    assert project.version == ["abcd01"]


@pytest.mark.faults
def test_steps_that_lose_nothing_go_on_after_the_tables_of_earlier_ones_are_gone(
    project: Project, revisions: list[str]
) -> None:
    adds_notes(project, revisions[-1])
    block = "exec('with op.get_context().autocommit_block(): op.execute(\"DROP TABLE {}\")')"
    project.write_revision(
        "abcd02", "abcd01", 'op.execute("CREATE TABLE a (); CREATE TABLE b ()")', block.format("a, b")
    )
    assert project.run("migrate").returncode == 0

    result = project.run("rollback", "--steps=2")

    assert result.returncode == 0, result.stderr
    assert project.version == revisions[-1:]
