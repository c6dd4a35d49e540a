"""What is in no dump by design is named, and stops no restore"""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from scripts.core import messages
from scripts.core.backups import create, restore, verify
from scripts.core.errors import UserError
from scripts.core.postgres import client_programs, databases, schema_copy, scratch
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, take, value
from tests.core.backups.test_verify import changed

INVALID = "it is invalid, and no query uses it. Drop it, or REINDEX it."


@pytest.fixture(autouse=True)
def _drop_old_databases(target: Settings) -> Iterator[None]:
    yield
    with databases.server(target) as server:
        for name in server.exec_driver_sql("SELECT datname FROM pg_database").scalars().all():
            if name.startswith(f"{target.database_url.database}__"):
                databases.drop(server, name)


def round_trip(target: Settings) -> list[str]:
    """Back up, verify, restore; the lines that each of the three told."""
    sent: tuple[list[str], ...] = ([], [], [])
    with messages.sent_to(sent[0].append):
        backup = create.make(target, create.Wanted())
    with messages.sent_to(sent[1].append):
        verify.verify(target, backup, verify.FULL)
    with messages.sent_to(sent[2].append):
        restore.put_in_place(target, backup, "development")
    assert sent[0] == sent[1] == sent[2]
    return sent[0]


def fails(target: Settings, statement: str) -> None:
    with pytest.raises(DBAPIError):
        execute(target, statement)


def test_an_invalid_index_is_named_and_not_expected_back(target: Settings) -> None:
    execute(
        target,
        "CREATE TABLE t (a int, b text)",
        "INSERT INTO t VALUES (1, ' ON ONLY '), (1, ' INVALID')",
        "CREATE INDEX valid ON t (b) WHERE b = ' INVALID'",
        "CREATE MATERIALIZED VIEW m AS SELECT a, row_number() OVER (PARTITION BY b) FROM t",
    )
    fails(target, "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)")
    fails(target, "CREATE UNIQUE INDEX CONCURRENTLY t_b ON t (a) WHERE b <> ' ON ONLY x'")
    fails(target, 'CREATE UNIQUE INDEX CONCURRENTLY "Odd ""name"", %s" ON m (a)')
    execute(target, "COMMENT ON INDEX t_a IS 'a part: INVALID'")

    assert round_trip(target) == [
        f'Not in the backup: materialized view m, index "Odd ""name"", %s": {INVALID}',
        f"Not in the backup: table t, index t_a: {INVALID}",
        f"Not in the backup: table t, index t_b: {INVALID}",
    ]
    assert (
        value(
            target,
            "SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'i' AND oid >= 16384"
            " AND relnamespace <> 'pg_toast'::regnamespace",
        )
        == "valid"
    )


def test_what_a_failed_reindex_left_is_named(target: Settings) -> None:
    """PostgreSQL leaves `_ccnew`, and the index itself stays valid."""
    execute(
        target,
        "CREATE TABLE t (a int PRIMARY KEY)",
        "INSERT INTO t VALUES (1), (2)",
        "CREATE FUNCTION fails(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF"
        " current_setting('our.fail', true) = 'on' THEN RAISE 'no'; END IF; RETURN $1; END $$",
        "CREATE INDEX t_f ON t (fails(a))",
    )
    with pytest.raises(DBAPIError):
        execute(target, "SET our.fail = 'on'", "REINDEX INDEX CONCURRENTLY t_f")

    assert round_trip(target) == [f"Not in the backup: table t, index t_f_ccnew: {INVALID}"]
    assert value(target, "SELECT count(*) FROM pg_index WHERE indexrelid = 't_f'::regclass") == 1


def test_an_index_of_a_partitioned_table_that_waits_for_its_parts_comes_back(target: Settings) -> None:
    execute(
        target,
        "CREATE TABLE p (a int NOT NULL, b int) PARTITION BY RANGE (a)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)",
        "INSERT INTO p VALUES (1, 1), (11, 2), (11, 2)",
        "CREATE INDEX p_b ON ONLY p (b)",
        "CREATE INDEX p1_b ON p1 (b)",
        "ALTER INDEX p_b ATTACH PARTITION p1_b",
        "ALTER TABLE ONLY p ADD CONSTRAINT p_u UNIQUE (a, b)",
        "CREATE TABLE q (a int NOT NULL) PARTITION BY RANGE (a)",
        "CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (10)",
        "INSERT INTO q VALUES (1), (1)",
        "CREATE UNIQUE INDEX q_a ON ONLY q (a)",
    )
    fails(target, "CREATE UNIQUE INDEX CONCURRENTLY q1_a ON q1 (a)")
    execute(target, "ALTER INDEX q_a ATTACH PARTITION q1_a")
    invalid = "SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text) FROM pg_index"
    invalid += " WHERE NOT indisvalid"
    assert value(target, invalid) == "p_b p_u q1_a q_a"

    assert round_trip(target) == [f"Not in the backup: table q1, index q1_a: {INVALID}"]
    assert value(target, invalid) == "p_b p_u q_a"


