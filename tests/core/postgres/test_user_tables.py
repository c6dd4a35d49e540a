"""What looks for tables finds the same ones, whatever lies around in a database."""

import re
from collections.abc import Callable, Iterable, Sequence

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from scripts.core import diagram
from scripts.core.backups import inventory
from scripts.core.plan import table_sizes
from scripts.core.postgres import connections, databases, driver, own_tables, privileges, sql
from scripts.core.postgres.sql import Sql
from scripts.core.rollback import loss_detection, write_triggers
from scripts.core.rows import content_hash, data_loss, row_estimate
from scripts.core.schema import catalog_snapshot, fingerprint
from scripts.core.settings import Settings
from scripts.core.verification import failing_rows

NOT_THE_USERS = [
    "CREATE TABLE alembic_version (version_num text)",
    "CREATE TABLE migration_source (sha256 text, packed bytea)",
    "CREATE TABLE migration_log (id bigint GENERATED ALWAYS AS IDENTITY, body text)",
    "CREATE TABLE information_schema.stray (id int)",
]
USERS = [
    # The own tables of another service, or of a tenant.
    "CREATE SCHEMA shop",
    "CREATE TABLE shop.alembic_version (version_num text)",
    "CREATE TABLE shop.migration_log (id int, body text)",
    # Only a schema's name is reserved. pg_ is; pgboss is not.
    "CREATE TABLE pg_something (id int)",
    "CREATE SCHEMA pgboss",
    "CREATE TABLE pgboss.job (id int)",
    'CREATE TABLE "100% ""odd"" :name" (id int)',
    "CREATE TABLE parts (id int) PARTITION BY LIST (id)",
    "CREATE TABLE part PARTITION OF parts FOR VALUES IN (1)",
    "CREATE TABLE heir (more int) INHERITS (pg_something)",
    "CREATE UNLOGGED TABLE fast (body text)",
    "CREATE TABLE member (id int)",
    "CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM pg_something",
    "CREATE VIEW latest AS SELECT 1 AS one",
    "CREATE FOREIGN DATA WRAPPER nowhere",
    "CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere",
    "CREATE FOREIGN TABLE far (id int) SERVER nowhere",
]
OF_EXTENSION = ["ALTER EXTENSION plpgsql ADD TABLE member"]
PASSING = "CREATE TEMP TABLE passing (id int); INSERT INTO passing VALUES (1)"

OWN = {"alembic_version", "migration_log", "migration_source"}
TABLES = {
    "r": {"shop.alembic_version", "shop.migration_log", "pg_something", "pgboss.job", "part", "heir", "fast", "member"}
    | {'"100% ""odd"" :name"'},
    "p": {"parts"},
    "m": {"summary"},
    "v": {"latest"},
    "f": {"far"},
}


def expected(kinds: str) -> set[str]:
    return set().union(*(TABLES[kind] for kind in kinds))


@pytest.fixture
def odd(target: Settings) -> Settings:
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        for statement in [*NOT_THE_USERS, *USERS, *OF_EXTENSION]:
            sql.run(connection, Sql(statement))
    return target


def test_all_that_looks_for_tables_finds_the_same(odd: Settings, new_role: Callable[..., URL]) -> None:
    with (
        connections.connect(odd, isolation_level="AUTOCOMMIT") as other,
        connections.connect(odd, isolation_level="AUTOCOMMIT") as connection,
    ):
        other.exec_driver_sql(PASSING)
        found = {reader: _names(connection, names) for reader, names in _in_session(connection).items()}
        found |= {reader: _names(connection, names) for reader, names in _of_database(odd).items()}
        role = str(new_role("secret").username)
        found["grants"] = _names(connection, _granted(odd, role))
        connection.exec_driver_sql(f"DROP OWNED BY {role}")
        found["triggers"] = _names(connection, _watched(connection))

    assert found == {
        "row estimates": expected("r"),
        "sizes": expected("rpm"),
        "trace": expected("rpmvf"),
        "losses": expected("rpmvf"),
        "triggers": expected("rpf"),
        "lengths": expected("rp"),
        "grants": expected("rpmvf"),
        "diagram": expected("rp"),
        # A copy gets from CREATE EXTENSION what belongs to an extension.
        "hashes": expected("r") - {"member"},
        "fingerprint": expected("rpmvf") - {"member"},
        # A backup has our own tables too.
        "inventory": expected("r") - {"member"} | OWN,
    }


