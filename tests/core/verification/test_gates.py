"""Each gate finds what it is for, on a prepared context; all gates in one: tests/scripts/test_verify_staging.py."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import comparators
from sqlalchemy.engine import URL

from scripts.core.backups import manifest, store
from scripts.core.verification import run
from tests.conftest import Project, copy_project
from tests.core.running import call
from tests.core.verification.conftest import Verify
from tests.core.verification.reports import ADD, DROP, document, everything_written, execute, gate, pend
from tests.gates import examples

# Examples


@pytest.fixture(scope="module")
def shop(lasting_database: Callable[..., URL], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose application is the shop of the examples, with its rows."""
    project = Project(copy_project(tmp_path_factory.mktemp("shop")), lasting_database())
    examples.lay(project.path)
    result = call(project)
    assert result.returncode == 0, result.stderr
    return project


@pytest.mark.parametrize("example", examples.BAD, ids=examples.name)
def test_a_bad_migration_is_stopped_by_the_right_gate(shop: Project, verify: Verify, example: Path) -> None:
    examples.lay(shop.path, example)
    ids = [one.ID for one in run.ALL]
    gates = ids[ids.index("upgrade") : ids.index(example.parent.name) + 1] or ["source"]

    verify(shop, *gates, **examples.settings(example))

    stopped_by = examples.stopped_by(document(shop))
    assert stopped_by["id"] == example.parent.name
    reported = "\n".join([stopped_by["summary"], *stopped_by["details"]])
    assert [words for words in examples.said(example) if words not in reported] == [], reported
    assert examples.SECRET not in everything_written(shop)


@pytest.mark.parametrize("good", examples.CHAINS, ids=["without writes", "with writes"])
def test_good_migrations_pass_every_gate(shop: Project, verify: Verify, good: list[Path]) -> None:
    examples.lay(shop.path, *good)

    verify(shop, "upgrade", "drift", "data", "smoke", "rollback", "estimate", **examples.settings(good[0]))

    assert document(shop)["verdict"] == "passed", document(shop)["reason"]
    assert len(document(shop)["revisions"]) == len(good)


def test_the_examples_are_ten_of_each_kind_and_of_every_gate_that_a_migration_can_fail() -> None:
    assert min(len(examples.BAD), len(examples.GOOD)) >= 10
    assert sorted(chain.from_iterable(examples.CHAINS)) == examples.GOOD
    without = {"restore", "before", "estimate"}
    assert {example.parent.name for example in examples.BAD} == {one.ID for one in run.ALL} - without


# The project's own application


def test_contents_that_a_revision_reads_and_puts_into_sql_stay_in_the_database(staged: Project, verify: Verify) -> None:
    loop = (
        "[op.execute(f\"UPDATE users SET username = 'kept {row.email}' WHERE email = '{row.email}'\")"
        " for row in op.get_bind().exec_driver_sql('SELECT email FROM users').all()]"
    )
    pend(staged, loop)
    verify(staged, "upgrade")
    statement = document(staged)["revisions"][0]["statements"][1]
    pend(staged, execute("ALTER TABLE users ALTER email TYPE int USING email::int"))
    verify(staged, "upgrade")

    assert statement["sql"] == "UPDATE users SET username = '…' WHERE email = '…'"
    assert statement["count"] == 50
    assert statement["rows_written"] == {"users": 70}
    assert "invalid input syntax for type integer" in gate(staged, "upgrade")["summary"]
    assert "@example.com" not in everything_written(staged)


def test_a_scratch_server_that_goes_away_fails_with_a_report(staged: Project, verify: Verify) -> None:
    gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'alembic%'"
    pend(staged, execute(ADD, f"{gone} AND query LIKE '%pg_advisory_lock%'", gone))

    verify(staged, "upgrade")

    assert document(staged)["verdict"] == "failed"
    assert gate(staged, "upgrade")["status"] == "failed"


