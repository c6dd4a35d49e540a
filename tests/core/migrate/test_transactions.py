"""What a revision commits by itself is said, and what it rolls back is an error"""

import textwrap

import pytest

from tests.conftest import Project
from tests.core.running import call

DRIVER = "op.get_bind().connection.dbapi_connection"
FAILS = 'op.execute("SELECT 1/0")'


def write(project: Project, revisions: list[str], *lines: str) -> None:
    """A revision of these lines, the first of which is line 12, and one after it."""
    project.write_revision("abcd01", revisions[-1], textwrap.indent("\n".join(lines), "    ").lstrip())
    project.write_revision("abcd02", "abcd01", 'op.execute("CREATE TABLE second ()")')


def tables(project: Project) -> list[object]:
    return [row[0] for row in project.sql("SELECT relname FROM pg_class WHERE relname IN ('a', 'b', 'second')")]


MADE = 'op.execute("CREATE TABLE a ()")'
RAW = 'raw = op.get_bind().connection.cursor(); raw.execute("CREATE TABLE a ()")'


@pytest.mark.parametrize(
    ("lines", "committed"),
    [
        ([MADE, "op.get_bind().commit()", FAILS], "before the commit in line 13"),
        ([MADE, "op.get_bind().connection.commit()", FAILS], "before the commit in line 12"),
        ([MADE, 'op.execute("COMMIT")', FAILS], "before the commit in line 13"),
        (['op.execute("CREATE TABLE a (); COMMIT; SELECT 1/0")'], "before the commit in line 12"),
        (['op.execute("CREATE TABLE a (); COMMIT; BEGIN; SELECT 1")', FAILS], "before the commit in line 12"),
        (['op.execute("CREATE TABLE a (); COMMIT AND CHAIN")', "1 / 0"], "before the commit in line 12"),
        (['op.execute("COMMIT")', MADE, FAILS], "up to line 13"),
        ([RAW, "op.get_bind().connection.commit()", 'raw.execute("CREATE TABLE b ()")', "1 / 0"], "before the commit"),
        (['op.get_bind().connection.cursor().execute("CREATE TABLE a (); COMMIT; SELECT 1/0")'], "before the commit"),
        ([RAW, "raw.execute('COMMIT')", "1 / 0"], "before the commit"),
        ([f"{DRIVER}.set_session(autocommit=True)"], ""),
        (
            [
                "driver = op.get_bind().connection.dbapi_connection",
                "driver.commit(); driver.autocommit = True",
                MADE,
                FAILS,
            ],
            "up to line 14",
        ),
    ],
)
def test_what_is_committed_before_a_failure_is_said(
    project: Project, revisions: list[str], lines: list[str], committed: str
) -> None:
    write(project, revisions, *lines)

    result = call(project)

    assert result.returncode == 1
    assert project.version == revisions[-1:]
    outcome = f"the work of abcd01 {committed}" if committed else "the step was rolled back."
    assert f"State: the database is at {revisions[-1]}; {outcome}" in result.stderr
    assert tables(project) == (["a"] if committed else [])
    if committed:
        assert "is committed and stays; the rest was rolled back." in result.stderr


@pytest.mark.parametrize(
    "commit", ["op.get_bind().commit()", "op.get_bind().connection.commit()", 'op.execute("COMMIT")']
)
@pytest.mark.parametrize("last", [MADE.replace("a (", "b ("), "pass"])
def test_a_revision_that_commits_is_applied_with_its_version(
    project: Project, revisions: list[str], commit: str, last: str
) -> None:
    """Its version was lost, and the user was sent to alembic/env.py."""
    write(project, revisions, MADE, commit, last)

    result = call(project)

    assert result.returncode == 0, result.stderr
    assert project.version == ["abcd02"]
    assert tables(project) == ["a", "b", "second"] if last != "pass" else ["a", "second"]
    assert project.sql("SELECT revision FROM migration_log WHERE revision LIKE 'abcd%' ORDER BY id") == [
        ("abcd01",),
        ("abcd02",),
    ]