def test_what_was_never_checked_comes_back_unchecked(target: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_programs, "SMALL", 0)  # several jobs would add the check before the rows
    execute(
        target,
        "CREATE TABLE t (a int PRIMARY KEY, b int)",
        "INSERT INTO t VALUES (1, 7)",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (b < 5) NOT VALID",
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES t NOT VALID",
        "CREATE DOMAIN d AS int",
        "CREATE TABLE u (d d)",
        "INSERT INTO u VALUES (7)",
        "ALTER DOMAIN d ADD CONSTRAINT small CHECK (VALUE < 5) NOT VALID",
    )

    assert round_trip(target) == []
    assert value(target, "SELECT count(*) FROM pg_constraint WHERE NOT convalidated") == 3


def test_a_child_that_was_checked_before_its_parent_is_named(target: Settings) -> None:
    execute(
        target,
        "CREATE TABLE t (a int, b int)",
        'CREATE TABLE "odd, %s child" () INHERITS (t)',
        "CREATE TABLE late () INHERITS (t)",
        "CREATE TABLE p (a int) PARTITION BY RANGE (a)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
        *(f"ALTER TABLE {table} ADD CONSTRAINT c CHECK (a > 0) NOT VALID" for table in ("t", "p")),
        *(f"ALTER TABLE {table} VALIDATE CONSTRAINT c" for table in ('"odd, %s child"', "p1")),
    )

    assert round_trip(target) == [
        'Not in the backup: table "odd, %s child", constraint c: it is NOT VALID after a restore, like its parent\'s.'
        " ALTER TABLE … VALIDATE CONSTRAINT checks it."
    ]
    checked = "SELECT string_agg(conrelid::regclass::text, ' ') FROM pg_constraint WHERE conname = 'c'"
    assert value(target, f"{checked} AND convalidated") == "p1"


def test_an_index_of_a_partitioned_table_whose_parts_are_all_valid_comes_back_valid(target: Settings) -> None:
    """PostgreSQL asks for it only when a part is attached; one that was built again is not."""
    execute(
        target,
        "CREATE TABLE q (a int NOT NULL, b text) PARTITION BY RANGE (a)",
        "CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (10)",
        "INSERT INTO q VALUES (1, ' INVALID'), (1, '')",
        "CREATE UNIQUE INDEX q_a ON ONLY q (a) WHERE b <> ' INVALID'",
        "INSERT INTO q VALUES (1, '')",
    )
    fails(target, "CREATE UNIQUE INDEX CONCURRENTLY q1_a ON q1 (a) WHERE b <> ' INVALID'")
    execute(
        target,
        "ALTER INDEX q_a ATTACH PARTITION q1_a",
        "DELETE FROM q WHERE ctid = '(0,3)'",
        "REINDEX INDEX q1_a",
    )
    invalid = "SELECT string_agg(indexrelid::regclass::text, ' ') FROM pg_index WHERE NOT indisvalid"
    assert value(target, invalid) == "q_a"

    assert round_trip(target) == []
    assert value(target, invalid) is None


def test_a_check_that_was_turned_off_is_named_because_it_is_on_again(target: Settings) -> None:
    execute(
        target,
        "CREATE TABLE t (a int PRIMARY KEY, b int CONSTRAINT f REFERENCES t)",
        "ALTER TABLE t DISABLE TRIGGER ALL",
    )

    assert round_trip(target) == [
        "Not in the backup: table t, disabled check of f: the check is enabled after a restore."
        " ALTER TABLE … DISABLE TRIGGER disables it again."
    ]


