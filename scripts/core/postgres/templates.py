"""Databases that stay on the scratch server as templates: shadows, and copies of schemas.

A template's name is its kind and hashes of all that it depends on. Only a whole database gets such a name. No session
can enter it then, so its contents stay as they were made.
"""

from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from scripts.core import sqlstates
from scripts.core.postgres import databases, scratch, sql
from scripts.core.postgres.scratch import Scratch
from scripts.core.postgres.sql import compose
from scripts.core.settings import Settings

# A database of the user may begin with the same word.
_TEMPLATES = text(
    "SELECT datname, shobj_description(oid, 'pg_database') AS comment FROM pg_database"
    " WHERE datname ~ ('^' || :kind || '(_[0-9a-f]{24})+$') ORDER BY oid"
)
_SERVER = text(
    "SELECT version() || string_agg(name || default_version, ',' ORDER BY name) FROM pg_available_extensions"
)


def about(server: Scratch) -> str:
    """Return the version of the server and those of its extensions, on which the contents of a template depend."""
    return str(server.server.scalar(_SERVER))


def find(server: Scratch, kind: str) -> dict[str, str]:
    """Return the names of the templates of a kind, oldest first, and their comments."""
    return {name: comment or "" for name, comment in server.server.execute(_TEMPLATES, {"kind": kind})}


def keep(server: Scratch, made: Settings, name: str, comment: str, most: int) -> str:
    """Rename a database so that it stays, for the administrator only, and drop all but the newest `most` of its kind.

    Return its name. It is the old one, and the database does not stay, if another run was faster.
    """
    old = databases.name_of(made.database_url)
    sql.run(server.server, compose("COMMENT ON DATABASE {} IS {}", sql.name(old), sql.value(comment)))
    sql.run(server.server, compose("ALTER DATABASE {} OWNER TO CURRENT_USER", sql.name(old)))
    sql.run(server.server, compose("ALTER DATABASE {} ALLOW_CONNECTIONS false", sql.name(old)))
    try:
        databases.rename(server.server, old, name)
    except ProgrammingError as error:
        if sqlstates.of(error) != sqlstates.DUPLICATE_DATABASE:
            raise
        return old
    others = [one for one in find(server, name.partition("_")[0]) if one != name]
    for one in others[: max(0, len(others) + 1 - most)]:
        databases.drop(server.server, one)
    return name


def copied(server: Scratch, template: Callable[[], str]) -> Settings:
    """Return settings of a new copy of the template that `template` finds or makes, and names."""
    while True:
        try:
            return scratch.create(server, template())
        except ProgrammingError as error:
            # Another run may have dropped the template meanwhile.
            if sqlstates.of(error) != sqlstates.INVALID_CATALOG_NAME:
                raise
