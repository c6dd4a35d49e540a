"""The versions of PostgreSQL that the scripts know. They count as PostgreSQL does: 170004 is 17.4."""

from functools import cache

from scripts.core import messages
from scripts.core.errors import UserError

OLDEST, NEWEST = 16, 18
"""Majors."""


def require(version: int) -> None:
    """Raise UserError for a server that is too old. Report one that is newer than all known ones, once."""
    major = version // 10000
    if major < OLDEST:
        raise UserError(
            f"The server is PostgreSQL {major}. The oldest version that works here is {OLDEST}.",
            why="Older servers have other catalogs and rights of roles. Schemas and backups could not be checked.",
            do=f"upgrade the server to PostgreSQL {OLDEST} or newer, or name another one in DATABASE_URL",
        )
    if major > NEWEST:
        _report(major)


@cache
def _report(major: int) -> None:
    messages.send(
        f"The server is PostgreSQL {major}. This version of the scripts knows {OLDEST} to {NEWEST}: they compare"
        " objects of a newer kind by name only."
    )