@pytest.mark.parametrize("change", ["DELETE FROM alembic_version", "UPDATE alembic_version SET version_num = 'x'"])
def test_a_revision_that_changes_the_version_itself_is_not_applied(
    project: Project, revisions: list[str], change: str
) -> None:
    write(project, revisions, MADE, f'op.execute("{change}")')

    result = call(project)

    assert result.returncode == 1
    assert f"alembic_version has 0 rows with {revisions[-1]} instead of one." in result.stderr
    assert (project.version, tables(project)) == (revisions[-1:], [])


@pytest.mark.parametrize(
    ("rollback", "line"),
    [
        ('op.execute("ROLLBACK")', 13),
        ('op.execute("ROLLBACK; BEGIN")', 13),
        ("op.get_bind().rollback()", 12),
        ("op.get_bind().connection.rollback()", 12),
    ],
)
@pytest.mark.parametrize("after", ['op.execute("CREATE TABLE b ()")', "pass"])
def test_a_revision_that_rolls_back_is_not_applied(
    project: Project, revisions: list[str], rollback: str, line: int, after: str
) -> None:
    """Without a word, what stood before was missing, and the version said that it was there."""
    write(project, revisions, MADE, rollback, after)

    result = call(project)

    assert result.returncode == 1
    assert (
        f"✗ alembic/versions/abcd01.py, line {line}: the revision has rolled back its own transaction." in result.stderr
    )
    assert project.version == revisions[-1:]
    assert tables(project) == []


def test_an_error_that_was_caught_without_a_savepoint_has_undone_everything(
    project: Project, revisions: list[str]
) -> None:
    write(project, revisions, MADE, "try:", f"    {FAILS}", "except Exception:", "    pass")

    result = call(project)

    assert result.returncode == 1
    assert "✗ alembic/versions/abcd01.py, line 14: the code caught an error here" in result.stderr
    assert "begin_nested()" in result.stderr
    assert tables(project) == []


def test_a_savepoint_is_no_end_of_a_transaction(project: Project, revisions: list[str]) -> None:
    nested = ["try:", "    with op.get_bind().begin_nested():", f"        {FAILS}", "except Exception:", "    pass"]
    write(project, revisions, MADE, *nested, 'op.execute("SAVEPOINT x; CREATE TABLE b (); ROLLBACK TO x")')

    result = call(project)

    assert result.returncode == 0, result.stderr
    assert tables(project) == ["a", "second"]


def test_a_driver_in_autocommit_is_not_left_to_the_next_revision(project: Project, revisions: list[str]) -> None:
    driver = f"driver = {DRIVER}; driver.commit(); driver.autocommit = True"
    project.write_revision("abcd01", revisions[-1], driver)
    project.write_revision("abcd02", "abcd01", f"{MADE}; {FAILS}")

    result = call(project)

    assert "the step was rolled back." in result.stderr
    assert project.version == ["abcd01"]
    assert tables(project) == []


def test_the_commit_of_an_empty_transaction_is_none(project: Project, revisions: list[str]) -> None:
    block = ["with op.get_context().autocommit_block():", f"    {FAILS}"]
    write(project, revisions, *block)

    assert "the step was rolled back." in call(project).stderr


def test_the_commit_before_an_autocommit_block_is_one(project: Project, revisions: list[str]) -> None:
    write(project, revisions, RAW, "with op.get_context().autocommit_block():", f"    {FAILS}")

    result = call(project)

    assert "the work up to the end of its autocommit block is committed and stays." in result.stderr
    assert tables(project) == ["a"]


@pytest.mark.parametrize("commit", ['raw.execute("COMMIT")', "op.get_bind().connection.commit()"])
def test_a_commit_that_only_the_driver_knows_is_found(project: Project, revisions: list[str], commit: str) -> None:
    write(project, revisions, RAW, commit)

    result = call(project, "plan")

    assert "H14 block  alembic/versions/abcd01.py:" in result.stdout


@pytest.mark.parametrize("verb", ["plan", "lint"])
def test_the_line_is_found_before_it_runs(project: Project, revisions: list[str], verb: str) -> None:
    write(project, revisions, MADE, "op.get_bind().commit()")

    result = call(project, verb, *(["--all"] if verb == "lint" else []))

    assert "H14 block  alembic/versions/abcd01.py:13  The revision commits its transaction here" in result.stdout


