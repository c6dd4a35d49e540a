"""No contents of rows in what is shown, whatever type and language they have"""

import textwrap
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from scripts.core import redaction
from tests.conftest import Project
from tests.core.running import call

SECRET = 's3cret "in quotes"\nand a second line'
SEEN = ("s3cret", "in quotes", "second line")


@pytest.fixture(scope="module")
def connection(lasting_database: Callable[..., URL]) -> Iterator[Connection]:
    engine = create_engine(lasting_database(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(
                "CREATE TYPE mood AS ENUM ('happy'); CREATE DOMAIN short AS varchar(3);"
                " CREATE TABLE people (name text UNIQUE, age int NOT NULL CHECK (age > 0));"
                " INSERT INTO people VALUES ('s3cret', 47114711)"
            )
        )
        yield connection


def error(connection: Connection, statement: str, **values: object) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught:
        connection.execute(text(statement), values)
    return caught.value


@pytest.mark.parametrize(
    "type_",
    "int bigint numeric boolean date time timestamptz interval uuid mood inet cidr macaddr json jsonb bytea int[] point"
    " int4range xid8 oid money bit(3) double_precision pg_lsn regclass tsquery xml jsonpath".replace(
        "double_precision", "float"
    ).split(),
)
@pytest.mark.parametrize("source", ["", "the text of a revision"])
def test_a_value_that_is_none_of_its_type_is_not_shown(connection: Connection, type_: str, source: str) -> None:
    value = {"bytea": "\\xs3cret", "xml": "<s3cret"}.get(type_, SECRET)

    shown = redaction.message(error(connection, f"SELECT CAST(CAST(:value AS text) AS {type_})", value=value), source)

    assert shown
    assert not [word for word in SEEN if word in shown]


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT CAST(CAST('47114711471147' AS text) AS int)", 'value "…" is out of range for type integer'),
        ("SELECT CAST(CAST('2026-47-11' AS text) AS date)", 'date/time field value out of range: "…"'),
        ("SELECT convert_from('\\x4711ff', 'UTF8')", 'invalid byte sequence for encoding "…'),
        ("SELECT 4711 / 0", "division by zero"),
        ("INSERT INTO people VALUES ('s3cret', 4711)", "duplicate key value violates unique constraint "),
        ("INSERT INTO people VALUES ('s3cret', NULL)", 'null value in column "age" of relation "people" violates'),
        ("INSERT INTO people VALUES ('s3cret', -4711)", 'new row for relation "people" violates check constraint '),
        ("DO $$ BEGIN RAISE 'no people of 4711 s3cret'; END $$", "raise exception (P0001)"),
        (
            "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '22P02', MESSAGE ="
            " 'ungültige Eingabesyntax für Typ integer: »4711 «s3cret» 4711«'; END $$",
            "ungültige Eingabesyntax für Typ integer: »…«",
        ),
    ],
)
def test_the_words_of_postgresql_are_shown_without_values(connection: Connection, statement: str, shown: str) -> None:
    said = redaction.message(error(connection, statement))

    assert said.startswith(shown)
    assert "s3cret" not in said
    assert "4711" not in said


