"""make plan"""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy.engine import URL

from tests.conftest import ROOT, Project
from tests.core.running import call, run, session

OWN_CONNECTION = (
    "import os; from sqlalchemy import create_engine, text; "
    "url = os.environ['DATABASE_URL'].replace('postgresql:', 'postgresql+psycopg2:'); "
    "engine = create_engine(url, connect_args={'application_name': 'alembic-own'}); "
    "connection = engine.connect(); connection.execute(text('CREATE TABLE planted ()')); connection.commit(); "
    "connection.close(); engine.dispose()"
)


def write(project: Project, revision: str, *statements: str) -> None:
    project.write_revision(revision, project.version[0], "; ".join(f"op.execute({sql!r})" for sql in statements))


def test_nothing_pending_is_nothing_to_do(settled: Project) -> None:
    result = settled.run("plan")

    assert result.returncode == 0
    assert result.stdout.startswith("✓ Nothing to do: the database is at ")
    assert json.loads(settled.run("plan", "--json").stdout) == {"format": 1, "revisions": []}


def test_a_character_that_the_encoding_of_the_target_lacks_is_found(project: Project) -> None:
    name = f"{project.url.database}_latin1"
    project.sql_on_server(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    project.sql_on_server(f"COMMENT ON DATABASE {name} IS 'environment=development'")
    latin = Project(project.path, project.url.set(database=name), {"ACCEPT": "drift"})
    assert call(latin).returncode == 0
    latin.sql("INSERT INTO users (username, email) VALUES (chr(233), chr(252))")
    write(latin, "abcd01", "COMMENT ON TABLE users IS 'é'", "COMMENT ON COLUMN users.email IS '€'")

    results = [call(latin, "plan"), call(latin, "verify_staging")]
    project.sql_on_server(f"DROP DATABASE {name}")

    assert [result.returncode for result in results] == [1, 1]
    assert "the database's encoding has none for it" in results[0].stderr
    for said in (results[0].stderr, results[1].stdout):
        assert re.search("alembic/versions/abcd01.py, line 12: character with byte sequence ", said), said
    assert "✓ restore      passed" in results[1].stdout, "rows with characters that it has"


def test_each_statement_is_shown_with_what_it_does(project: Project) -> None:
    write(
        project, "abcd01", "ALTER TABLE users ADD COLUMN note text", "UPDATE users SET note = ''", "CREATE TABLE t ()"
    )

    result = project.run("plan")

    assert result.returncode == 0, result.stderr
    assert result.stdout == (
        f"1 pending revision, run on a copy of the schema of {project.url.database}, without rows:\n"
        "\n"
        "abcd01  abcd01 message\n"
        "  alembic/versions/abcd01.py, not committed, 0.00 s\n"
        "  ALTER TABLE users ADD COLUMN note text\n"
        "      blocks reads and writes of users until the commit\n"
        "  UPDATE users SET note = ''\n"
        "      reads all of users\n"
        "  CREATE TABLE t ()\n"
        "  H06 note  alembic/versions/abcd01.py:12  users is written from all rows of users in one transaction, which"
        " also locks users (0 rows, 0 bytes).\n"
        "  H12 warn  alembic/versions/abcd01.py:15  The downgrade does not restore the schema from before the"
        " upgrade: table t is not expected (and 1 more).\n"
        "      Undo all of upgrade() in downgrade(), or declare it irreversible:"
        ' raise NotImplementedError("why").\n'
    ).replace("0.00", result.stdout.split(", ")[4].split()[0])


def test_the_json_document(project: Project) -> None:
    write(project, "abcd01", "ALTER TABLE users ALTER id TYPE numeric", "INSERT INTO users VALUES (1, 'a', 'a')")

    document = json.loads(project.run("plan", "--json").stdout)

    assert document["format"] == 1
    (revision,) = document["revisions"]
    assert set(revision) == {"revision", "file", "author", "message", "statements", "findings", "untried"}
    assert revision["file"] == "alembic/versions/abcd01.py"
    first, second = revision["statements"]
    assert set(first) == {
        *("sql", "file", "line", "transaction", "seconds", "locks", "rewrites", "scans", "rows_written", "executions"),
    }
    assert {"relation": "users", "mode": "AccessExclusiveLock"} in first["locks"]
    assert "users" in first["rewrites"]
    assert (first["file"], first["line"]) == (revision["file"], 12)
    assert second["rows_written"] == {"users": 1}


def test_the_document_has_the_names_that_docs_plan_md_promises(project: Project) -> None:
    (promised,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "plan.md").read_text(), re.DOTALL)
    write(project, "abcd01", "CREATE INDEX i ON users (email)")

    assert shape(json.loads(project.run("plan", "--json").stdout)) == shape(json.loads(promised))


