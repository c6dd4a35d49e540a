"""The table of sources: the bytes of every file of an applied revision, once for each checksum."""

import hashlib
import zlib

from sqlalchemy import Connection, text

from scripts.core import messages
from scripts.core.postgres import privileges
from scripts.core.postgres.own_tables import SOURCE, SOURCE_COLUMN, SOURCE_NUMBER
from scripts.core.revisions.sources import LARGEST

_CREATE = text(f"""CREATE TABLE {SOURCE} (
    sha256 text CONSTRAINT pk_{SOURCE} PRIMARY KEY,
    bytes bigint NOT NULL,
    {SOURCE_COLUMN} bytea)""")
_STATE = text(f"SELECT {SOURCE_NUMBER} IS NOT NULL AS ours, to_regclass('{SOURCE}') IS NOT NULL AS any")
_FIND = text(f"SELECT bytes, {SOURCE_COLUMN} FROM {SOURCE} WHERE sha256 = :sha256")
INSERT = f"INSERT INTO {SOURCE} (sha256, bytes, {SOURCE_COLUMN}) VALUES {{}} ON CONFLICT DO NOTHING"
"""Its rows are tuples: checksum, size, and compressed content or None."""


class TamperedError(Exception):
    """The stored bytes do not have the checksum under which they are stored."""


def exists(connection: Connection) -> bool:
    return bool(connection.execute(_STATE).one().ours)


def ensure(connection: Connection) -> bool:
    """Create the table for its owner only, if it is missing. Return whether it is there.

    The user may have a table of that name. It stays as it is, and no source is kept.
    """
    state = connection.execute(_STATE).one()
    if state.any and not state.ours:
        messages.send(f"The files of the revisions are not kept, because {SOURCE} is a table of yours.")
        return False
    if not state.any:
        connection.execute(_CREATE)
        privileges.close(connection, SOURCE)
    return True


def read(connection: Connection, sha256: str) -> bytes | None:
    """Return the file with this checksum, or None if it is not kept. Raise TamperedError if it has another checksum."""
    row = connection.execute(_FIND, {"sha256": sha256}).one_or_none() if exists(connection) else None
    if row is None or row[1] is None:
        return None
    try:
        # No more than was ever stored, whatever the bytes would grow to.
        content = zlib.decompressobj().decompress(bytes(row[1]), LARGEST + 1)
    except zlib.error as error:
        raise TamperedError from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise TamperedError
    return content
