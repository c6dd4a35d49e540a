"""The superuser of the target's server: ACCEPT=superuser restores objects that the migrating role may not create.

In our two runtimes the superuser has no known password. It gets one for this command. In the container
scripts/runtimes/docker.sh sets it, for at most a day. The embedded server is stopped for that moment.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from sqlalchemy.exc import DBAPIError

from scripts.core.errors import UserError
from scripts.core.postgres import connections, embedded, roles, sql
from scripts.core.postgres.sql import Sql
from scripts.core.settings import Settings

HANDED_OVER = "SUPERUSER_PASSWORD"
"""The variable with the password from scripts/runtimes/docker.sh."""
OVER = f"ALTER ROLE {embedded.SUPERUSER} PASSWORD NULL VALID UNTIL 'infinity'"


@contextmanager
def login(target: Settings) -> Iterator[Settings]:
    """Yield settings of the target with a superuser's login. Raise UserError if there is none."""
    with connections.connect(target, connections.maintenance(target)) as connection:
        if roles.owner(connection).superuser:
            yield target
            return
    if target.external:
        raise UserError(
            f"{target.database_url.username} is no superuser of {connections.address(target)}.",
            why="ACCEPT=superuser needs a superuser's login, and this project has none for this server.",
            do="name a superuser for this command: MIGRATION_DATABASE_URL=postgresql://… make …",
        )
    url = target.database_url.set(username=embedded.SUPERUSER, password=_password(target))
    acting = replace(target, database_url=url)
    try:
        yield acting
    finally:
        with (
            suppress(UserError, DBAPIError),
            connections.connect(acting, connections.maintenance(acting)) as connection,
        ):
            sql.run(connection, Sql(OVER))
            connection.commit()


def _password(target: Settings) -> str:
    if target.runtime != "embedded":
        given = target.values.get(HANDED_OVER, "")
        if not given:
            raise UserError(
                "The superuser of the database's container has no password.",
                why="make restore sets one for the time of the command.",
                do="make restore …; docs/backups.md explains it for a host without make",
            )
        return given
    url = target.database_url.set(username=embedded.SUPERUSER, password=secrets.token_hex(20))
    embedded.make_roles(replace(embedded.target(target), logins=(url, url)))
    return str(url.password)
