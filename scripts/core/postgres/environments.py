"""The environment of a database: development, test, staging or production.

It is one line `environment=...` in the database's COMMENT. The rest of the comment is preserved.
"""

import shlex

from sqlalchemy import Connection, text

from scripts.core.errors import UserError
from scripts.core.postgres import sql
from scripts.core.postgres.sql import compose
from scripts.core.settings import Settings

LINE = "environment="
STRICTNESS = ("development", "test", "staging", "production")
NOT_SET = "not set (treated as production)"


def effective(settings: Settings, stored: str | None) -> str:
    """Return the stricter of APP_ENV and the database's environment. One that is not set is treated as production.

    Raise UserError if APP_ENV is development and the database is not.
    """
    database = stored if stored in STRICTNESS else "production"
    if settings.app_env == "development" and stored and stored != "development":
        raise UserError(
            f"Refusing to touch {settings.database_url.database}: its environment is {stored}.",
            why=f"APP_ENV is development. Read from {settings.source}.",
            do=f"use a development database. If this is one: {command(settings, 'development')}",
            check="environment",
        )
    return max(settings.app_env, database, key=STRICTNESS.index)


def command(settings: Settings, environment: str) -> str:
    """Return the command that sets the environment of the target, as it is typed."""
    return f"make environment ENV={environment} CONFIRM={shlex.quote(str(settings.database_url.database))}"


def read(connection: Connection, database: str | None = None) -> str | None:
    """Return the environment of a database, or None. The database is the connected one if no name is given.

    Raise UserError if its comment has several that differ.
    """
    found = all_of(connection, database)
    if len(found) > 1:
        name = database or connection.scalar(text("SELECT current_database()"))
        raise UserError(
            f"The comment of the database {name} says {' and '.join(found)}.",
            why=f"A database has one environment, in one line {LINE}…",
            do=f"make environment ENV={max(found, key=_strictness)} CONFIRM={shlex.quote(str(name))}",
            check="environment",
        )
    return found[0] if found else None


def all_of(connection: Connection, database: str | None = None) -> list[str]:
    """Return all environments in the comment of a database. More than one contradict each other."""
    lines = [line for line in _comment(connection, database) if line.startswith(LINE)]
    return list(dict.fromkeys(line[len(LINE) :] for line in lines))


def _strictness(environment: str) -> int:
    return STRICTNESS.index(environment) if environment in STRICTNESS else 0


def write(connection: Connection, database: str, environment: str) -> None:
    """Set the environment of a database, and preserve the rest of its comment."""
    others = [line for line in _comment(connection, database) if not line.startswith(LINE)]
    _set_comment(connection, database, [*others, LINE + environment])


def set_comment(connection: Connection, database: str, comment: str) -> None:
    """Set the comment of a database. Its environment stays as it is."""
    own = [line for line in _comment(connection, database) if line.startswith(LINE)]
    _set_comment(connection, database, [line for line in comment.splitlines() if not line.startswith(LINE)] + own)


def _set_comment(connection: Connection, database: str, lines: list[str]) -> None:
    comment = sql.value("\n".join(lines))
    sql.run(connection, compose("COMMENT ON DATABASE {} IS {}", sql.name(database), comment))


def _comment(connection: Connection, database: str | None) -> list[str]:
    query = text(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname = coalesce(:name, current_database())"
    )
    return (connection.scalar(query, {"name": database}) or "").splitlines()
