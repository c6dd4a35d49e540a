"""What a database is: development, test, staging or production.

It is one line `environment=...` in the database's COMMENT. Other text of the comment is kept.
"""

from sqlalchemy import Connection, text

from scripts.core.errors import UserError
from scripts.core.postgres import sql
from scripts.core.postgres.sql import compose
from scripts.core.settings import Settings

LINE = "environment="
STRICTNESS = ("development", "test", "staging", "production")


def effective(settings: Settings, mark: str | None) -> str:
    """The stricter of APP_ENV and the database's mark; no mark counts as production.

    Raises UserError when a development environment is pointed at a database marked as something else.
    """
    marked = mark if mark in STRICTNESS else "production"
    if settings.app_env == "development" and mark and mark != "development":
        raise UserError(
            f"Refusing to touch {settings.database_url.database}: it is marked environment={mark}.",
            why=f"APP_ENV is development. Read from {settings.source}.",
            do=f"point at a development database; or, if this is one: make mark ENV=development"
            f" CONFIRM={settings.database_url.database}",
        )
    return max(settings.app_env, marked, key=STRICTNESS.index)


def read(connection: Connection, database: str | None = None) -> str | None:
    """The environment that a database (None: the one connected to) is marked as, or None."""
    return next((line[len(LINE) :] for line in _comment(connection, database) if line.startswith(LINE)), None)


def write(connection: Connection, database: str, environment: str) -> None:
    """Mark a database; the rest of its comment stays."""
    others = [line for line in _comment(connection, database) if not line.startswith(LINE)]
    _set_comment(connection, database, [*others, LINE + environment])


def set_comment(connection: Connection, database: str, comment: str) -> None:
    """Give a database this comment, but for the mark in it: the database keeps its own."""
    marks = [line for line in _comment(connection, database) if line.startswith(LINE)]
    _set_comment(connection, database, [line for line in comment.splitlines() if not line.startswith(LINE)] + marks)


def _set_comment(connection: Connection, database: str, lines: list[str]) -> None:
    comment = sql.value("\n".join(lines))
    sql.run(connection, compose("COMMENT ON DATABASE {} IS {}", sql.name(database), comment))


def _comment(connection: Connection, database: str | None) -> list[str]:
    query = text(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname = coalesce(:name, current_database())"
    )
    return (connection.scalar(query, {"name": database}) or "").splitlines()
