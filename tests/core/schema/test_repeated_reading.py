"""A session that reads a schema again and again finds what a reading of all of it finds"""

import os

import pytest
from sqlalchemy import Connection

from scripts.core.postgres import connections, sql
from scripts.core.postgres.sql import Sql
from scripts.core.schema import fingerprint, repeated_reading
from scripts.core.schema.catalogs import unknown
from scripts.core.settings import Settings
from tests.core.schemas import make, read, run

CHANGED = (
    "CREATE TABLE a (n int CHECK (n > 0)); CREATE VIEW v AS SELECT n FROM a",
    "CREATE SCHEMA s; CREATE TYPE s.t AS ENUM ('x'); ALTER TABLE a ADD t s.t DEFAULT 'x'",
    "CREATE OPERATOR = (FUNCTION = int8eq, LEFTARG = int8, RIGHTARG = int8); GRANT SELECT ON a TO pg_monitor",
    "DROP VIEW v; ALTER TABLE a RENAME TO b; CREATE TABLE alembic_version (version_num text)",
    "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE a (n int)",
)
SHOP = """CREATE TABLE users (id serial PRIMARY KEY, name text, owner text);
    CREATE TABLE orders (id int PRIMARY KEY, user_id int CONSTRAINT by_user REFERENCES users, name text);
    CREATE VIEW named AS SELECT name, owner, user_id FROM users JOIN orders USING (name);
    CREATE VIEW alone AS SELECT 1 AS one;
    CREATE TABLE logs (at date) PARTITION BY RANGE (at); CREATE INDEX by_time ON logs (at);
    CREATE TABLE logs_new PARTITION OF logs DEFAULT; CREATE TABLE one (a int); CREATE TABLE other (b int);
    CREATE STATISTICS st ON id, user_id FROM orders; CREATE TYPE pair AS (a int, b int);
    CREATE FUNCTION taken(users) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE free"""
ALONE = (
    "CREATE TABLE more (id int PRIMARY KEY, n int REFERENCES orders, note text)",
    "ALTER TABLE one ADD COLUMN more text DEFAULT 'x', ADD CHECK (a > 0)",
    "CREATE INDEX by_sum ON one ((a + 1)); CREATE SEQUENCE counting",
    "COMMENT ON COLUMN one.a IS 'a'; COMMENT ON INDEX by_sum IS 'b'; GRANT SELECT ON one TO pg_monitor",
    "ALTER TABLE one DROP COLUMN more, ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY p ON one USING (a > 1)",
    "ALTER SEQUENCE free OWNED BY one.a; ALTER TABLE one ALTER COLUMN a SET NOT NULL, SET (fillfactor = 70)",
    "ALTER TABLE users DISABLE TRIGGER ALL",  # which disables the foreign key of orders
    "ALTER TABLE other OWNER TO pg_monitor; ALTER INDEX by_sum ALTER COLUMN 1 SET STATISTICS 5",
    "DROP TABLE more; DROP SEQUENCE counting; DROP TABLE one; CREATE TABLE one (c int)",
    "ALTER TABLE orders DROP CONSTRAINT by_user; ALTER TABLE logs DETACH PARTITION logs_new",
    "DROP VIEW alone; CREATE VIEW alone AS SELECT b FROM other",
)
"""Each changes relations and nothing that others print."""
TOGETHER = (
    "ALTER TABLE users RENAME TO people",
    "ALTER TABLE users RENAME COLUMN id TO number",
    "ALTER TABLE users ADD COLUMN user_id int",  # the view may print aliases
    "ALTER TABLE orders RENAME CONSTRAINT by_user TO of_user",
    "ALTER TABLE one RENAME TO two; ALTER TABLE other RENAME TO one; ALTER TABLE two RENAME TO other",
    "ALTER INDEX by_time RENAME TO by_date",
    "ALTER SEQUENCE users_id_seq RENAME TO numbers",
    "ALTER VIEW alone RENAME COLUMN one TO two",
    "ALTER TYPE pair ADD ATTRIBUTE c int",
    "CREATE SCHEMA s; ALTER TABLE one SET SCHEMA s",
    "CREATE TEMPORARY TABLE passing (id int)",
    "GRANT EXECUTE ON FUNCTION pg_catalog.now() TO pg_monitor; REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC",
    "CREATE TABLE alembic_version (version_num text); ALTER TABLE alembic_version OWNER TO pg_monitor",
    "COMMENT ON CONSTRAINT by_user ON orders IS 'a key'; COMMENT ON SCHEMA public IS 'ours'",
    "CREATE EXTENSION citext; ALTER EXTENSION citext ADD TABLE one",
    "CREATE PUBLICATION news FOR TABLE orders (id)",
)
"""Each changes what others print, or what is no relation."""


