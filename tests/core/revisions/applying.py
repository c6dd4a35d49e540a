"""Revisions that this process applies, and what the database then records of them."""

from typing import Any

from sqlalchemy import text

from scripts.core.migrate import alembic_commands
from scripts.core.postgres import connections
from scripts.core.revisions import checksum, history, migration_log
from scripts.core.settings import Settings


def new_process() -> None:
    """What is read once in a process is read again."""
    migration_log._code.cache_clear()
    checksum.sums.cache_clear()


def rows(target: Settings, columns: str = "revision, direction", condition: str = "true") -> list[tuple[Any, ...]]:
    query = f"SELECT {columns} FROM migration_log WHERE direction <> 'rollback' AND {condition} ORDER BY id"
    with connections.connect(target) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def execute(target: Settings, statement: str) -> None:
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))


def upgrade(target: Settings, to: str = "head") -> None:
    alembic_commands.upgrade(target, to, lambda _: None)


def downgrade(target: Settings, to: str) -> None:
    alembic_commands.downgrade(target, to, [], lambda _: None)


def stamp(target: Settings, to: str) -> None:
    alembic_commands.stamp(target, to, forget=False)


def edited(target: Settings) -> list[str]:
    new_process()
    revisions = history.load()
    with connections.connect(target) as connection:
        return list(migration_log.edited(connection, history.files(revisions, history.current(connection))))