NAMES = ("search_path", "TimeZone", "default_transaction_isolation", "DateStyle")
SETTINGS = "current_user AS u, session_user AS s, " + ", ".join(f"current_setting('{n}') AS {n}" for n in NAMES)


@pytest.mark.parametrize(
    "leak",
    [
        "SET search_path = other",
        "SELECT pg_catalog.set_config('search_path', '', false)",
        "SET TimeZone = 'Asia/Kathmandu'",
        "SET ROLE pg_read_all_data",
        "SET SESSION AUTHORIZATION pg_read_all_data",
        "SET default_transaction_isolation = 'serializable'",
        "SET LOCAL search_path = other",
    ],
)
@pytest.mark.parametrize("commit", ["", '; op.execute("COMMIT")'])
def test_each_revision_begins_with_the_sessions_own_settings(
    project: Project, revisions: list[str], leak: str, commit: str
) -> None:
    """Also the version is written with them: by the session's role, in its schema."""
    project.sql("CREATE SCHEMA other")
    project.write_revision("abcd01", revisions[-1], f'op.execute("{leak}"){commit}')
    project.write_revision("abcd02", "abcd01", f'op.execute("CREATE TABLE seen AS SELECT {SETTINGS}")')

    result = call(project)

    assert result.returncode == 0, result.stderr
    assert project.version == ["abcd02"]
    assert project.sql("TABLE public.seen") == project.sql(f"SELECT {SETTINGS}")


@pytest.mark.parametrize(
    ("left", "used"),
    [
        ("CREATE TEMP TABLE users (n int)", "SELECT email FROM users"),
        ("PREPARE x AS SELECT 1", "PREPARE x AS SELECT 2"),
        ("DECLARE x CURSOR WITH HOLD FOR SELECT 1", "DECLARE x CURSOR FOR SELECT 2"),
        ("SELECT pg_advisory_lock(42)", "SELECT 1 / count(*) FROM (VALUES (1)) AS v WHERE NOT EXISTS (SELECT FROM"
         " pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')"),
    ],
)  # fmt: skip
def test_each_revision_begins_without_what_the_one_before_left_in_the_session(
    project: Project, revisions: list[str], left: str, used: str
) -> None:
    project.write_revision("abcd01", revisions[-1], f'op.execute("{left}")')
    project.write_revision("abcd02", "abcd01", f'op.execute("{used}")')

    assert call(project).returncode == 0


def test_dates_are_read_as_before_on_a_server_that_writes_them_another_way(
    project: Project, revisions: list[str]
) -> None:
    """The driver sets DateStyle itself; a RESET ALL would take that away."""
    project.sql(f"ALTER DATABASE {project.url.database} SET datestyle = 'German'")
    read = "assert str(op.get_bind().exec_driver_sql(\"SELECT date '2026-02-01'\").scalar()) == '2026-02-01'"
    project.write_revision("abcd01", revisions[-1], read)
    project.write_revision("abcd02", "abcd01", read)

    result = call(project)

    assert result.returncode == 0, result.stderr


def test_texts_are_sent_as_before_after_another_encoding(project: Project, revisions: list[str]) -> None:
    encoding = f"driver = {DRIVER}; driver.commit(); driver.set_client_encoding('LATIN1')"
    project.write_revision("abcd01", revisions[-1], encoding)
    project.write_revision("abcd02", "abcd01", "op.execute(\"CREATE TABLE seen AS SELECT 'größer €' AS word\")")

    result = call(project)

    assert result.returncode == 0, result.stderr
    assert project.sql("TABLE seen") == [("größer €",)]


def test_a_plan_finds_the_schema_that_migrate_makes(project: Project, revisions: list[str]) -> None:
    project.sql("CREATE SCHEMA other")
    project.write_revision("abcd01", revisions[-1], 'op.execute("SET search_path = other")')
    project.write_revision("abcd02", "abcd01", 'op.execute("ALTER TABLE users ADD note text")')

    result = call(project, "plan")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "blocks reads and writes of users until the commit" in result.stdout
