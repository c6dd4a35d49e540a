"""make rollback"""

import re
from dataclasses import replace

import pytest

from tests.conftest import Project
from tests.core.running import call


def tables(project: Project) -> list[str]:
    return [
        str(row[0]) for row in project.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    ]


def test_undoes_the_newest_revision_and_says_which(project: Project, revisions: list[str]) -> None:
    result = project.run("rollback")

    assert result.returncode == 0, result.stderr
    assert "1 revision to undo:" in result.stdout
    assert f"{revisions[-1]}  undone in" in result.stdout
    assert f"✓ The database is at {revisions[-2]}." in result.stdout
    assert project.version == revisions[-2:-1]
    assert tables(project) == ["alembic_version", "migration_log", "migration_source", "users"]


@pytest.mark.parametrize("words", [("--steps=2",), ("--rev=base",)])
def test_undoes_as_much_as_it_is_told(project: Project, revisions: list[str], words: tuple[str, ...]) -> None:
    result = project.run("rollback", *words)

    assert result.returncode == 0, result.stderr
    assert result.stdout.index(f"{revisions[1]}  undone") < result.stdout.index(f"{revisions[0]}  undone")
    assert "✓ The database is at base." in result.stdout
    assert tables(project) == ["alembic_version", "migration_log", "migration_source"]


def test_what_would_be_lost_is_said_and_has_to_be_confirmed(project: Project, revisions: list[str]) -> None:
    assert project.run("seed").returncode == 0
    name = str(project.url.database)

    results = [project.run("rollback"), project.run("rollback", CONFIRM="another")]

    for result in results:
        assert result.returncode == 1
        assert f"{name} at " in result.stdout
        assert "  social_posts: 2 rows\n" in result.stdout
        assert f"Override with CONFIRM={name}" in result.stderr
        assert "State: nothing was changed." in result.stderr
    assert project.version == revisions[-1:]
    confirmed = project.run("rollback", CONFIRM=name)
    assert confirmed.returncode == 0, confirmed.stderr
    assert project.version == revisions[-2:-1]


def test_what_is_empty_is_said_and_goes(project: Project) -> None:
    result = project.run("rollback")

    assert result.returncode == 0
    assert "  social_posts: 0 rows\n" in result.stdout
    assert "A new revision" not in result.stdout


def test_where_something_is_lost_the_way_that_loses_nothing_is_named(project: Project) -> None:
    assert project.run("seed").returncode == 0

    result = project.run("rollback")

    assert 'A new revision that corrects the schema loses no data: make revision EMPTY=1 m="…"\n' in result.stdout


def test_outside_development_it_is_named_too_and_a_loss_confirmed_as_there(
    project: Project, revisions: list[str]
) -> None:
    name = str(project.url.database)
    project.sql(f"COMMENT ON DATABASE {name} IS 'environment=staging'")
    project.environment["APP_ENV"] = "staging"

    empty = project.run("rollback")
    project.sql("INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com')")
    refused = project.run("rollback")
    confirmed = project.run("rollback", CONFIRM=name)

    assert [result.returncode for result in (empty, refused, confirmed)] == [0, 1, 0]
    for result in (empty, refused, confirmed):
        assert "A new revision that corrects the schema loses no data: " in result.stdout
    assert "  users: 1 row\n" in refused.stdout
    assert "✗ Not confirmed: no name was given." in refused.stderr
    assert project.version == []


def test_outside_development_what_goes_is_in_a_backup_of_that_moment(project: Project, revisions: list[str]) -> None:
    """An earlier backup lacks the last row."""
    name = str(project.url.database)
    project.write_revision(
        "abcd01",
        revisions[-1],
        upgrade="op.execute('CREATE TABLE tags (id serial PRIMARY KEY, note json, up int REFERENCES tags)')",
        downgrade="op.execute('DROP TABLE tags')",
    )
    assert project.run("migrate").returncode == 0
    project.sql(f"COMMENT ON DATABASE {name} IS 'environment=staging'")
    project.environment["APP_ENV"] = "staging"
    project.sql("INSERT INTO tags (note, up) VALUES ('{}', NULL)")
    assert project.run("backup").returncode == 0
    project.sql("INSERT INTO tags (note, up) VALUES (NULL, 1)")

    undone = project.run("rollback", CONFIRM=name)
    found = re.search(
        r"The lost data are in the backup (\S+)\.\n .*:  make restore BACKUP=(\S+) TO=before\n", undone.stdout
    )
    assert found, undone.stdout + undone.stderr
    restored_name = f"{name}_before"
    restored = project.run("restore", found[2], f"--to={restored_name}")

    assert found[1] == found[2]
    assert restored.returncode == 0, restored.stderr
    restored_project = replace(project, url=project.url.set(database=restored_name))
    assert restored_project.sql("SELECT id, up FROM tags ORDER BY id") == [(1, None), (2, 1)]
    project.sql_on_server(f'DROP DATABASE "{restored_name}"')