def test_what_is_not_the_users_is_nothing_to_lose(target: Settings) -> None:
    with (
        connections.connect(target, isolation_level="AUTOCOMMIT") as other,
        connections.connect(target, isolation_level="AUTOCOMMIT") as connection,
    ):
        other.exec_driver_sql(PASSING)
        for statement in NOT_THE_USERS:
            sql.run(connection, Sql(statement))
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('a'); INSERT INTO migration_log DEFAULT VALUES")
        connection.exec_driver_sql("INSERT INTO information_schema.stray VALUES (1)")

        assert databases.is_empty(connection)
        assert data_loss.table_with_rows(connection) is None

        connection.exec_driver_sql("CREATE SCHEMA shop; CREATE TABLE shop.migration_log (id int)")
        connection.exec_driver_sql("INSERT INTO shop.migration_log VALUES (1)")
        assert not databases.is_empty(connection)
        assert data_loss.table_with_rows(connection) == "shop.migration_log"


def test_a_revision_that_changes_search_path_does_not_bring_our_tables_in(odd: Settings) -> None:
    with connections.connect(odd) as connection:
        session = driver.session(connection)
        own = own_tables.numbers(session)
        connection.exec_driver_sql("SET search_path = shop")
        seen = catalog_snapshot.read(session, own=own)

    assert {f"{one.schema}.{one.bare}" for one in seen.relations.values()} >= {"None.migration_log", "pgboss.job"}
    assert not {one.name for one in seen.relations.values()} & {"public.alembic_version", "public.migration_log"}
    assert not {one.name for one in seen.relations.values()} & {"public.migration_log_id_seq"}


def _in_session(connection: Connection) -> dict[str, Iterable[str]]:
    session = driver.session(connection)
    seen = catalog_snapshot.read(session, own=own_tables.numbers(session))
    return {
        "row estimates": row_estimate.read(connection),
        "sizes": connection.scalars(table_sizes._SIZES).all(),
        "trace": [one.name for one in seen.relations.values() if one.kind != "S"],
        "losses": [one.name for one in loss_detection._read(connection).relations.values() if one.kind != "S"],
        "lengths": connection.scalars(failing_rows._LENGTHS).all(),
        "hashes": [table.name for table in content_hash.tables(connection).values()],
        "fingerprint": list(_relations(fingerprint.read(connection).objects)),
    }


def _of_database(odd: Settings) -> dict[str, Iterable[str]]:
    with inventory.snapshot(odd, "alembic-test") as connection:
        held = inventory.read(connection).tables
    return {
        "inventory": held,
        "diagram": [_spelled(*key.rpartition(".")[::2]) for key in diagram._reflected(odd).tables],
    }


def _relations(objects: Iterable[str]) -> Iterable[str]:
    """Names in a fingerprint, which has them as in "materialized view summary" and "table a, column b"."""
    for name in objects:
        kind = re.match(r"(materialized view|foreign table|table|view) ", name)
        if kind and ", " not in name:
            yield name.removeprefix(kind[0])


def _spelled(schema: str, table: str) -> str:
    return sql.name(schema, table) if schema else sql.name(table)


def _granted(odd: Settings, role: str) -> Sequence[str]:
    with connections.connect(odd) as connection:
        privileges.ensure(connection, role)
        return connection.scalars(
            text(
                "SELECT DISTINCT c.oid::regclass::text FROM pg_class c, aclexplode(relacl) WHERE relkind <> 'S'"
                " AND grantee = CAST(:role AS regrole) AND privilege_type = 'INSERT'"
            ),
            {"role": role},
        ).all()


def _watched(connection: Connection) -> Sequence[str]:
    write_triggers.watch(connection)
    return connection.scalars(
        text("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'rollback_watch'")
    ).all()


def _names(connection: Connection, found: Iterable[str]) -> set[str]:
    """As this session spells them."""
    spelled = text("SELECT CAST(:name AS regclass)::text")
    return {str(connection.scalar(spelled, {"name": name})) for name in found}
