"""Databases that a restore has put aside: the target's name, and when."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from sqlalchemy import Connection, text

_FOUND = text(
    "SELECT datname AS name, pg_database_size(oid) AS bytes FROM pg_database"
    " WHERE starts_with(datname, :prefix) AND substr(datname, length(:prefix) + 1) ~ '^[0-9]{8}T[0-9]{6}Z$' ORDER BY 1"
)


@dataclass(frozen=True)
class Kept:
    name: str
    bytes: int


def list_all(server: Connection, database: str) -> list[Kept]:
    """Those of this database, oldest first."""
    return [Kept(row.name, row.bytes) for row in server.execute(_FOUND, {"prefix": _prefix(database)})]


def new_name(server: Connection, database: str) -> str:
    """Of the database that is put aside now; nobody has it yet."""
    taken = [one.name for one in list_all(server, database)]
    now = datetime.now(UTC)
    names = (f"{_prefix(database)}{now + timedelta(seconds=later):%Y%m%dT%H%M%SZ}" for later in count())
    return next(name for name in names if name not in taken)


def drop_command(name: str) -> str:
    quoted = name.replace('"', '""')
    return f"make psql c='DROP DATABASE \"{quoted}\"'".replace("$", "\\$")


def _prefix(database: str) -> str:
    """A name may have 63 bytes."""
    return f"{database.encode()[:40].decode(errors='ignore')}__kept_"
