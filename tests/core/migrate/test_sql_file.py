"""scripts/core/migrate/sql_file.py: statements are split as psql splits them, and reach the server as they are"""

import subprocess
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from scripts.core.migrate.sql_file import _statements
from scripts.core.postgres import client_programs, connections

STATEMENTS = [
    "SELECT 1",
    "SELECT 'a;b', 'it''s;', '\\'",
    "SELECT E'a\\';b', e'\\\\'",
    "SELECT U&'d\\0061t;', B'1', X'1F', N'n;'",
    'SELECT 1 AS "a;""b", 2 AS "\'"',
    "SELECT $$a;b$$, $tag$ $$ ; $tag $ $tag$, $_x1$;$_x1$, $é$;$é$",
    "SELECT a$b FROM (VALUES (1)) AS v (a$b)",
    "SELECT 1 AS x$$, 2 AS y$$",
    "SELECT 1 -- no; end\n, 2",
    "SELECT 1 /* no; /* nested; ' */ still; */, 2",
    "SELECT 4 -- '\n/ 2 /* \" */",
    "SELECT 2 - -1, 3 * 2, 4 / 2",
    "CREATE TEMP TABLE t (id int, note text DEFAULT ';')",
    "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM t; DELETE FROM t)",
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END",
    "create or replace procedure pg_temp.p(a int DEFAULT (1)) LANGUAGE sql begin atomic DELETE FROM t; end",
    "CREATE FUNCTION pg_temp.g() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END; $$",
    'CREATE FUNCTION pg_temp."begin"() RETURNS int LANGUAGE sql RETURN 1',
    "DO $do$ BEGIN PERFORM 1; EXECUTE $$SELECT 1;$$; END $do$",
    "BEGIN",
    "END",
    "SELECT '50%', 'x' LIKE '%s', ':name', '12:30'::time, '{\"a\":1}'::json, E'\\\\:x', (ARRAY[1,2])[1:2]",
    "SELECT 'größe 漢'",
    "SELECT 'two\nlines'",
    "SELECT 1 AS last",
]
BETWEEN = [";\n", " ; ", ";;\n;", ";\n-- a comment; '\n\n", ';/* another; /* " */ */\n', ";\t\n"]
TEXT = "-- begins; with a comment\n" + "".join(
    f"{one}{BETWEEN[number % len(BETWEEN)]}" for number, one in enumerate(STATEMENTS)
)


def test_statements_are_split_at_the_semicolons_that_end_one() -> None:
    assert list(_statements(TEXT)) == STATEMENTS
    assert list(_statements(TEXT.rstrip().rstrip(";"))) == STATEMENTS
    assert list(_statements("")) == []
    assert list(_statements(" ;; -- only\n /* comments */ ;")) == []


def test_a_string_goes_on_after_a_line_end_as_it_began() -> None:
    """The server reads it so. psql 18 does not, and sends the half of it."""
    assert list(_statements("SELECT E'a'\n  'b\\';c'; SELECT 'a'\n'b\\'; SELECT 2")) == [
        "SELECT E'a'\n  'b\\';c'",
        "SELECT 'a'\n'b\\'",
        "SELECT 2",
    ]


@pytest.mark.parametrize("text", ["SELECT 'a; b", 'SELECT "a; b', "SELECT $$a; b", "SELECT 1 /* a; b", "SELECT (1; 2"])
def test_what_does_not_end_is_left_to_the_server(text: str) -> None:
    assert list(_statements(f"SELECT 0; {text}")) == ["SELECT 0", text]


def test_psql_splits_the_same(server: URL, tmp_path: Path) -> None:
    path = tmp_path / "all.sql"
    path.write_text(TEXT)
    psql = client_programs.newest("psql")
    words = [psql, "--no-psqlrc", "--quiet", "--echo-queries", "--output=/dev/null", f"--file={path}"]
    environment = {**connections.tool_environment(server), "PGCLIENTENCODING": "UTF8"}

    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)

    assert done.stderr == ""
    # It shows the comments between two statements too.
    for statement in STATEMENTS:
        assert f"{statement};\n" in done.stdout.replace(f"{statement} ;\n", f"{statement};\n"), done.stdout
    assert done.stdout.count(";\n") >= len(STATEMENTS)