def shape(value: object) -> object:
    """The names in a document, without the values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value[:1]] if isinstance(value, list) else None


def test_the_database_is_only_read(project: Project) -> None:
    """Also by a revision that opens a connection of its own."""
    project.write_revision("abcd01", project.version[0], OWN_CONNECTION)
    name = project.url.database
    project.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    before = project.sql("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables")
    with session(project.url) as shop:
        run(shop, "SET TRANSACTION READ WRITE; LOCK TABLE users IN EXCLUSIVE MODE")
        result = project.run("plan")

    assert result.returncode == 0, result.stderr
    assert "run on a copy of the schema" in result.stdout
    assert project.sql("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables") == before
    assert project.sql("SELECT to_regclass('planted')::text") == [(None,)]


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        ("open('.env').read()", r"line 12 opens \.env\."),
        ("import dotenv; assert dotenv.dotenv_values('.env') == {}", ""),
        ("import os; assert os.environ['COLOUR'] == 'blue'", ""),
        ("import os; os.environ.clear()", ""),
        ("op.get_bind().close()", "abcd01"),
        ("input()", "line 12: EOFError"),
    ],
)
def test_what_a_revision_does_to_its_process_reaches_nothing_else(project: Project, reading: str, said: str) -> None:
    (project.path / ".env").write_text("COLOUR=blue\nPOSTGRES_PASSWORD=another\n")
    project.write_revision("abcd01", project.version[0], f"print('noise'); {reading}")

    result = project.run("plan", "--json")

    assert result.returncode == bool(said), result.stderr
    assert re.search(said, result.stderr)
    assert "bug" not in result.stderr
    assert "! alembic/versions/abcd01.py printed:\n    noise\n" in result.stderr
    assert json.loads(result.stdout)["revisions"][0]["revision"] == "abcd01"


def test_drift_of_the_database_shows(project: Project) -> None:
    project.sql("CREATE INDEX by_hand ON users (email)")
    write(project, "abcd01", "ALTER TABLE users ALTER id TYPE numeric")

    assert "rewrites by_hand\n" in project.run("plan").stdout


def test_a_revision_that_fails_is_known_before_it_is_run(project: Project) -> None:
    write(project, "abcd01", "ALTER TABLE users ADD COLUMN note text", "ALTER TABLE nowhere ADD COLUMN note text")

    result = project.run("plan")

    assert result.returncode == 1
    assert "blocks reads and writes of users until the commit" in result.stdout
    assert 'alembic/versions/abcd01.py, line 12: relation "nowhere" does not exist' in result.stderr
    assert "State: it failed on a throwaway database; the target was only read." in result.stderr


@pytest.mark.faults
@pytest.mark.parametrize(
    "code",
    [
        'op.execute("SELECT pg_sleep(60)")',
        "import time; time.sleep(60)",
        "exec(\"while True: op.execute('SELECT pg_sleep(0.01)')\")",
    ],
)
def test_a_revision_that_runs_on_and_on_is_stopped(project: Project, code: str) -> None:
    project.write_revision("abcd01", project.version[0], code)

    result = project.run("plan", PLAN_DEADLINE="0.5")

    assert result.returncode == 1
    assert "still running after 0.5 s" in result.stderr or "due to statement timeout" in result.stderr
    assert "the target was only read" in result.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
def test_without_the_database_it_plans_from_the_files(project: Project, revisions: list[str], host: str) -> None:
    result = project.run("plan", POSTGRES_HOST=host, POSTGRES_DB="missing", CONNECT_WAIT="0")

    assert result.returncode == 0, result.stderr
    assert "The plan begins with an empty database." in result.stderr
    assert f"{len(revisions)} pending revisions, run on a database built from the revision files alone" in result.stdout
    assert "CREATE TABLE users" in result.stdout


def test_without_a_scratch_server_it_says_what_is_missing(project: Project) -> None:
    write(project, "abcd01", "SELECT 1")

    result = project.run("plan", SCRATCH_HOST="")

    assert result.returncode == 1
    assert "✗ There is no scratch server." in result.stderr


STRANGE = (
    'CREATE SCHEMA "My Shop"; CREATE TABLE "My Shop"."Sm""all" (id int PRIMARY KEY, "Na me" text)',
    "CREATE VIEW seen AS SELECT id FROM users; CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM users",
    "CREATE TABLE parts (at date) PARTITION BY RANGE (at); CREATE TABLE part PARTITION OF parts DEFAULT",
    "CREATE TABLE doubled (n int, twice int GENERATED ALWAYS AS (n * 2) STORED); CREATE TYPE mood AS ENUM ('ok')",
    "CREATE TABLE nothing (); CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE TABLE checked (n int CHECK (n IN (1, one())), m mood DEFAULT 'ok')",
)


def test_whatever_the_database_has_is_copied_and_named_as_it_is(project: Project) -> None:
    for statements in STRANGE:
        project.sql(statements)
    write(
        project,
        "abcd01",
        'ALTER TABLE "My Shop"."Sm""all" ALTER "Na me" SET NOT NULL; ALTER TABLE parts ADD n int DEFAULT random()',
        "CREATE INDEX ON doubled (twice)",
    )

    result = project.run("plan")

    assert result.returncode == 0, result.stderr
    assert 'blocks reads and writes of "My Shop"."Sm""all" until the commit' in result.stdout
    assert "rewrites part\n" in result.stdout
    for found in (
        'H04 note  alembic/versions/abcd01.py:12  NOT NULL of Na me: "My Shop"."Sm""all"',
        "H09 note",
        "H03 note",
    ):
        assert found in result.stdout


def test_a_missing_extension_is_named(project: Project) -> None:
    write(project, "abcd01", "CREATE EXTENSION no_such_extension")

    result = project.run("plan")

    assert result.returncode == 1
    assert 'extension "no_such_extension" is not available' in result.stderr
    assert "Do:    install the extension on the scratch server" in result.stderr


def test_downgrades_are_tried_where_a_history_forks(project: Project) -> None:
    """Exactly those of the pending revisions, also where the database has two heads."""
    below = project.version[0]
    project.write_revision("abcd01", below, 'op.execute("CREATE TABLE one ()")', 'op.execute("DROP TABLE one")')
    project.write_revision("abcd02", below, 'op.execute("CREATE TABLE two ()")', 'op.execute("DROP TABLE two")')
    merge = project.write_revision("abcd03", "BOTH", 'op.execute("CREATE TABLE three ()")')
    merge.write_text(merge.read_text().replace("'BOTH'", "('abcd01', 'abcd02')"))
    assert call(project, "migrate", "abcd01").returncode == 0

    one_head = call(project, "plan", "--json")
    assert call(project, "alembic", "upgrade", "abcd02").returncode == 0
    assert sorted(project.version) == ["abcd01", "abcd02"]
    two_heads = call(project, "plan", "--json")

    for plan, pending in ((one_head, ["abcd02", "abcd03"]), (two_heads, ["abcd03"])):
        found = json.loads(plan.stdout)["revisions"]
        assert [one["revision"] for one in found] == pending
        assert [(one["id"], one["message"].rpartition(": ")[2]) for rev in found for one in rev["findings"]] == [
            ("H12", "table three is not expected.")
        ]


@pytest.fixture
def lonely(project: Project, server: URL) -> Project:
    """At a revision that creates an extension, which only the target's server has: one session finds its files."""
    with TemporaryDirectory() as folder, session(server.set(database=project.url.database)) as connection:
        files = Path(folder) / "extension"
        files.mkdir()
        (files / "lonely.control").write_text("default_version = '1'")
        (files / "lonely--1.sql").write_text("CREATE FUNCTION lonely(text) RETURNS text IMMUTABLE RETURN upper($1);")
        for path in (Path(folder), *files.iterdir(), files):
            path.chmod(0o755)
        if int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) < 180000:
            pytest.skip("PostgreSQL 17 finds extensions in one folder only")
        project.write_revision("abcd01", project.version[0], 'op.execute("CREATE EXTENSION lonely")')
        run(connection, f"SET extension_control_path = '{folder}:$system'")
        run(connection, "CREATE EXTENSION lonely; UPDATE alembic_version SET version_num = 'abcd01'")
        connection.commit()
    return project


