"""What is said of PostgreSQL's errors: its details without values, and the next step"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import StatementError

from scripts.core.errors import UserError
from scripts.core.migrate import failure_report
from scripts.core.migrate.run_context import Conditions
from scripts.core.migrate.steps import Steps
from scripts.core.postgres import connections
from scripts.core.settings import Settings

SCHEMA = """
CREATE TYPE mood AS ENUM ('happy');
CREATE TABLE people (id int PRIMARY KEY, name text DEFAULT '1' UNIQUE, "nick name" text, age int);
CREATE TABLE pets (owner int); CREATE TABLE "my pets" ();
CREATE VIEW "old people" AS SELECT age FROM people;
CREATE TABLE alembic_version (version_num varchar(32));
INSERT INTO people (id, name, "nick name") VALUES (4711, 's3cret (a)=(b', 's3cret'), (2, 'other', 's3cret');
INSERT INTO pets VALUES (4713);
"""


@pytest.fixture(scope="module")
def database(lasting_database: Callable[..., URL]) -> URL:
    return lasting_database()


@pytest.fixture(scope="module")
def connection(database: URL) -> Iterator[Connection]:
    engine = connections.engine(database, "test", "")
    with engine.connect() as connection:
        connection.execute(text(SCHEMA))
        connection.commit()
        yield connection


@pytest.fixture
def report(configured: Settings, database: URL, connection: Connection) -> Callable[..., UserError]:
    def fail(statement: str, at: str = "abcd01") -> UserError:
        with pytest.raises(StatementError) as caught:
            connection.execute(text(statement))
        connection.rollback()
        conditions = Conditions(replace(configured, database_url=database), database, "test", connection)
        return failure_report.failed(conditions, Steps([], [at] if at else []), caught.value)

    return fail


RAISE = "DO $$ BEGIN RAISE 'no' USING ERRCODE = '{}', DETAIL = 'one s3cret word', HINT = 'more s3cret'; END $$"


@pytest.mark.parametrize(
    ("statement", "why", "do"),
    [
        (
            'ALTER TABLE people ALTER "nick name" TYPE int',
            'specify "USING "nick name"::integer"',
            """postgresql_using='"nick name"::integer' in that op.alter_column (in SQL: USING "nick name"::integer)""",
        ),
        ("ALTER TABLE people ALTER name TYPE int USING 1", "The statement", "remove the column's default first"),
        (
            "ALTER TABLE people ALTER COLUMN age TYPE bigint",
            'rule _RETURN on view "old people" depends on column "age"',
            "drop these objects before that line, and create them again after it",
        ),
        ("DROP TABLE people", 'view "old people" depends on table people', "drop or change these objects before"),
        ("CREATE TYPE mood AS ENUM ('sad')", "The statement", "make psql c='DROP TYPE mood'   (an earlier downgrade"),
        ("ALTER TABLE pets ADD COLUMN m moood", "The statement", "postgresql.ENUM(…, name='moood').create("),
        ("ALTER TABLE pets ADD at geometry", "The statement", 'op.execute("CREATE EXTENSION IF NOT EXISTS postgis")'),
        ("ALTER TABLE pets ADD book isbn13", "The statement", 'op.execute("CREATE EXTENSION IF NOT EXISTS isn")'),
        (
            "CREATE TABLE parts (id int) PARTITION BY LIST (id); ALTER TABLE parts ALTER id TYPE bigint",
            "The statement",
            "rename that table, create it with the new type, and copy the rows in batches",
        ),
        (r"SELECT convert('\xe282ac', 'UTF8', 'LATIN1')", "The statement", "the database's encoding has none for it"),
        (
            'ALTER TABLE public."my pets" DROP CONSTRAINT fk',
            "The statement",
            r"""make psql c='\d public."my pets"' shows the names""",
        ),
        ("CREATE INDEX CONCURRENTLY i ON pets (owner)", "The statement", 'write it inside "with op.get_context().auto'),
        ("CREATE TABLE far.away ()", "The statement", "op.execute('CREATE SCHEMA IF NOT EXISTS far') before that"),
        ("INSERT INTO alembic_version VALUES (repeat('x', 33))", "The statement", "revision's id to 32 characters"),
        ("ALTER TABLE people ALTER name TYPE varchar(5)", "The statement", "make verify-staging shows their keys"),
        ("ALTER TABLE people ALTER age SET NOT NULL", "The statement", "'UPDATE people SET age = … WHERE age IS NULL'"),
        ("INSERT INTO people VALUES (NULL)", "The statement", "give id a value in that statement"),
        (
            "ALTER TABLE pets ADD FOREIGN KEY (owner) REFERENCES people",
            'Key (owner)=(…) is not present in table "people".',
            "correct these rows first (make verify-staging shows their keys), then run this again",
        ),
        ('CREATE UNIQUE INDEX ON people ("nick name")', 'Key ("nick name")=(…) is duplicated.', "correct these rows"),
        ("INSERT INTO people (id, name) SELECT 3, name FROM people", "Key (name)=(…) already exists.", "correct these"),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(9)", "The statement", "statement_timeout that the revision"),
        (
            "SELECT set_config('statement_' || 'timeout', '1', true); SELECT pg_sleep(9)",
            "The",
            "set STATEMENT_TIMEOUT in",
        ),
        ("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(9)", "The statement", "why another session cancelled"),
        (RAISE.format("53200"), "The statement", "give the server more memory"),
        ("CREATE TABLE a (n int CHECK (n LIKE 'a%'))", "might need to add explicit type casts", "correct that file"),
        ("SELECT '{\"a\": s3cret}'::json", "The statement", "correct that file"),
        (RAISE.format("42804"), "The statement", "correct that file"),
        (RAISE.format("23505"), "The statement", "correct these rows first"),
    ],
)
def test_details_are_shown_without_values_and_with_the_next_step(
    report: Callable[..., UserError], statement: str, why: str, do: str
) -> None:
    said = dict(report(statement).facts)

    assert why in said["Why"]
    assert do in said["Do"]
    shown = said["Why"].rpartition("The statement was: ")[0]
    assert not [value for value in ("s3cret", "471", "other") if value in shown]


def test_a_colon_that_sqlalchemy_takes_for_a_parameter_is_named(report: Callable[..., UserError]) -> None:
    error = report("""UPDATE people SET name = '{"a":s3cret}'""")

    assert "InvalidRequestError: A value is required for bind parameter 's3cret'" in error.problem
    assert r"write \: for each colon in that text" in dict(error.facts)["Do"]


def test_an_empty_version_beside_tables_is_stamped(report: Callable[..., UserError]) -> None:
    assert "make stamp, which finds the revision" in dict(report("CREATE TABLE people ()", at="").facts)["Do"]
    assert "make stamp" not in dict(report("CREATE TABLE people ()").facts)["Do"]


def test_a_statement_is_shown_as_the_server_got_it_and_not_whole(report: Callable[..., UserError]) -> None:
    whole = dict(report("SELECT 1 / 0 WHERE 'a' LIKE '%'").facts)["Why"]
    long = dict(report(f"INSERT INTO nowhere VALUES ('{'s3cret, ' * 2_500_000}')").facts)["Why"]

    assert "%%" not in whole
    assert long == "The statement was: INSERT INTO … VALUES ( …"