def test_a_lossy_downgrade_is_named(staged: Project, verify: Verify) -> None:
    pend(staged, execute("ALTER TABLE social_pages DROP url"), execute("ALTER TABLE social_pages ADD url varchar(500)"))
    staged.sql("INSERT INTO social_accounts (user_id, platform, handle) VALUES (1, 'x', 'y')")
    staged.sql("INSERT INTO social_pages (account_id, name, url) VALUES (1, 'a', 'https://example.com')")

    verify(staged, "upgrade", "data", "rollback", ACCEPT="H08,H07")

    assert document(staged)["verdict"] == "warned"
    assert gate(staged, "rollback")["status"] == "warned"
    assert gate(staged, "rollback")["details"] == ["social_pages: other contents in url; lost by abcd01"]
    assert gate(staged, "data")["details"] == ["social_pages: column url dropped, 1 value lost with it"]


def test_a_revision_that_says_it_cannot_be_undone_is_a_warning(staged: Project, verify: Verify) -> None:
    pend(staged, execute(ADD), "raise NotImplementedError('the old column is gone')")

    verify(staged, "upgrade", "rollback")

    assert gate(staged, "rollback")["status"] == "warned"
    assert "declared irreversible" in gate(staged, "rollback")["summary"]
    assert document(staged)["verdict"] == "warned"


def test_a_downgrade_that_fails_is_a_failure(staged: Project, verify: Verify) -> None:
    pend(staged, execute(ADD), execute("ALTER TABLE users DROP COLUMN remark"))

    verify(staged, "upgrade", "rollback")

    assert gate(staged, "rollback")["status"] == "failed"
    assert "The downgrade fails: alembic/versions/abcd01.py, line 16: column " in gate(staged, "rollback")["summary"]


def test_large_tables_are_compared_by_ranges_of_the_key_and_every_part_of_the_report_says_so(
    staged: Project, verify: Verify
) -> None:
    staged.sql("CREATE TABLE keyless AS SELECT 1 AS n")
    rename = "ALTER TABLE users RENAME id TO number", "ALTER TABLE users RENAME TO people"
    undo = "ALTER TABLE people RENAME TO users", "ALTER TABLE users RENAME number TO id"
    pend(staged, execute(*rename, "ALTER TABLE people ALTER email TYPE varchar(255) USING 'x'"), execute(*undo))

    verify(staged, "upgrade", "data", "rollback", HASH_MB="0", ACCEPT="H08")

    assert document(staged)["verdict"] == "failed"
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


def test_what_a_migration_writes_is_told_with_numbers(staged: Project, verify: Verify) -> None:
    pend(staged, execute("UPDATE users SET email = upper(email) WHERE id <= 10", "ALTER TABLE users RENAME TO people"))

    verify(staged, "upgrade", "data", ACCEPT="H08")

    assert gate(staged, "data")["details"] == ["people: 10 rows written; other contents in email"]
    assert gate(staged, "data")["status"] == "passed"


def test_a_lock_longer_than_the_budget_may_be_accepted(staged: Project, verify: Verify) -> None:
    pend(staged, execute(ADD, "SELECT pg_sleep(0.3)"), execute(DROP))

    verify(staged, "upgrade", MAX_BLOCK_MS="100", ACCEPT="budget")

    assert gate(staged, "upgrade")["status"] == "warned"
    (lock,) = document(staged)["locks"]
    assert lock["mode"] == "AccessExclusiveLock"
    assert 0.3 < lock["seconds"] < 1


def test_a_revision_that_interrupts_itself_where_rows_are_passes_no_gate(staged: Project, verify: Verify) -> None:
    rows = "if op.get_bind().exec_driver_sql('SELECT count(*) FROM users').scalar():\n"
    pend(staged, f"{rows}        raise KeyboardInterrupt", "pass")

    verify(staged, "upgrade")

    upgrade = gate(staged, "upgrade")
    assert upgrade["status"] == "failed"
    assert re.fullmatch(
        r"alembic/versions/\w+\.py, line \d+: KeyboardInterrupt would end the whole command", upgrade["summary"]
    )


def test_the_users_own_checks(staged: Project, verify: Verify) -> None:
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

    verify(staged, "upgrade", "smoke")

    assert gate(staged, "smoke")["status"] == "failed"
    assert gate(staged, "smoke")["details"] == [
        "a.sql: returned 5 rows",
        'b.sql: column "nothing" does not exist',
        "c.py: (0, 50)",
        "e.py: PermissionError: .env is not for checks: read os.environ",
    ]
    assert staged.sql("SELECT count(*) FROM users") == [(50,)]


