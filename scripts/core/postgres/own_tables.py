"""The tables that Alembic and this project create in the target.

Their names are looked up in search_path, as Alembic does. A table of such a name in another schema belongs to the user.
The options version_table and version_table_schema of alembic.ini may name the first.
"""

from sqlalchemy import Connection, text

from scripts.core import revision_files
from scripts.core.postgres import driver, sql
from scripts.core.postgres.driver import Session
from scripts.core.postgres.sql import compose

VERSION_TABLE = revision_files.option("version_table") or "alembic_version"
VERSION_SCHEMA = revision_files.option("version_table_schema")
VERSION = ".".join(map(sql.typed, filter(None, (VERSION_SCHEMA, VERSION_TABLE))))
"""Its name as SQL spells it."""
VERSION_NUMBER = "to_regclass('{}')::oid".format(VERSION.replace("'", "''"))
"""SQL for its OID, or NULL."""
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
    + ", ".join([VERSION_NUMBER, *(f"to_regclass('{name}')::oid" for name in (LOG, LOG_SEQUENCE)), SOURCE_NUMBER])
    + "], NULL)::oid[]"
)
"""SQL for the OIDs of those that exist."""
_NUMBERS = f"SELECT {NUMBERS}"
_HAS_VERSION = text(f"SELECT {VERSION_NUMBER} IS NOT NULL")
_SPELLED = "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
_PLACES = text(f"{_SPELLED} WHERE relname = :name AND relkind IN ('r', 'p') ORDER BY 1")
_IN_USE = text(f"{_SPELLED} WHERE c.oid = {VERSION_NUMBER}")
_MAY_WRITE = text(f"SELECT has_table_privilege({VERSION_NUMBER}, 'INSERT, UPDATE, DELETE')")
_OWNER = text(f"SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = {VERSION_NUMBER}")
_HAS_SCHEMA = text("SELECT true FROM pg_namespace WHERE nspname = :schema")
_REVISIONS = text(f"SELECT version_num FROM {VERSION}")


def places(connection: Connection) -> list[str]:
    """Return all tables of the version table's name, as SQL spells them with their schemas. Alembic uses one."""
    return list(connection.scalars(_PLACES, {"name": VERSION_TABLE}))


def in_use(connection: Connection) -> str | None:
    """Return the version table that Alembic uses, as SQL spells it with its schema, or None."""
    found = connection.scalar(_IN_USE)
    return str(found) if found else None


def may_write(connection: Connection) -> bool:
    """Return whether the connected role may write the existing version table."""
    return bool(connection.scalar(_MAY_WRITE))


def owner(connection: Connection) -> str:
    """Return the role that owns the existing version table."""
    return str(connection.scalar(_OWNER))


def ensure_schema(connection: Connection) -> None:
    """Create the schema of the version table, if it is missing. Alembic only creates the table."""
    if VERSION_SCHEMA and not connection.scalar(_HAS_SCHEMA, {"schema": VERSION_SCHEMA}):
        sql.run(connection, compose("CREATE SCHEMA IF NOT EXISTS {}", sql.name(VERSION_SCHEMA)))


def revisions(connection: Connection) -> tuple[str, ...]:
    """Return the revisions that the database is at; none before the first migration."""
    return tuple(sorted(connection.scalars(_REVISIONS))) if connection.scalar(_HAS_VERSION) else ()


def numbers(session: Session) -> list[int]:
    """Return the OIDs of those that exist. They are found by search_path, which a revision may change."""
    [(found,)] = driver.rows(session, _NUMBERS)
    return list(found)
