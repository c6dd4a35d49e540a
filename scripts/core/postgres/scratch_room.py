"""A scratch server without room: in development with Docker its memory is full, elsewhere its disk."""

import re

from scripts.core import sqlstates
from scripts.core.errors import NoRoomError, UserError

FULL = "The scratch server, which holds the throwaway databases, is full."
DO = (
    "set SCRATCH_SIZE above 4g and SCRATCH_MEMORY above 6g in .env, then run this again"
    " (embedded, or in staging: free room on its disk)"
)

# Of PostgreSQL, in its own words and in those of its client programs.
_NO_ROOM = re.compile(r"could not .*: No space left on device")


def explained(error: UserError) -> UserError:
    """Return the error of work on the scratch server. If the server was full, the error says so, and what to do."""
    if sqlstates.of(error.__cause__) != sqlstates.DISK_FULL and not _NO_ROOM.search(error.problem):
        return error
    facts = dict(error.facts)
    statement = [line for line in facts.get("Why", "").splitlines() if "The statement was: " in line]
    return NoRoomError(error.problem, why="\n".join([FULL, *statement]), do=DO, state=facts["State"])