SOURCE = """op.execute("UPDATE people SET name = 'known' WHERE age > 18")  # RAISE 'no people of %'"""


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("UPDATE people SET name = 'known' WHERE age > 18", "UPDATE people SET name = 'known' WHERE age > 18"),
        ("INSERT INTO people VALUES ('it''s s3cret', 4711, 1.5)", "INSERT INTO people VALUES ('…', …, …)"),
        ('UPDATE people SET age = 18 WHERE name = "s3cret"', 'UPDATE people SET age = 18 WHERE name = "…"'),
        ("SELECT s3cret FROM people", "SELECT … FROM people"),
        ("UPDATE people SET age = %(age_1)s WHERE $1", "UPDATE people SET age = %(age_1)s WHERE $1"),
        ('CREATE TABLE "Other" (n varchar(18))', 'CREATE TABLE "Other" (n varchar(18))'),
    ],
)
def test_a_statement_is_shown_without_what_it_was_put_together_from(statement: str, shown: str) -> None:
    assert redaction.statement(statement, SOURCE) == shown


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("UPDATE people SET name = 'O's3cret' WHERE age > 18", "syntax error at or near …"),
        ('UPDATE people SET name = 18 WHERE name = "s3cret"', 'column "…" does not exist'),
        ("UPDATE s3cret SET name = 'known'", 'relation "…" does not exist'),
        ("ALTER TABLE others ADD n int", 'relation "others" does not exist'),
        ("DO $$ BEGIN RAISE 'no people of s3cret'; END $$", "no people of …"),
    ],
)
def test_names_of_the_statement_are_shown_and_values_in_it_are_not(
    connection: Connection, statement: str, shown: str
) -> None:
    said = redaction.message(error(connection, statement), SOURCE)

    assert said.replace('"…"', "…") == shown.replace('"…"', "…")


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        (
            ValueError([("ada", "s3cret@example.com", 4711)]),
            "ValueError (its text may hold contents of rows: not shown)",
        ),
        (KeyError("s3cret"), "KeyError (its text may hold contents of rows: not shown)"),
        (ValueError("no people of 4711"), "ValueError: no people of …"),
        (NotImplementedError("no people"), "NotImplementedError: no people"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_of_an_error_of_the_revision_its_own_words_are_shown(raised: Exception, shown: str) -> None:
    assert redaction.exception(raised, SOURCE).rstrip(": ") == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("ValueError: no people of s3cret", "ValueError: no people of …"),
        ("AssertionError: [('s3cret', 'ada')]", "AssertionError: …"),
        (
            "sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedColumn) column people.s does not exist",
            "sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedColumn) column people.s does not exist",
        ),
        ('sqlalchemy.exc.DataError: (psycopg2.errors.X) invalid: "s3cret"', "sqlalchemy.exc.DataError: …"),
    ],
)
def test_of_the_end_of_a_check_its_own_words_are_shown(line: str, shown: str) -> None:
    assert redaction.last_line(line, SOURCE) == shown


ROWS = "rows = op.get_bind().exec_driver_sql('SELECT username, email FROM users').all()"


@pytest.mark.parametrize(
    "lines",
    [
        ['op.execute("ALTER TABLE users ALTER username TYPE int USING username::int")'],
        ['op.execute("ALTER TABLE users ALTER username TYPE date USING username::date")'],
        [ROWS, "raise ValueError(rows)"],
        [ROWS, "raise SystemExit(rows)"],
        [ROWS, "import sqlalchemy as sa", "raise type('E', (sa.exc.SQLAlchemyError,), {'__module__': __name__})(rows)"],
        [ROWS, "{}[rows[0]]"],
        [ROWS, "op.execute(f\"INSERT INTO nowhere VALUES ('{rows[0].username}')\")"],
        [ROWS, 'op.execute(f"SELECT {rows[0].username}")'],
        [ROWS, "import sqlalchemy as sa",
         "op.get_bind().execute(sa.text('SELECT 1 / 0 WHERE :a > \\'a\\''), {'a': rows[0].username})"],
        ["import sqlalchemy as sa",
         ROWS, "op.get_bind().execute(sa.text('SELECT :a, :b'), [{'a': rows[0].username, 'b': object()}])"],
        ['op.execute("DO $$ DECLARE u users; BEGIN SELECT * INTO u FROM users; RAISE \'bad: %%\', u; END $$")'],
    ],
)  # fmt: skip
def test_no_row_is_in_the_output_or_the_log_of_migrate(
    project: Project, revisions: list[str], lines: list[str]
) -> None:
    project.sql("INSERT INTO users (username, email) VALUES ('s3cret', 'hidden@example.com')")
    project.write_revision("abcd01", revisions[-1], textwrap.indent("\n".join(lines), "    ").lstrip())
    (project.path / "logs").mkdir()

    result = call(project, LOG_DIR=str(project.path / "logs"))

    (log,) = (project.path / "logs").iterdir()
    said = result.stdout + result.stderr + log.read_text()
    assert result.returncode == 1
    assert "✗ alembic/versions/abcd01.py, line " in said
    assert "s3cret" not in said
    assert "hidden" not in said


@pytest.mark.parametrize("verb", ["plan", "lint"])
def test_rows_that_a_revision_made_are_in_no_plan(project: Project, revisions: list[str], verb: str) -> None:
    rows = "rows = op.get_bind().exec_driver_sql(\"SELECT md5('1')\").all(); raise ValueError(rows)"
    project.write_revision("abcd01", revisions[-1], rows)

    result = call(project, verb, "--json", *(["--all"] if verb == "lint" else []))

    assert "ValueError (its text may hold contents of rows: not shown)" in result.stderr
    assert "c4ca4238" not in result.stdout + result.stderr
