"""The identity of a server, because databases of two servers may have the same name."""

from contextlib import suppress

from sqlalchemy import Connection, text

from scripts.core.errors import DatabaseMissingError, UserError
from scripts.core.postgres import connections
from scripts.core.settings import Settings

# By default every role may. Without the right, even a call behind a condition fails.
_MAY_READ = text("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')")
_NUMBER = text("SELECT system_identifier::text FROM pg_control_system()")


def identity(connection: Connection) -> str:
    """Return the number that initdb gave to the connected server. Its replicas have the same number.

    If the role may not read it, return the server's address.
    """
    if connection.scalar(_MAY_READ):
        return str(connection.scalar(_NUMBER))
    url = connection.engine.url
    return f"{url.host or url.query.get('service') or 'local'}:{url.port or 5432}"


def look(settings: Settings) -> str | None:
    """Return the identity of the target's server, or None if it does not answer."""
    with suppress(UserError):
        try:
            with connections.connect(settings) as connection:
                return identity(connection)
        except DatabaseMissingError:
            with connections.connect(settings, connections.maintenance(settings)) as connection:
                return identity(connection)
    return None
