"""app/models"""

from collections.abc import Callable, Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, NullPool, create_engine, inspect, text
from sqlalchemy.engine import URL

import app.models  # noqa: F401  (fills the metadata)
from app.database import Base
from scripts.core.revisions.migration_log import include_name
from tests.conftest import Project
from tests.core.running import call

SOCIAL = ["social_accounts", "social_pages", "social_posts"]


@pytest.fixture(scope="module")
def connection(lasting_database: Callable[..., URL], template: str) -> Iterator[Connection]:
    """To a database at head."""
    with create_engine(lasting_database(template), poolclass=NullPool).connect() as connection:
        yield connection


def test_models_and_migrations_match(connection: Connection) -> None:
    options = {"compare_type": True, "compare_server_default": True, "include_name": include_name}

    assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


@pytest.mark.parametrize(("name", "kind"), [("id", "INTEGER"), ("username", "VARCHAR(50)"), ("email", "VARCHAR(255)")])
def test_a_user_has_what_is_required(connection: Connection, name: str, kind: str) -> None:
    columns = {column["name"]: column for column in inspect(connection).get_columns("users")}

    assert str(columns[name]["type"]) == kind
    assert not columns[name]["nullable"]


@pytest.mark.parametrize(
    ("table", "column", "parent"),
    [
        ("social_accounts", "user_id", "users"),
        ("social_pages", "account_id", "social_accounts"),
        ("social_posts", "page_id", "social_pages"),
    ],
)
def test_every_social_table_belongs_to_another(connection: Connection, table: str, column: str, parent: str) -> None:
    (key,) = inspect(connection).get_foreign_keys(table)

    assert (key["constrained_columns"], key["referred_table"], key["referred_columns"]) == ([column], parent, ["id"])


def test_every_foreign_key_has_an_index(connection: Connection) -> None:
    """Without one, deleting a parent reads the whole table of its children."""
    inspector = inspect(connection)
    for table in SOCIAL:
        indexed = [index["column_names"][0] for index in inspector.get_indexes(table)]
        for key in inspector.get_foreign_keys(table):
            assert key["constrained_columns"][0] in indexed, table


OURS = ("alembic_version", "migration_log", "migration_source")


def test_every_constraint_and_index_has_a_name_by_the_convention(connection: Connection) -> None:
    """`n` are NOT NULL constraints, which PostgreSQL 18 names itself."""
    names = connection.execute(
        text(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND contype <> 'n'"
            " UNION SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index"
            " WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
        )
    ).all()

    ours = [(table, name) for table, name in names if table not in OURS]
    assert len(ours) == 11
    for table, name in ours:
        assert name.split("_")[0] in ("pk", "fk", "ix", "uq", "ck"), name
        assert name.partition("_")[2].startswith(table), name


def test_the_social_tables_are_made_by_one_revision(empty_project: Project, revisions: list[str]) -> None:
    call(empty_project, "migrate", revisions[0])
    tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(users|social_)' ORDER BY 1"
    first = empty_project.sql(tables)

    result = call(empty_project, "migrate", revisions[1])

    assert result.stdout.count("applied in") == 1, result.stderr
    assert first == [("users",)]
    assert empty_project.sql(tables) == [(name,) for name in [*SOCIAL, "users"]]