def test_without_a_loss_a_backup_of_the_last_hour_is_enough(project: Project) -> None:
    project.sql(f"COMMENT ON DATABASE {project.url.database} IS 'environment=staging'")
    project.environment["APP_ENV"] = "staging"
    assert project.run("backup").returncode == 0

    result = project.run("rollback")

    assert result.returncode == 0, result.stderr
    assert "Taking a backup first" not in result.stdout
    assert "The lost data" not in result.stdout


def test_in_development_what_was_confirmed_just_goes(project: Project) -> None:
    assert project.run("seed").returncode == 0

    result = project.run("rollback", CONFIRM=str(project.url.database))

    assert result.returncode == 0
    assert "The lost data" not in result.stdout


def test_rows_that_a_downgrade_changes_have_to_be_confirmed(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], downgrade="op.execute('UPDATE users SET email = NULL')")
    project.sql("ALTER TABLE users ALTER email DROP NOT NULL")
    assert project.run("migrate").returncode == 0
    assert project.run("seed").returncode == 0

    refused = project.run("rollback")

    assert refused.returncode == 1
    assert "  users: 1 row that may be changed or deleted\n" in refused.stdout
    assert project.version == ["abcd01"]
    assert project.sql("SELECT count(email) FROM users") == [(1,)]
    confirmed = project.run("rollback", CONFIRM=str(project.url.database))
    assert confirmed.returncode == 0, confirmed.stderr
    assert project.sql("SELECT count(email) FROM users") == [(0,)]


def test_before_it_is_confirmed_the_database_is_only_read(project: Project) -> None:
    """Every writing statement would fail there, and the server counts every row that is written."""
    name = str(project.url.database)
    assert project.run("seed").returncode == 0
    written = (
        "SELECT pg_stat_force_next_flush(), tup_inserted + tup_updated + tup_deleted FROM pg_stat_database"
        " WHERE datname = current_database()"
    )
    project.sql_on_server(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    before = project.sql(written)

    result = project.run("rollback")

    assert "Not confirmed" in result.stderr
    assert project.sql(written) == before


def test_without_a_scratch_server_nothing_is_undone(project: Project, revisions: list[str]) -> None:
    result = project.run("rollback", SCRATCH_HOST="scratch.invalid")

    assert result.returncode == 1
    assert "✗ The scratch server does not answer." in result.stderr
    assert "docker compose up -d --wait scratch" in result.stderr
    assert project.version == revisions[-1:]


def test_at_base_there_is_nothing_to_undo(empty_project: Project) -> None:
    result = empty_project.run("rollback", "--steps=99")

    assert result.returncode == 0
    assert result.stdout == "✓ Nothing to do: the database is at base, no revision is applied.\n"


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("--steps=0", "STEPS=0 is not a number of revisions"),
        ("--steps=-1", "STEPS=-1 is not a number of revisions"),
        ("--steps=abc", "STEPS=abc is not a number of revisions"),
        ("--steps=", "STEPS= is not a number of revisions"),
        ("--steps=²", "STEPS=² is not a number of revisions"),
        ("--steps=99", "STEPS=99, but only 2 revisions are applied"),
        ("--rev=zzzz", "REV=zzzz is no revision of this checkout"),
        ("--rev=", "REV= is no revision of this checkout"),
    ],
)
def test_what_is_no_place_to_go_back_to_is_refused(
    settled: Project, revisions: list[str], word: str, words: str
) -> None:
    result = settled.run("rollback", word)

    assert result.returncode == 2
    assert words in result.stderr
    assert "State: nothing was changed." in result.stderr
    assert settled.version == revisions[-1:]