def test_what_needs_an_extension_that_only_the_scratch_server_lacks_is_left_out(lonely: Project) -> None:
    needing = (
        'op.execute("ALTER TABLE users ADD note text DEFAULT lonely(\'x\')")\n    op.execute("SELECT note FROM users")'
    )
    lonely.write_revision("abcd02", "abcd01", needing, 'op.execute("ALTER TABLE users DROP note")')
    lonely.write_revision("abcd03", "abcd02", 'op.create_index("i", "users", ["email"])', 'op.drop_index("i")')

    plan, lint, document = call(lonely, "plan"), call(lonely, "lint", "--all"), call(lonely, "plan", "--json")
    rollback = call(lonely, "rollback", "--steps", "1", ACCEPT="irreversible")

    said = plan.stdout + plan.stderr
    assert plan.returncode == 0, said
    assert "The scratch server lacks lonely, so what needs it is left out. SCRATCH_HOST, or RUNTIME=docker" in said
    assert "run on a database built from the revision files alone" in said
    for result in (plan, lint):
        assert re.findall(r"  needs lonely  alembic/versions/(abcd02.py:\d+)  The statement failed", result.stdout) == [
            "abcd02.py:12",
            "abcd02.py:13",
        ]
        assert "H03" in result.stdout
        assert "abcd03.py:12  users is read to build i" in result.stdout
        assert "H12" not in result.stdout
    assert "  needs lonely  alembic/versions/abcd01.py:12  The scratch server lacks this extension" in lint.stdout
    assert lint.stderr == ""
    revisions = json.loads(document.stdout)["revisions"]
    assert [[one["needs"] for one in revision["untried"]] for revision in revisions] == [["lonely", "lonely"], []]
    assert "Why:   The scratch server lacks lonely, which the target has." in rollback.stderr
    assert "Do:    name another scratch server in .env" in rollback.stderr
    assert call(lonely, "backup").returncode == 0
    verified, backups = call(lonely, "verify_backup"), json.loads(call(lonely, "backups", "--json").stdout)
    assert "cannot be restored: the server lacks the extension lonely.\n" in verified.stderr
    assert (backups["backups"][0]["verified"]["kind"], backups["backups"][0]["verified"]["passed"]) == ("quick", True)


def test_a_revision_that_cannot_be_imported_is_told_with_file_line_and_cause(project: Project) -> None:
    (project.versions / "abcd01.py").write_text("import no_such_module\n")

    result = project.run("plan")

    assert result.returncode == 1
    assert "✗ alembic/versions/abcd01.py, line 1 cannot be imported: ModuleNotFoundError: " in result.stderr
    assert "Do:    add the package of no_such_module to pyproject.toml" in result.stderr


def test_what_commits_in_between_is_shown(project: Project) -> None:
    block = (
        "exec(\"with op.get_context().autocommit_block(): op.execute('CREATE INDEX CONCURRENTLY i ON users (email)')\")"
    )
    project.write_revision("abcd01", project.version[0], f'op.execute("SELECT 1"); {block}; op.execute("SELECT 2")')

    printed = project.run("plan").stdout

    assert printed.count("  -- commit\n") == 2
    assert "H11 note" in printed
