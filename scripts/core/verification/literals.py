"""SQL that a revision has put together from rows, without what it found in them: contents stay in the database."""

import re

from sqlalchemy.exc import DBAPIError

_TEXT = re.compile(r"'((?:[^']|'')*)'")
_VALUE = re.compile(r": \"(.*)\"$", re.DOTALL)
DATA_EXCEPTION = "22"
"""The class of errors whose message quotes a value; see "PostgreSQL Error Codes"."""


def masked(sql: str, source: str) -> str:
    """Texts that do not stand in the revision's file are left out."""
    return _TEXT.sub(lambda found: found[0] if found[1].replace("''", "'") in source else "'…'", sql)


def without_value(problem: str, error: BaseException | None) -> str:
    """What PostgreSQL said, without the value that it did not like."""
    code = getattr(error.orig, "pgcode", None) if isinstance(error, DBAPIError) else None
    return _VALUE.sub(": …", problem) if (code or "").startswith(DATA_EXCEPTION) else problem
