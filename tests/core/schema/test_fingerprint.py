"""A fingerprint does not depend on the reader, or on the order in which objects were created"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from scripts.core.errors import UserError
from scripts.core.postgres import connections, sql
from scripts.core.postgres.sql import PLACE, compose
from scripts.core.schema import fingerprint
from scripts.core.schema.catalogs import query
from scripts.core.schema.compare import between
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings
from tests.core.running import session
from tests.core.schemas import STATEMENTS, make, read, run

# Where the order decides, as with default privileges, which are for what is made later.
FIRST = next(number for number, statement in enumerate(STATEMENTS) if statement.startswith("GRANT"))


@pytest.fixture
def shop(target: Settings) -> Settings:
    """A database with a table that has an expression, and one that has none."""
    make(target, ["CREATE TABLE plain (id int PRIMARY KEY)", "CREATE TABLE users (n int CHECK (n > 0))"])
    return target


def test_each_object_has_a_readable_name_and_its_definition(shop: Settings) -> None:
    found = read(shop)

    assert found.objects == {
        "table plain": "TABLE",
        "table plain, column id": "integer NOT NULL",
        "table plain, constraint plain_pkey": "PRIMARY KEY (id)",
        "table users": "TABLE",
        "table users, column n": "integer",
        "table users, constraint users_n_check": "CHECK ((n > 0))",
        "schema public": "SCHEMA",
        "schema public, comment": "standard public schema",
        "extension plpgsql": "1.0 SCHEMA pg_catalog",
    }
    assert found.access["table users, owner"] == "the role that migrates"
    assert found.order == {"table plain": ["id"], "table users": ["n"]}
    assert len(found.fingerprint) == 64


def test_every_kind_of_object_made_in_another_order_is_equal(
    configured: Settings, new_database: Callable[..., URL]
) -> None:
    one, other = (replace(configured, database_url=new_database()) for _ in range(2))
    make(one, STATEMENTS)
    make(other, STATEMENTS[:FIRST][::-1])
    make(other, STATEMENTS[FIRST:])

    assert [str(difference) for difference in between(read(one), read(other))] == []
    assert read(one).fingerprint == read(other).fingerprint
    assert len(read(one).objects) > 180


def test_what_belongs_to_the_migrations_and_to_extensions_is_left_out(shop: Settings) -> None:
    before = read(shop)
    make(
        shop,
        [
            "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
            "CREATE TABLE migration_log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text CHECK (note > ''))",
            "COMMENT ON COLUMN migration_log.note IS 'a note'; GRANT SELECT ON migration_log TO PUBLIC",
            "CREATE EXTENSION cube; CREATE EXTENSION earthdistance; CREATE EXTENSION pg_stat_statements",
        ],
    )
    after = read(shop)

    assert set(after.objects) - set(before.objects) == {
        *("extension cube", "extension earthdistance", "extension pg_stat_statements")
    }
    assert after.access == before.access
    assert after.order == before.order


def test_the_version_table_is_the_one_that_the_session_finds(shop: Settings) -> None:
    """As Alembic does, by search_path. Another schema may have that of another application."""
    tables = "CREATE TABLE alembic_version (version_num text); CREATE TABLE migration_log (id serial)"
    make(shop, [tables])
    make(shop, [f"CREATE SCHEMA ours; SET LOCAL search_path = ours; {tables}"])

    with connections.connect(shop) as connection:
        run(connection, "SET search_path = ours, public")
        found = set(fingerprint.read(connection).objects)

    assert {"table alembic_version", "table migration_log", "sequence migration_log_id_seq"} <= found
    assert not any(name.startswith("table ours.") for name in found)
    assert {"table ours.alembic_version", "table ours.migration_log"} <= set(read(shop).objects)


# Who reads it, and how


def test_an_ordinary_role_reads_the_same_as_a_superuser(
    target: Settings, new_role: Callable[..., URL], server: URL
) -> None:
    make(target, STATEMENTS)
    stranger = new_role("a password")

    with session(stranger.set(database=target.database_url.database)) as connection:
        assert fingerprint.read(connection) == read(target)


def test_the_owner_of_alembic_version_is_the_role_that_migrates(shop: Settings) -> None:
    make(shop, ["CREATE TABLE alembic_version (version_num text); ALTER TABLE alembic_version OWNER TO pg_monitor"])
    make(shop, ["ALTER TABLE users OWNER TO pg_monitor"])

    access = read(shop).access

    assert access["table users, owner"] == "the role that migrates"
    assert access["table plain, owner"] == shop.database_url.username


def test_a_version_table_of_another_schema_says_nothing_about_the_role_that_migrates(shop: Settings) -> None:
    make(shop, ["CREATE SCHEMA other; CREATE TABLE other.alembic_version (version_num text)"])
    make(shop, ["ALTER TABLE other.alembic_version OWNER TO pg_monitor"])

    access = read(shop).access

    assert access["table users, owner"] == "the role that migrates"
    assert access["table other.alembic_version, owner"] == "pg_monitor"


def test_without_owners_and_grants_a_schema_is_its_structure(shop: Settings) -> None:
    before = read(shop)
    make(shop, ["GRANT SELECT ON users TO PUBLIC; ALTER TABLE plain OWNER TO pg_monitor"])
    after = read(shop)

    assert before.fingerprint != after.fingerprint
    assert before.structure.fingerprint == after.structure.fingerprint


SETTINGS = {
    "search_path": "public",
    "TimeZone": "Asia/Tokyo",
    "DateStyle": "German, DMY",
    "IntervalStyle": "iso_8601",
    "bytea_output": "escape",
    "quote_all_identifiers": "on",
    "extra_float_digits": "-3",
    "lock_timeout": "7s",
}


@pytest.mark.parametrize("isolation", ["AUTOCOMMIT", "READ COMMITTED", "SERIALIZABLE"])
def test_settings_of_the_session_change_nothing_and_stay(target: Settings, isolation: str) -> None:
    make(target, STATEMENTS)
    usual = read(target)

    with connections.connect(target, isolation_level=isolation) as connection:
        for name, value in SETTINGS.items():
            connection.execute(text("SELECT set_config(:name, :value, false)"), {"name": name, "value": value})
        connection.commit()
        found = fingerprint.read(connection)
        assert not connection.in_transaction()
        after = {name: connection.scalar(text(f"SHOW {name}")) for name in SETTINGS}

    assert found == usual
    assert after == SETTINGS


def test_a_transaction_that_is_open_goes_on(shop: Settings) -> None:
    with connections.connect(shop) as connection:
        run(connection, "CREATE TABLE more (id int); SET LOCAL work_mem = '5MB'")
        assert "table more" in fingerprint.read(connection).objects
        assert connection.scalar(text("SHOW work_mem")) == "5MB"
        connection.commit()

    assert "table more" in read(shop).objects


def test_an_exported_snapshot_is_what_is_read(shop: Settings) -> None:
    with connections.connect(shop) as exporter, connections.connect(shop) as connection:
        run(exporter, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = exporter.scalar(text("SELECT pg_export_snapshot()"))
        make(shop, ["CREATE TABLE more (id int)"])
        run(
            connection,
            f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{snapshot}'",
        )

        assert "table more" not in fingerprint.read(connection).objects
        assert "table more" not in fingerprint.read(exporter).objects
        assert "table more" in read(shop).objects


def test_a_transaction_that_was_begun_by_hand_goes_on(shop: Settings) -> None:
    with connections.connect(shop, isolation_level="AUTOCOMMIT") as connection:
        run(connection, "BEGIN; CREATE TABLE more (id int)")
        assert "table more" in fingerprint.read(connection).objects
        run(connection, "COMMIT")

    assert "table more" in read(shop).objects


# Locks


@contextmanager
def locked(shop: Settings, table: str) -> Iterator[None]:
    with session(shop.database_url) as migration:
        run(migration, f"LOCK TABLE {table}")
        yield


def test_a_table_with_keys_defaults_and_bounds_only_is_read_whoever_locks_it(shop: Settings) -> None:
    make(shop, ["CREATE TABLE whole (id int DEFAULT 3 REFERENCES plain) PARTITION BY LIST (id)"])
    make(shop, ["CREATE TABLE piece PARTITION OF whole FOR VALUES IN (1)"])

    with locked(shop, "plain, piece"):
        found = read(shop)

    assert found.objects["table plain, constraint plain_pkey"] == "PRIMARY KEY (id)"
    assert found.objects["table piece"] == "TABLE PARTITION OF public.whole FOR VALUES IN (1)"
    assert found.objects["table piece, column id"] == "integer DEFAULT 3 INHERITED"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ON plain (id)",
        "ALTER TABLE plain ADD CHECK (id > 0)",
        "ALTER TABLE plain ADD n int GENERATED ALWAYS AS (id + 1) STORED",
        "CREATE VIEW more AS SELECT id FROM plain",
        "CREATE POLICY more ON plain USING (id > 0)",
        "CREATE FUNCTION more() RETURNS bigint LANGUAGE sql RETURN (SELECT count(id) FROM plain)",
        "CREATE RULE more AS ON INSERT TO users DO ALSO DELETE FROM plain",
    ],
)
def test_what_names_columns_waits_for_the_lock_on_their_table(
    shop: Settings, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "LOCK_TIMEOUT", "20ms")
    make(shop, [statement])

    with locked(shop, "plain"), pytest.raises(UserError, match="lock timeout"):
        read(shop)


@pytest.mark.parametrize("isolation", ["AUTOCOMMIT", "READ COMMITTED"])
def test_a_lock_is_waited_for_and_not_for_ever(shop: Settings, isolation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "LOCK_TIMEOUT", "100ms")

    with connections.connect(shop, isolation_level=isolation) as connection:
        said = "The schema cannot be read: canceling statement due to lock timeout"
        with locked(shop, "users"), pytest.raises(UserError, match=said):
            fingerprint.read(connection)
        assert "table users" in fingerprint.read(connection).objects


@pytest.mark.parametrize("isolation", ["AUTOCOMMIT", "REPEATABLE READ"])
def test_a_session_that_is_ended_is_told_as_such(
    shop: Settings, isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = compose("SELECT pg_terminate_backend(pg_backend_pid()), {}, {}, {}", PLACE, PLACE, PLACE)
    monkeypatch.setattr(query, "statement", lambda _: ended)

    with (
        connections.connect(shop, isolation_level=isolation) as connection,
        pytest.raises(DBAPIError, match=r"terminat|closed"),
    ):
        fingerprint.read(connection)


def test_a_lock_that_is_not_given_leaves_the_open_transaction_alive(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "LOCK_TIMEOUT", "100ms")

    with connections.connect(shop) as connection:
        run(connection, "CREATE TABLE more (id int)")
        with locked(shop, "users"), pytest.raises(UserError):
            fingerprint.read(connection)
        connection.commit()

    assert "table more" in read(shop).objects


def test_an_interruption_in_the_middle_of_reading_stays_one(shop: Settings) -> None:
    def interrupt(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("WITH own"):
            raise KeyboardInterrupt

    with connections.connect(shop) as connection:
        event.listen(connection, "after_cursor_execute", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fingerprint.read(connection)


def test_no_lock_is_left_behind(shop: Settings) -> None:
    with connections.connect(shop) as connection:
        connection.execute(text("SELECT 1"))
        fingerprint.read(connection)
        with session(shop.database_url) as migration:
            run(migration, "SET lock_timeout = '100ms'; ALTER TABLE users ADD more int")


# Names


def test_no_two_objects_share_a_name(target: Settings) -> None:
    make(target, STATEMENTS)
    make(target, ['CREATE SCHEMA a; CREATE SCHEMA "a.b"; CREATE TABLE a."b.c" (); CREATE TABLE "a.b".c ()'])
    make(target, ["CREATE FUNCTION f(int) RETURNS int LANGUAGE sql RETURN 1"])
    make(target, ["CREATE FUNCTION f(int, int) RETURNS int LANGUAGE sql RETURN 1"])

    with connections.connect(target) as connection:
        rows = sql.run(connection, query.statement(()), (None, None, None)).all()

    assert len({(kind, name) for kind, name, _ in rows}) == len(rows)


def test_a_fingerprint_depends_on_definitions_and_not_on_their_order() -> None:
    one = Schema({"a": "1", "b": "2"}, {}, {})

    assert one.fingerprint == Schema({"b": "2", "a": "1"}, {}, {"t": ["c"]}).fingerprint
    assert one.fingerprint != Schema({"a": "2", "b": "1"}, {}, {}).fingerprint
    assert one.fingerprint != Schema({"a": "1"}, {"b": "2"}, {}).fingerprint
