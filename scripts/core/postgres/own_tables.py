"""The tables that Alembic and this project create in the target.

Their names are looked up in search_path, as Alembic does. A table of such a name in another schema belongs to the user.
"""

from sqlalchemy import Connection, text

VERSION = "alembic_version"
LOG = "migration_log"
LOG_SEQUENCE = f"{LOG}_id_seq"
"""It numbers the rows of the log."""

NUMBERS = (
    "array_remove(ARRAY["
    + ", ".join(f"to_regclass('{name}')" for name in (VERSION, LOG, LOG_SEQUENCE))
    + "], NULL)::oid[]"
)
"""SQL for the OIDs of those that exist."""
_HAS_VERSION = text(f"SELECT to_regclass('{VERSION}') IS NOT NULL")
_REVISIONS = text(f"SELECT version_num FROM {VERSION}")


def revisions(connection: Connection) -> tuple[str, ...]:
    """Return the revisions that the database is at; none before the first migration."""
    return tuple(sorted(connection.scalars(_REVISIONS))) if connection.scalar(_HAS_VERSION) else ()