def commit(project: Project, tag: str) -> None:
    """What the checks of a release need."""
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("init", "-q"), ("add", "app", "tests/staging"), (*identity, "commit", "-qm", tag), ("tag", tag)):
        assert project.call("git", *words).returncode == 0


def test_the_checks_of_the_running_release_meet_the_new_schema_with_its_code(
    staged: Project, verify: Verify, tmp_path: Path
) -> None:
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
    (tmp_path / "v0" / "tests" / "staging").mkdir(parents=True)
    (tmp_path / "v0" / "tests" / "staging" / "fine.sql").write_text("SELECT 1 WHERE false")

    def smoke(running: str) -> dict[str, Any]:
        verify(staged, "upgrade", "smoke", running=running, ACCEPT="H08")
        return gate(staged, "smoke")

    assert smoke("")["status"] == "passed"
    (failed,) = smoke("v1")["details"]
    assert failed.startswith("v1: old.py: ")
    assert "column users.email does not exist" in failed
    assert smoke(str(tmp_path / "v0"))["summary"] == "2 checks passed"


def test_the_estimate_says_whether_it_fits_the_shortest_window(staged: Project, verify: Verify) -> None:
    pend(staged, execute(ADD, "SELECT pg_sleep(0.1)"), execute(DROP))
    windows = "Sun 02:00-05:00 Europe/Berlin; Wed 23:00-01:00 UTC"

    verify(staged, "upgrade", "estimate", MAINTENANCE_WINDOW=windows)

    assert document(staged)["verdict"] == "warned", "the scratch server does not wait for its disk"
    assert "fits the window of 120 min" in gate(staged, "estimate")["summary"]


def test_a_backup_of_a_newer_major_is_refused(staged: Project, verify: Verify) -> None:
    call(staged, "backup")
    (found,) = store.list_all(staged.path / "backups").backups
    manifest.write(found.path, replace(found.manifest, server=990001))

    verify(staged, "source", "restore")

    assert "is of PostgreSQL 99, but the server is 1" in gate(staged, "source")["summary"]
    assert gate(staged, "restore")["status"] == "not run"


def test_the_backup_of_another_server_is_used_only_by_its_name(staged: Project, verify: Verify) -> None:
    """The database has the same name there, and is at the same revision."""
    pend(staged, execute(ADD), execute(DROP))
    call(staged, "backup")
    (found,) = store.list_all(staged.path / "backups").backups
    manifest.write(found.path, replace(found.manifest, cluster="7000"))

    verify(staged, "source", backup=found.name)
    of_named = gate(staged, "source")
    shown = verify(staged, "source")

    assert of_named["status"] == gate(staged, "source")["status"] == "passed"
    assert of_named["summary"].startswith(f"{found.name} (of another server), at ")
    assert "Taking a backup first" in "".join(shown)
    assert document(staged)["backup"]["name"] != found.name


def test_from_names_a_backup_which_is_told_when_it_is_of_another_revision(staged: Project, verify: Verify) -> None:
    call(staged, "backup", "--name=first")
    pend(staged, execute(ADD), execute(DROP))
    call(staged)

    verify(staged, "source", backup="first")
    first = gate(staged, "source")
    verify(staged, "source", "restore", backup="second")

    assert first["status"] == "warned"
    assert "The database is at abcd01 now, but the backup is of another revision." in first["details"]
    assert "There is no backup second of" in gate(staged, "source")["summary"]
    assert gate(staged, "restore")["status"] == "not run"