SHARED = pytest.mark.skipif("SCRATCH_HOST" in os.environ, reason="other workers make roles on that server meanwhile")


def executed(reader: Connection, statement: str) -> int:
    """How often this session has executed a prepared statement, with the plan that it made once."""
    query = f"SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = '{statement}'"
    plans = sql.run(reader, Sql(query)).all()
    assert all(custom == 0 for _, custom in plans)
    return int(plans[0][0]) if plans else 0


@SHARED
@pytest.mark.parametrize("isolation", ["AUTOCOMMIT", "READ COMMITTED"])
def test_it_plans_once_and_sees_every_change(target: Settings, isolation: str) -> None:
    with connections.connect(target, isolation_level=isolation) as reader:
        for statement in CHANGED:
            make(target, [statement])
            found = repeated_reading.read(reader)
            assert found == read(target)
            assert repeated_reading.read(reader) is found
        assert executed(reader, "schema_reading") == len(CHANGED)

    assert found.objects["table a"]


@SHARED
def test_it_reads_the_changed_relations_alone(target: Settings) -> None:
    with connections.connect(target) as reader:
        run(reader, SHOP)
        repeated_reading.read(reader)
        before = repeated_reading.read(reader)
        copy = fingerprint.read(reader)
        for number, statement in enumerate(ALONE, start=1):
            run(reader, statement)
            assert repeated_reading.read(reader) == fingerprint.read(reader), statement
            assert (executed(reader, "schema_part"), executed(reader, "schema_reading")) == (number, 1), statement

    assert before == copy  # an earlier answer stays as it was


def test_it_reads_everything_if_others_may_print_something_else(target: Settings) -> None:
    make(target, [SHOP])
    with connections.connect(target) as reader:
        for number, statement in enumerate(TOGETHER):
            before = repeated_reading.read(reader)
            run(reader, f"SAVEPOINT one; {statement}")
            found = repeated_reading.read(reader)
            assert found == fingerprint.read(reader), statement
            assert found != before or "TEMPORARY" in statement
            run(reader, "ROLLBACK TO one")
            assert repeated_reading.read(reader) == before, number


def test_an_object_of_a_kind_that_was_unknown_when_the_plan_was_made_is_seen(
    target: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(unknown.LETTERS, "pg_proc.prokind", "faw")  # as if a server were the first with procedures
    with connections.connect(target, isolation_level="AUTOCOMMIT") as reader:
        assert repeated_reading.read(reader).unknown == []
        make(target, ["CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'"])

        assert repeated_reading.read(reader).unknown == ["procedure p()"]


def test_a_plan_that_was_made_for_a_small_schema_is_not_used_for_a_large_one(
    target: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated_reading, "SMALL", 1)
    with connections.connect(target) as reader:
        before = len(repeated_reading.read(reader).objects)
        make(target, [f"CREATE TABLE t{number} (n int)" for number in range(before + 1)])
        after = repeated_reading.read(reader)
        assert not reader.in_transaction()
        assert executed(reader, "schema_reading") == 0
        make(target, ["CREATE SCHEMA s"])
        assert repeated_reading.read(reader) == read(target) != after
        assert executed(reader, "schema_reading") == 1
