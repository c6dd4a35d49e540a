"""Limits hold for every statement but the one that needs none, and for every session"""

import textwrap

import pytest

from tests.conftest import Project
from tests.core.running import begin, call, run, session, wait_until, waits_for_lock

LIMITS = "SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement"
SEEN = f'op.execute("CREATE TABLE seen AS {LIMITS}")'
OURS = {"LOCK_TIMEOUT": "300", "STATEMENT_TIMEOUT": "40"}
CAUGHT = [
    "with op.get_context().autocommit_block():",
    "    try:",
    '        op.execute("CREATE INDEX CONCURRENTLY i ON users (nowhere)")',
    "    except Exception:",
    "        pass",
]


def apply(project: Project, revisions: list[str], *lines: str, **environment: str) -> str:
    project.write_revision("abcd01", revisions[-1], textwrap.indent("\n".join(lines), "    ").lstrip())
    result = call(project, **OURS, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    "lines",
    [
        CAUGHT,
        ["with op.get_context().autocommit_block():", '    op.execute("CREATE INDEX CONCURRENTLY i ON users (email)")'],
        ['op.execute("SET lock_timeout = 0")'],
        ["op.execute(\"SET LOCAL lock_timeout = '1h'\")"],
        ["op.execute(\"SELECT set_config('lock_timeout', '0', false)\")"],
        ['op.execute("RESET ALL")'],
        ['op.execute("DO $$ BEGIN SET lock_timeout = 0; END $$")'],
        ["op.get_bind().connection.cursor().execute('SET lock_timeout = 0')"],
        ["op.execute(\"UPDATE users SET username = 'CREATE INDEX CONCURRENTLY i ON t (c)' WHERE id = 0\")"],
    ],
)
def test_limits_are_set_again_before_the_next_statement(
    project: Project, revisions: list[str], lines: list[str]
) -> None:
    apply(project, revisions, *lines, SEEN)

    assert project.sql("TABLE seen") == [("300ms", "40s")]


def test_also_for_the_cursor_of_the_driver(project: Project, revisions: list[str]) -> None:
    apply(project, revisions, *CAUGHT, f'op.get_bind().connection.cursor().execute("CREATE TABLE seen AS {LIMITS}")')

    assert project.sql("TABLE seen") == [("300ms", "40s")]


@pytest.mark.parametrize(
    ("statement", "limits"),
    [
        ("ALTER TABLE t VALIDATE CONSTRAINT c", ("300ms", "0")),
        ("ALTER TABLE t /* CONCURRENTLY */ ADD n2 text DEFAULT 'CONCURRENTLY'", ("300ms", "40s")),
    ],
)
def test_only_the_syntax_lifts_a_limit(
    project: Project, revisions: list[str], statement: str, limits: tuple[str, str]
) -> None:
    project.sql(
        "CREATE TABLE seen (lock text, statement text); CREATE TABLE t (n int); INSERT INTO t VALUES (1);"
        f" CREATE FUNCTION see(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen {LIMITS};"
        " RETURN true; END $$; ALTER TABLE t ADD CONSTRAINT c CHECK (see(n)) NOT VALID;"
        " CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN INSERT INTO seen {LIMITS}; END $$;"
        " CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION seen()"
    )
    apply(project, revisions, f'op.execute("{statement}")')

    assert project.sql("TABLE seen")[0] == limits


def test_a_revision_has_its_own_statement_timeout_to_its_end(project: Project, revisions: list[str]) -> None:
    later = f'op.execute("INSERT INTO seen {LIMITS}")'
    project.write_revision("abcd02", "abcd01", later)
    validate = 'op.execute("ALTER TABLE t VALIDATE CONSTRAINT c")'
    project.sql("CREATE TABLE t (n int); ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID")
    apply(project, revisions, "op.execute(\"SET statement_timeout = '2h'\")", validate, SEEN)

    assert project.sql("TABLE seen") == [("300ms", "2h"), ("300ms", "40s")]


def test_commits_wait_for_the_disk_once_at_the_end(project: Project, revisions: list[str]) -> None:
    project.sql(f"ALTER DATABASE {project.url.database} SET synchronous_commit = on")
    made = "CREATE TABLE made AS SELECT current_setting('synchronous_commit'), pg_current_wal_insert_lsn() AS at"
    apply(project, revisions, f'op.execute("{made}")')

    assert project.sql("SELECT current_setting, pg_current_wal_flush_lsn() > at FROM made") == [("off", True)]


def test_what_cannot_be_brought_onto_the_disk_is_not_called_done(project: Project, revisions: list[str]) -> None:
    close = f"ALTER DATABASE {project.url.database} ALLOW_CONNECTIONS false"
    names = "user='{POSTGRES_USER}' password='{POSTGRES_PASSWORD}' host='{POSTGRES_HOST}' port='{POSTGRES_PORT}'"
    code = "import os, psycopg2"
    code += f'; other = psycopg2.connect("dbname=postgres {names}".format(**os.environ)); other.autocommit = True'
    project.write_revision("abcd01", revisions[-1], f'{code}; other.cursor().execute("{close}")')

    result = call(project)
    project.sql_on_server(close.replace("false", "true"))
    again = call(project)

    assert result.returncode == 1
    assert "✗ Every revision ran, but perhaps not all are on the server's disk: " in result.stderr
    assert "not currently accepting connections" in result.stderr
    assert "  State: the server has committed every revision.\n" in result.stderr
    assert "✓" not in result.stdout
    assert again.returncode == 0, again.stderr
    assert project.version == ["abcd01"]


@pytest.mark.parametrize("options", ["", "-c work_mem=5MB"])
def test_a_second_session_has_the_limits(project: Project, revisions: list[str], options: str) -> None:
    lines = [
        "import os, psycopg2",
        "names = {'dbname': 'DB', 'user': 'USER', 'password': 'PASSWORD', 'host': 'HOST', 'port': 'PORT'}",
        "connection = psycopg2.connect(**{name: os.environ['POSTGRES_' + of] for name, of in names.items()})",
        f"connection.cursor().execute(\"CREATE TABLE seen AS {LIMITS}, current_setting('work_mem') AS memory\")",
        "connection.commit()",
    ]
    apply(project, revisions, *lines, **({"PGOPTIONS": options} if options else {}))

    assert project.sql("SELECT lock, statement FROM seen") == [("300ms", "40s")]
    assert project.sql("SELECT memory = '5MB' FROM seen") == [(bool(options),)]


@pytest.mark.faults
@pytest.mark.parametrize("lifted", [CAUGHT, ['op.execute("SET lock_timeout = 0")']])
def test_readers_do_not_wait_for_a_revision_whose_limits_were_lifted(
    project: Project, revisions: list[str], lifted: list[str]
) -> None:
    lines = [*lifted, 'op.execute("ALTER TABLE users ADD note text")']
    project.write_revision("abcd01", revisions[-1], textwrap.indent("\n".join(lines), "    ").lstrip())
    with session(project.url) as holder:
        run(holder, "SELECT FROM users")
        process = begin(project)
        wait_until(lambda: waits_for_lock(project))
        wait_until(lambda: not waits_for_lock(project))
        holder.rollback()
        process.end()