def test_steps_and_revision_together_are_refused(settled: Project) -> None:
    result = settled.run("rollback", "--steps=1", "--rev=base")

    assert result.returncode == 2
    assert "not allowed with" in result.stderr


@pytest.mark.parametrize(
    ("downgrade", "line", "words"),
    [
        ('raise NotImplementedError("rows were merged")', 16, "raise NotImplementedError('rows were merged')"),
        ("pass", 15, "its downgrade does nothing."),
    ],
)
def test_a_revision_that_cannot_be_undone_is_told_before_anything_else(
    project: Project, revisions: list[str], downgrade: str, line: int, words: str
) -> None:
    """Also when it is not the first one to be undone, and no database is tried or asked."""
    project.write_revision("abcd01", revisions[-1], "op.execute('SELECT 1')", downgrade)
    project.write_revision("abcd02", "abcd01")
    assert project.run("migrate").returncode == 0

    result = project.run("rollback", "--steps=2", SCRATCH_HOST="scratch.invalid")

    assert result.returncode == 1
    assert f"✗ alembic/versions/abcd01.py, line {line}: {words}" in result.stderr
    assert "make revision EMPTY=1" in result.stderr
    assert "State: nothing was changed." in result.stderr
    assert project.version == ["abcd02"]


def test_where_the_downgrade_does_nothing_rows_may_stay_but_no_objects(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], "op.execute('UPDATE users SET username = username')")
    project.write_revision("abcd02", "abcd01", "op.execute('ALTER TABLE users ADD note text')")
    assert call(project).returncode == 0

    refused = call(project, "rollback")
    accepted = call(project, "rollback", ACCEPT="irreversible")
    rows = call(project, "rollback")

    assert refused.returncode == 1
    assert "✗ alembic/versions/abcd02.py, line 15: its downgrade does nothing." in refused.stderr
    assert "table users, column note is not expected" in refused.stderr
    assert "Override with ACCEPT=irreversible." in refused.stderr
    assert "abcd02  its downgrade does nothing, so its changes stay" in accepted.stdout, accepted.stderr
    assert "abcd01  rows stay as they are" in rows.stdout, rows.stderr
    assert project.version == revisions[-1:]
    assert project.sql("SELECT overrides FROM migration_log WHERE revision = 'abcd02' ORDER BY id DESC LIMIT 1") == [
        ("ACCEPT=irreversible",)
    ]


def test_a_new_label_stays_because_postgresql_cannot_remove_it(project: Project, revisions: list[str]) -> None:
    add = "op.execute(\"ALTER TYPE mood ADD VALUE {} 'x'\")"
    made = "op.execute(\"CREATE TYPE mood AS ENUM ('a')\")"
    project.write_revision("abcd01", revisions[-1], made, "op.execute('DROP TYPE mood')")
    path = project.write_revision("abcd02", "abcd01", add.format("IF NOT EXISTS"))
    assert call(project).returncode == 0

    rolled_back = call(project, "rollback")
    again = call(project)
    path.write_text(path.read_text().replace("IF NOT EXISTS ", ""))
    refused = call(project, "rollback")

    assert rolled_back.returncode == 0, rolled_back.stdout + rolled_back.stderr
    assert "abcd02  enum mood keeps the label 'x': PostgreSQL cannot remove it\n" in rolled_back.stdout
    assert again.returncode == 0, again.stderr
    assert refused.returncode == 1, "the next upgrade would fail"
    assert "its downgrade does nothing." in refused.stderr


def test_a_downgrade_that_fails_is_told_and_nothing_is_undone(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], downgrade="op.execute('DROP TABLE nowhere')")
    assert project.run("migrate").returncode == 0

    result = project.run("rollback")

    assert result.returncode == 1
    assert '✗ alembic/versions/abcd01.py, line 16: table "nowhere" does not exist' in result.stderr
    assert "State: it failed on a throwaway database; the target was only read." in result.stderr
    assert project.version == ["abcd01"]


def test_a_database_at_a_revision_without_a_file_is_left_alone(project: Project) -> None:
    project.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    result = project.run("rollback")

    assert result.returncode == 1
    assert "The database is at revision abcd01, which has no file in this checkout." in result.stderr
    assert project.version == ["abcd01"]
