"""The tables that Alembic and this project create in the target.

Their names are looked up in search_path, as Alembic does. A table of such a name in another schema belongs to the user.
"""

from sqlalchemy import Connection, text

from scripts.core.postgres import driver
from scripts.core.postgres.driver import Session

VERSION = "alembic_version"
LOG = "migration_log"
LOG_SEQUENCE = f"{LOG}_id_seq"
"""It numbers the rows of the log."""
SOURCE = "migration_source"
"""It has the files of the applied revisions. The user may have a table of that name, which lacks the column."""
SOURCE_COLUMN = "packed"
SOURCE_NUMBER = (
    f"(SELECT attrelid FROM pg_attribute WHERE attrelid = to_regclass('{SOURCE}')"
    f" AND attname = '{SOURCE_COLUMN}' AND NOT attisdropped)"
)
"""SQL for its OID, or NULL."""

NUMBERS = (
    "array_remove(ARRAY["
    + ", ".join([*(f"to_regclass('{name}')::oid" for name in (VERSION, LOG, LOG_SEQUENCE)), SOURCE_NUMBER])
    + "], NULL)::oid[]"
)
"""SQL for the OIDs of those that exist."""
_NUMBERS = f"SELECT {NUMBERS}"
_HAS_VERSION = text(f"SELECT to_regclass('{VERSION}') IS NOT NULL")
_REVISIONS = text(f"SELECT version_num FROM {VERSION}")


def revisions(connection: Connection) -> tuple[str, ...]:
    """Return the revisions that the database is at; none before the first migration."""
    return tuple(sorted(connection.scalars(_REVISIONS))) if connection.scalar(_HAS_VERSION) else ()


def numbers(session: Session) -> list[int]:
    """Return the OIDs of those that exist. They are found by search_path, which a revision may change."""
    [(found,)] = driver.rows(session, _NUMBERS)
    return list(found)
