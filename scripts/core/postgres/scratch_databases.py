"""Drop throwaway databases of the scratch server, also those of killed commands."""

from sqlalchemy import Connection, text

from scripts.core.postgres import connections, databases, sql
from scripts.core.postgres.sql import compose
from scripts.core.settings import Settings

# Including databases that a restore creates for one of them.
_LEFT = text("SELECT datname FROM pg_database WHERE datname ~ '^scratch_[0-9]+_[0-9]+(__.*)?$'")
_SUBSCRIBES = text(
    "SELECT EXISTS (SELECT FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = :name)"
)
_NAMES = text(
    "SELECT subname FROM pg_subscription"
    " WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def drop(administrator: Settings, server: Connection, name: str) -> None:
    """Drop a throwaway database and its subscriptions, which a revision created. The publisher is not contacted."""
    if server.scalar(_SUBSCRIBES, {"name": name}):
        url = administrator.database_url.set(database=name)
        with connections.connect(administrator, url, isolation_level="AUTOCOMMIT") as connection:
            for subscription in map(sql.name, connection.scalars(_NAMES).all()):
                for words in ("ALTER SUBSCRIPTION {} DISABLE", "ALTER SUBSCRIPTION {} SET (slot_name = NONE)"):
                    sql.run(connection, compose(words, subscription))
                sql.run(connection, compose("DROP SUBSCRIPTION {}", subscription))
    databases.drop(server, name)


def left(server: Connection) -> list[str]:
    """Return the databases of killed commands."""
    return [name for name in server.scalars(_LEFT).all() if _is_abandoned(server, int(name.split("_")[1]))]


def _is_abandoned(server: Connection, key: int) -> bool:
    return bool(server.scalar(text("SELECT pg_try_advisory_lock(:key) AND pg_advisory_unlock(:key)"), {"key": key}))


def sweep(administrator: Settings, server: Connection) -> None:
    """Drop the databases of killed commands."""
    for name in server.scalars(_LEFT).all():
        key = {"key": int(name.split("_")[1])}
        if server.scalar(text("SELECT pg_try_advisory_lock(:key)"), key):
            drop(administrator, server, name)
            server.execute(text("SELECT pg_advisory_unlock(:key)"), key)