def test_a_table_that_was_added_to_an_extension_is_named(target: Settings) -> None:
    execute(
        target,
        "CREATE EXTENSION citext",
        "CREATE TABLE kept (a int)",
        'CREATE TABLE "Lost 100%" (a int)',
        'INSERT INTO "Lost 100%" VALUES (1)',
        'ALTER EXTENSION citext ADD TABLE "Lost 100%"',
    )

    assert round_trip(target) == [
        'Not in the backup: table public."Lost 100%": it belongs to the extension citext, so pg_dump leaves it to'
        ' CREATE EXTENSION. To back it up: ALTER EXTENSION citext DROP TABLE public."Lost 100%".'
    ]


def test_a_subscription_is_named_and_holds_no_database(target: Settings, sent: list[str]) -> None:
    """A database with one in it cannot be dropped."""
    execute(target, "CREATE TABLE t (a int)")
    execute(
        target,
        "CREATE SUBSCRIPTION news CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p"
        " WITH (connect = false, slot_name = NONE)",
    )
    try:
        backup = create.make(target, create.Wanted())
        sent.clear()
        verify.verify(target, backup, verify.FULL)
        with scratch.session(target) as server:
            schema_copy.restored(server, target)
    finally:
        execute(target, "DROP SUBSCRIPTION news")

    assert sent == [
        "Not in the backup: subscription news: it belongs to one server. After a restore create it again with"
        " CREATE SUBSCRIPTION."
    ]
    with databases.server(target) as server:
        assert server.exec_driver_sql("SELECT count(*) FROM pg_subscription").scalar() == 0
    restore.put_in_place(target, backup, "development")
    assert sent[0] == sent[1]


@pytest.fixture
def tablespace(target: Settings) -> Iterator[str]:
    name = f"test_space_{random.getrandbits(31)}"
    execute(target, "SET allow_in_place_tablespaces = on", f"CREATE TABLESPACE {name} LOCATION ''")
    yield name
    execute(target, f"DROP TABLESPACE IF EXISTS {name}")


def test_a_tablespace_that_the_server_lacks_is_named(target: Settings, tablespace: str, sent: list[str]) -> None:
    execute(
        target,
        f"CREATE TABLE t (a int PRIMARY KEY USING INDEX TABLESPACE {tablespace}) TABLESPACE {tablespace}",
        "INSERT INTO t VALUES (1)",
    )
    backup = create.make(target, create.Wanted())
    restore.put_in_place(target, backup, "development")
    space = "SELECT spcname FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE relname = 't'"
    assert (sent, value(target, space)) == ([], tablespace)
    with databases.server(target) as server:
        for name in server.exec_driver_sql("SELECT datname FROM pg_database").scalars().all():
            if name.startswith(f"{target.database_url.database}__"):
                databases.drop(server, name)
    execute(target, "DROP TABLE t", f"DROP TABLESPACE {tablespace}")

    verify.verify(target, backup, verify.FULL)
    restore.put_in_place(target, backup, "development")

    assert sent == [f"Tables and indexes are in the default tablespace: this role cannot use {tablespace}."] * 2
    assert value(target, "SELECT a FROM t") == 1


def test_plan_and_rollback_need_no_tablespace(target: Settings, tablespace: str) -> None:
    execute(target, f"CREATE TABLE t (a int) TABLESPACE {tablespace}")

    with scratch.session(target) as server:
        copy = schema_copy.restored(server, target)
        assert value(copy, "SELECT reltablespace FROM pg_class WHERE relname = 't'") == 0
    execute(target, "DROP TABLE t")


def test_a_database_stays_in_its_tablespace(target: Settings, tablespace: str) -> None:
    name = target.database_url.database
    with databases.server(target) as server:
        server.exec_driver_sql(f"ALTER DATABASE {name} SET TABLESPACE {tablespace}")

    round_trip(target)

    space = "SELECT spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = "
    assert value(target, f"{space}'{name}'") == tablespace
    with databases.server(target) as server:
        server.exec_driver_sql(f"ALTER DATABASE {name} SET TABLESPACE pg_default")
        for other in server.exec_driver_sql("SELECT datname FROM pg_database").scalars().all():
            if other.startswith(f"{name}__"):
                databases.drop(server, other)


