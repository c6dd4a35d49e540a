"""Databases on the target's server: created empty and marked, replaced as a whole, and the mark that says what one is.

The mark is one line `environment=...` in the database's COMMENT; other text of the comment is kept. A database without
it counts as production.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from scripts.core import postgres
from scripts.core.errors import UserError
from scripts.core.settings import Settings

MARK = "environment="
AUTOCOMMIT = "AUTOCOMMIT"


def mark(connection: Connection, database: str | None = None) -> str | None:
    """The environment that a database (None: the one connected to) is marked as, or None."""
    return next((line[len(MARK) :] for line in _comment(connection, database) if line.startswith(MARK)), None)


def set_mark(connection: Connection, database: str, environment: str) -> None:
    """Mark a database; the rest of its comment stays."""
    others = [line for line in _comment(connection, database) if not line.startswith(MARK)]
    comment = "\n".join([*others, MARK + environment])
    quoted = connection.dialect.identifier_preparer.quote(database)
    connection.exec_driver_sql(f"COMMENT ON DATABASE {quoted} IS {_literal(comment)}")


def ensure(settings: Settings) -> bool:
    """Create the target's database, empty and marked, when its server is this project's own and has none.

    Returns whether it was created. On a server of somebody else a missing database is an error of the next connection.
    """
    if settings.external:
        return False
    with _server(settings) as connection:
        name = _name(settings.database_url)
        # Of two that find it missing at once, the second waits here and then finds it.
        connection.execute(text("SELECT pg_advisory_lock(hashtext('create ' || :name))"), {"name": name})
        if _exists(connection, name):
            return False
        _create(connection, _temporary(name), settings.app_env)
        _rename(connection, _temporary(name), name)
    return True


def create_beside(settings: Settings) -> URL:
    """A new, empty, marked database that can `replace` the target; what an interrupted run left is dropped first."""
    name = _temporary(_name(settings.database_url))
    with _server(settings) as connection:
        _drop_leftover(connection, _old(_name(settings.database_url)), settings.app_env)
        _create(connection, name, settings.app_env)
    return settings.database_url.set(database=name)


def replace(settings: Settings) -> None:
    """Put the database of `create_beside` in the target's place and drop the old one.

    Both renames are one transaction: at any moment one of the two has the name. Once the first rename waits for the
    old sessions to end it keeps new ones out, so a second connection can end them.
    """
    name = _name(settings.database_url)
    with _disconnecting(settings, name), postgres.connect(settings, postgres.maintenance(settings)) as connection:
        _rename(connection, name, _old(name))
        _rename(connection, _temporary(name), name)
        connection.commit()
    with _server(settings) as connection:
        _drop(connection, _old(name))


def is_empty(connection: Connection) -> bool:
    """Whether the connected database has no table yet: there is nothing to lose, and nobody waits for it."""
    tables = "SELECT FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p', 'm', 'f')"
    ours = "relname IN ('alembic_version', 'migration_log') OR relnamespace = 'pg_toast'::regnamespace"
    return not connection.scalar(text(f"SELECT EXISTS ({tables} AND NOT ({ours}))"))


def row_counts(connection: Connection) -> dict[str, int]:
    """Exact rows of every table of the connected database, for saying what will be lost.

    Raises UserError when somebody locks a table against being read.
    """
    connection.exec_driver_sql("SET lock_timeout = '2s'")
    tables = connection.scalars(
        text(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text"
            " NOT IN ('pg_catalog', 'information_schema')"
            " AND relname NOT IN ('alembic_version', 'migration_log') ORDER BY 1"
        )
    ).all()
    return {table: _count(connection, table) for table in tables}


def _count(connection: Connection, table: str) -> int:
    statement = f"SELECT count(*) FROM {table}".replace("%", "%%")
    try:
        return connection.exec_driver_sql(statement).scalar() or 0
    except OperationalError as error:
        raise UserError(
            f"Cannot count what would be lost: {table} is locked by another session.",
            why=postgres.first_line(error),
            do="end that session (make psql; SELECT * FROM pg_stat_activity), then run this again",
        ) from error


@contextmanager
def _server(settings: Settings) -> Iterator[Connection]:
    url = postgres.maintenance(settings)
    with postgres.connect(settings, url, isolation_level=AUTOCOMMIT) as connection:
        yield connection


def _create(connection: Connection, name: str, environment: str) -> None:
    _drop_leftover(connection, name, environment)
    quoted = connection.dialect.identifier_preparer.quote(name)
    connection.exec_driver_sql(f"CREATE DATABASE {quoted} TEMPLATE template0")
    set_mark(connection, name, environment)


def _drop_leftover(connection: Connection, name: str, environment: str) -> None:
    """Drop what an interrupted run left under a name of ours; one marked as anything else is not ours."""
    found = mark(connection, name)
    if found not in (None, environment):
        raise UserError(f"The database {name} is in the way: it is marked environment={found}.", do="rename it")
    _drop(connection, name)


def _rename(connection: Connection, name: str, new: str) -> None:
    quote = connection.dialect.identifier_preparer.quote
    connection.exec_driver_sql(f"ALTER DATABASE {quote(name)} RENAME TO {quote(new)}")


def _drop(connection: Connection, name: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote(name)
    connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")


@contextmanager
def _disconnecting(settings: Settings, name: str) -> Iterator[None]:
    """Ends every session on a database, again and again, while the block runs."""
    over = Event()
    end_all = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")

    def end_sessions() -> None:
        with _server(settings) as connection:
            while not over.wait(0.05):
                connection.execute(end_all, {"name": name})

    ender = Thread(target=end_sessions, daemon=True)
    ender.start()
    try:
        yield
    finally:
        over.set()
        ender.join()


def _exists(connection: Connection, name: str) -> bool:
    found = connection.scalar(text("SELECT true FROM pg_database WHERE datname = :name"), {"name": name})
    return bool(found)


def _comment(connection: Connection, database: str | None) -> list[str]:
    query = text(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname = coalesce(:name, current_database())"
    )
    return (connection.scalar(query, {"name": database}) or "").splitlines()


def _literal(value: str) -> str:
    """COMMENT takes no parameters. Quotes are doubled for PostgreSQL, percent signs for the driver."""
    return "'" + value.replace("'", "''").replace("%", "%%") + "'"


def _name(url: URL) -> str:
    assert url.database
    return url.database


def _temporary(name: str) -> str:
    return f"{name[:50]}__unfinished"


def _old(name: str) -> str:
    return f"{name[:50]}__replaced"