def test_what_rows_hold_is_never_run(staged: Project, verify: Verify) -> None:
    """PostgreSQL quotes the key in its error, and the application chose what is in there."""
    made = f"made_by_{random.getrandbits(31)}"
    attack = f"'') ; COPY (SELECT 1) TO PROGRAM 'touch {made}' ; SELECT 2 --)=(x"
    staged.sql("UPDATE users SET email = id")
    staged.sql("UPDATE users SET email = '{}' WHERE id <= 2".format(attack.replace("'", "''")))
    pend(staged, 'op.create_unique_constraint("u", "users", ["email"])', 'op.drop_constraint("u", "users")')

    verify(staged, "upgrade")

    assert staged.sql(f"SELECT pg_stat_file('{made}', true)") == [(None,)]
    assert gate(staged, "upgrade")["details"][-2:] == [
        "The statement fails for 2 rows of users.",
        "Their keys (id): 1; 2",
    ]
    assert "COPY" not in everything_written(staged)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "CREATE UNIQUE INDEX ON users (lower(email)) WHERE length(email) > 3",
            "The statement fails for 20 rows of users.",
        ),
        (
            "UPDATE users SET email = 'x%' || id % 2 WHERE id > 5\nCREATE UNIQUE INDEX ON users (email)",
            "The statement fails for 45 rows of users.\nTheir keys (id): 6; 7; 8; 9; 10 …",
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
    staged: Project, verify: Verify, statement: str, expected: str
) -> None:
    pend(staged, execute(*statement.splitlines()))

    verify(staged, "upgrade")

    assert gate(staged, "upgrade")["status"] == "failed"
    assert expected in "\n".join(gate(staged, "upgrade")["details"])


def test_a_constraint_or_an_index_with_another_name_is_a_note(staged: Project, verify: Verify) -> None:
    staged.sql("ALTER TABLE users RENAME CONSTRAINT pk_users TO users_pkey")
    staged.sql("ALTER INDEX ix_social_posts_due_at RENAME TO due")

    verify(staged, "upgrade", "drift")
    notes = gate(staged, "drift")
    staged.sql("DROP INDEX due; CREATE INDEX due ON social_posts (due_at DESC)")
    verify(staged, "upgrade", "drift")

    assert notes["status"] == "passed", notes
    assert notes["details"] == [
        "Only a name differs: table social_posts, index due: the same as index ix_social_posts_due_at",
        "Only a name differs: table users, constraint users_pkey: the same as constraint pk_users",
    ]
    assert gate(staged, "drift")["status"] == "failed"


def test_where_the_history_forks_exactly_what_was_pending_is_undone(staged: Project, verify: Verify) -> None:
    root, merge = staged.version[0], ("abcd01", "abcd02")
    staged.environment["ACCEPT"] = "drift"
    for revision in merge:
        words = f"ALTER TABLE users ADD {revision} int", f"ALTER TABLE users DROP {revision}"
        staged.write_revision(revision, root, *map(execute, words))
        if revision == "abcd01":
            assert call(staged).returncode == 0
    merged = staged.write_revision("abcd03", "both", execute(ADD), execute(DROP))
    merged.write_text(merged.read_text().replace("'both'", repr(merge)))

    verify(staged, "upgrade", "rollback")
    from_one_head = gate(staged, "rollback")
    assert call(staged).returncode == 0
    undone = call(staged, "rollback", "--rev", "abcd01", CONFIRM=str(staged.url.database))
    verify(staged, "upgrade", "rollback")

    assert (from_one_head["status"], from_one_head["details"]) == ("passed", []), from_one_head
    assert undone.stdout.endswith("✓ The database is at abcd01, abcd02.\n"), undone
    assert sorted(staged.version) == list(merge)
    assert gate(staged, "rollback")["status"] == "passed", gate(staged, "rollback")


PLUG_IN = """
from alembic.autogenerate import comparators
from alembic.operations.ops import MigrateOperation


class Other(MigrateOperation):
    def reverse(self):
        return self


class Create(Other):
    def to_diff_tuple(self):
        return "create_entity", "public.shop"


@comparators.dispatch_for("schema")
def compare(found, operations, schemas):
    if found.migration_context.environment_context.script and found.opts["include_schemas"]:
        operations.ops += [Create(), Other()]
"""


def test_what_plug_ins_of_alembic_find_and_a_comment_in_a_model_are_told_as_drift(
    staged: Project, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparators, "_registry", comparators.branch()._registry)
    revision = staged.write_revision("abcd01", staged.version[0])
    revision.write_text(revision.read_text() + PLUG_IN)
    with (staged.path / "app" / "models" / "__init__.py").open("a") as models:
        models.write("\nfrom app.database import Base\nBase.metadata.tables['users'].comment = 'people'\n")

    verify(staged, "upgrade", "drift")

    assert set(gate(staged, "drift")["details"]) == {
        "Differs from the models: table users, comment is missing",
        "Differs from the models: a plug-in of Alembic wants: create entity public.shop",
        "Differs from the models: a plug-in of Alembic wants: Other",
    }