def test_a_foreign_table_whose_server_is_away_stops_nothing(target: Settings) -> None:
    execute(
        target,
        "CREATE EXTENSION postgres_fdw",
        "CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1')",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER away OPTIONS (user 'a', password 'b')",
        "CREATE TABLE parent (a int)",
        "INSERT INTO parent SELECT n FROM generate_series(1, 5) n",
        "CREATE TABLE near () INHERITS (parent)",
        "INSERT INTO near SELECT n FROM generate_series(1, 3) n",
        "CREATE FOREIGN TABLE far () INHERITS (parent) SERVER away",
        "CREATE TABLE p (a int) PARTITION BY LIST (a)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
        "CREATE FOREIGN TABLE p2 PARTITION OF p FOR VALUES IN (2) SERVER away",
        "INSERT INTO p VALUES (1)",
    )

    assert round_trip(target) == []
    assert value(target, "SELECT count(*) FROM ONLY parent") == 5
    assert value(target, "SELECT count(*) FROM near") == 3


def test_an_older_backup_counted_the_rows_of_heirs_too(target: Settings) -> None:
    execute(
        target,
        "CREATE TABLE parent (a int)",
        "INSERT INTO parent VALUES (1), (2)",
        "CREATE TABLE child () INHERITS (parent)",
        "CREATE TABLE grandchild () INHERITS (child)",
        "INSERT INTO grandchild VALUES (3)",
    )
    backup = take(target)
    rows = {name: table.rows for name, table in backup.manifest.tables.items()}
    assert rows == {"public.child": 0, "public.grandchild": 1, "public.parent": 2}
    older = {"public.child": 1, "public.grandchild": 1, "public.parent": 3}
    tables = {name: replace(table, rows=older[name]) for name, table in backup.manifest.tables.items()}

    verify.verify(target, changed(backup, tables=tables), verify.FULL)

    tables["public.parent"] = replace(tables["public.parent"], rows=4)
    with pytest.raises(UserError, match=r"rows of public\.parent: 2, expected 4"):
        verify.verify(target, changed(backup, tables=tables), verify.FULL)


def test_an_owner_who_is_kept_from_rows_is_told_what_helps(
    two_roles: Settings, configured: Settings, sent: list[str]
) -> None:
    execute(
        two_roles,
        "CREATE TABLE t (a int)",
        "INSERT INTO t VALUES (1), (2)",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE POLICY few ON t USING (a = 1)",
    )

    with pytest.raises(UserError, match=r"Row level security hides rows of public\.t from the role") as caught:
        take(two_roles)

    (cure,) = [fact.removesuffix(", as a superuser") for name, fact in caught.value.facts if name == "Do"]
    execute(configured, cure)
    backup = take(two_roles)
    restore.put_in_place(two_roles, backup, "development")
    assert sent == []
    assert value(two_roles, "SELECT count(*) FROM t") == 2
    with databases.server(two_roles) as server:
        for name in server.exec_driver_sql("SELECT datname FROM pg_database").scalars().all():
            if name.startswith(f"{two_roles.database_url.database}__"):
                databases.drop(server, name)


def test_a_user_mapping_comes_back_for_its_role_and_options_that_are_hidden_are_named(
    two_roles: Settings, configured: Settings, new_role: Callable[..., URL], sent: list[str]
) -> None:
    other = new_role("secret of the other").username
    superuser = replace(two_roles, database_url=configured.database_url.set(database=two_roles.database_url.database))
    owner = two_roles.database_url.username
    execute(
        superuser,
        "CREATE EXTENSION postgres_fdw",
        f"GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {owner}",
        f"SET ROLE {owner}; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw",
        f"RESET ROLE; CREATE USER MAPPING FOR {other} SERVER away OPTIONS (user 'a', password 'b')",
        "CREATE USER MAPPING FOR PUBLIC SERVER away OPTIONS (user 'c')",
    )

    backup = create.make(two_roles, create.Wanted())

    assert other in backup.manifest.roles
    assert sent == [
        f"Not in the backup: options of the user mapping for {other} on away: this role may not read them."
        f" After a restore: ALTER USER MAPPING FOR {other} SERVER away OPTIONS (ADD …)."
    ]
    execute(superuser, f"DROP USER MAPPING FOR {other} SERVER away", f"DROP ROLE {other}")
    with scratch.session(two_roles) as server:
        made = verify.restored(server, backup)
        assert (
            value(made, "SELECT string_agg(usename, ',' ORDER BY usename) FROM pg_user_mappings") == f"public,{other}"
        )
