"""Databases on the target's server: created, renamed and dropped."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from scripts.core.errors import UserError
from scripts.core.postgres import (
    connections,
    database_names,
    environments,
    privileges,
    replacement_lock,
    roles,
    sql,
    user_tables,
)
from scripts.core.postgres.sql import Sql, compose
from scripts.core.settings import Settings

AUTOCOMMIT = "AUTOCOMMIT"

_HAS_TABLES = text(f"SELECT EXISTS (SELECT FROM {user_tables.RELATIONS} WHERE c.relkind IN ('r', 'p', 'm', 'f'))")


def ensure(settings: Settings) -> bool:
    """Create the target's database with its environment, if it is missing on a server of this project.

    Return whether it was created. On any other server the next connection fails with an error.
    Raise UserError while a reset or restore of it runs.
    """
    if settings.external:
        return False
    with server(settings) as connection:
        name = name_of(settings.database_url)
        if exists(connection, name):
            return False
        # If two commands find it missing at once, the second waits here and then finds it. A restore waits here too.
        replacement_lock.take(connection, name)
        if exists(connection, name):
            return False
        create(connection, temporary(name), settings, settings.app_env)
        let_application_in(settings, settings.database_url.set(database=temporary(name)))
        rename(connection, temporary(name), name)
    return True


def is_empty(connection: Connection) -> bool:
    """Return whether the connected database has no table yet, so no data, and no application that waits for it."""
    return not connection.scalar(_HAS_TABLES)


@contextmanager
def server(settings: Settings) -> Iterator[Connection]:
    """Yield a connection to the target's server on which databases can be created, renamed and dropped."""
    url = connections.maintenance(settings)
    with connections.connect(settings, url, isolation_level=AUTOCOMMIT) as connection:
        yield connection


def create(
    connection: Connection, name: str, settings: Settings, environment: str | None, options: Sql | None = None
) -> None:
    """Create an empty database with its environment. It replaces what an interrupted run left.

    Raise UserError if the server has no role for the application.
    """
    role = roles.application(settings)
    if role:
        roles.require(connection, role)
    drop_leftover(connection, name, environment)
    sql.run(connection, compose("CREATE DATABASE {} TEMPLATE template0 {}", sql.name(name), options or Sql()))
    if environment:
        environments.write(connection, name, environment)


def let_application_in(settings: Settings, url: URL) -> None:
    """Grant the application's role its privileges in a database, if it has a role of its own."""
    role = roles.application(settings)
    if role:
        with connections.connect(settings, url, options="-c default_transaction_read_only=off") as connection:
            privileges.ensure(connection, role)


def drop_leftover(connection: Connection, name: str, environment: str | None) -> None:
    """Drop a database that an interrupted run left. Raise UserError if its environment is not the expected one."""
    found = environments.read(connection, name)
    if found not in (None, environment):
        raise UserError(
            f"A database {name} exists already, and its environment is {found}.",
            why="This command creates a temporary database of that name.",
            do="rename that database, then run this again",
        )
    drop(connection, name)


def rename(connection: Connection, name: str, new: str) -> None:
    sql.run(connection, compose("ALTER DATABASE {} RENAME TO {}", sql.name(name), sql.name(new)))


def drop(connection: Connection, name: str) -> None:
    sql.run(connection, compose("DROP DATABASE IF EXISTS {} WITH (FORCE)", sql.name(name)))


def exists(connection: Connection, name: str) -> bool:
    """Return whether the server has a database of this name."""
    found = connection.scalar(text("SELECT true FROM pg_database WHERE datname = :name"), {"name": name})
    return bool(found)


def name_of(url: URL) -> str:
    assert url.database
    return url.database


def temporary(name: str) -> str:
    """Return the name of a database that is being built to replace this one."""
    return database_names.derived(name, database_names.UNFINISHED)
