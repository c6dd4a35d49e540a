"""scripts/core/rows/row_estimate.py"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from scripts.core.errors import UserError
from scripts.core.postgres import connections, sql
from scripts.core.postgres.sql import Sql
from scripts.core.rows import row_estimate
from scripts.core.rows.row_estimate import Rows
from scripts.core.settings import Settings
from tests.core.postgres.test_databases import execute

MANY = 60_000


@pytest.fixture
def looking(target: Settings) -> Iterator[Connection]:
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        yield connection


def test_small_tables_are_counted_in_every_schema_and_under_every_name(looking: Connection) -> None:
    odd = ['"Odd Name"', '":b"', '"100%"', '"quo""te"', "shop.orders", "orders"]
    looking.exec_driver_sql("CREATE SCHEMA shop; CREATE TABLE alembic_version (version_num text)")
    for table in odd:
        sql.run(looking, Sql(f"CREATE TABLE {table} AS SELECT generate_series(1, 3)"))
    looking.exec_driver_sql("CREATE TABLE heir () INHERITS (orders)")

    found = row_estimate.read(looking)

    assert found == dict.fromkeys(odd, Rows(3, exact=True)) | {"heir": Rows(0, exact=True)}
    assert str(row_estimate.total(found)) == "18 rows"


def test_large_tables_are_not_read_and_grow_as_their_files_do(looking: Connection) -> None:
    fill = f"INSERT INTO large SELECT generate_series(1, {MANY})"
    looking.exec_driver_sql("CREATE TABLE large (n int) WITH (autovacuum_enabled = off)")
    looking.exec_driver_sql(f"{fill}; ANALYZE large; {fill}")
    scans = text("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'large'")
    before = looking.scalar(scans)

    found = row_estimate.read(looking)["large"]

    looking.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    assert looking.scalar(scans) == before
    assert not found.exact
    assert 1.98 * MANY < found.number < 2.02 * MANY
    assert str(found).startswith("about 1")


def test_a_table_that_the_role_may_not_read_is_estimated(two_roles: Settings) -> None:
    execute(two_roles, "CREATE SCHEMA closed", "CREATE TABLE closed.secret AS SELECT generate_series(1, 3)")
    stranger = two_roles.application_url
    execute(two_roles, f"REVOKE ALL ON SCHEMA closed FROM {stranger.username}")
    with connections.connect(two_roles, stranger, isolation_level="AUTOCOMMIT") as connection:
        found = row_estimate.read(connection)["closed.secret"]

    assert not found.exact
    assert found.number > 0


def test_temporary_tables_are_no_rows_of_the_database(two_roles: Settings) -> None:
    """Only the session that has one can read it."""
    with (
        connections.connect(two_roles, two_roles.application_url) as other,
        connections.connect(two_roles, isolation_level="AUTOCOMMIT") as connection,
    ):
        other.execute(text("CREATE TEMPORARY TABLE passing AS SELECT 1"))
        other.commit()

        assert row_estimate.read(connection) == {}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("size", [1, MANY])
def test_a_table_that_is_locked_against_reading_is_named(target: Settings, looking: Connection, size: int) -> None:
    execute(target, f"CREATE TABLE busy AS SELECT generate_series(1, {size})")
    with connections.connect(target) as other:
        other.execute(text("LOCK TABLE busy"))

        with pytest.raises(UserError, match="busy is locked by another session"):
            row_estimate.read(looking)


def test_no_lock_is_kept_so_there_may_be_any_number_of_tables(looking: Connection) -> None:
    looking.exec_driver_sql("CREATE TABLE a AS SELECT 1; CREATE TABLE b AS SELECT 1")

    assert row_estimate.total(row_estimate.read(looking)) == Rows(2, exact=True)

    mine = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation >= 16384"
    assert looking.scalar(text(mine)) == 0
