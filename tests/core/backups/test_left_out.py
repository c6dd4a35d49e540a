"""scripts/core/backups/structure.py and load.py: what is in no dump by design is named, and stops no restore"""

from collections.abc import Iterator

import pytest
from sqlalchemy.exc import DBAPIError

from scripts.core import databases
from scripts.core.backups import dump, restore, verify
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, silent, value

INVALID = "it is invalid, and no query uses it. Drop it, or REINDEX it."


@pytest.fixture(autouse=True)
def _drop_what_is_kept(target: Settings) -> Iterator[None]:
    yield
    with databases.server(target) as server:
        for name in server.exec_driver_sql("SELECT datname FROM pg_database").scalars().all():
            if name.startswith(f"{target.database_url.database}__"):
                databases.drop(server, name)


def round_trip(target: Settings) -> list[str]:
    """Back up, verify, restore; the lines that each of the three told."""
    told: tuple[list[str], ...] = ([], [], [])
    backup = dump.make(target, dump.Wanted(), told[0].append, silent)
    verify.verify(target, backup, verify.FULL, told[1].append, silent)
    restore.put_in_place(target, backup, "development", told[2].append, silent)
    assert told[0] == told[1] == told[2]
    return told[0]


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


def test_what_was_never_checked_comes_back_unchecked(target: Settings) -> None:
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


def test_a_check_that_was_turned_off_is_named_because_it_is_on_again(target: Settings) -> None:
    execute(
        target,
        "CREATE TABLE t (a int PRIMARY KEY, b int CONSTRAINT f REFERENCES t)",
        "ALTER TABLE t DISABLE TRIGGER ALL",
    )

    assert round_trip(target) == [
        "Not in the backup: table t, disabled check of f: the check is on after a restore."
        " ALTER TABLE … DISABLE TRIGGER turns it off again."
    ]
