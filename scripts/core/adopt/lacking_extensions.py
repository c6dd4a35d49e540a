"""The extensions that a project's revisions need and cannot create: an administrator has created them there.

They are found by the errors of PostgreSQL, not by reading the files.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from scripts.core.postgres import connections, scratch, scratch_extensions, sql
from scripts.core.postgres.scratch import Scratch
from scripts.core.postgres.sql import compose

_REFUSED = re.compile(r'permission denied to create extension "([^"]+)"')
_UNDEFINED = re.compile(r'(?:function|type|operator class) "?(?:\w+\.)?(\w+)[^\n]* does not exist')
_NOT_THERE = re.compile(r'extension "([^"]+)" is not available')
_SCHEMA = re.compile(r'\bSCHEMA\s+"?(\w+)', re.IGNORECASE)
_OF_OBJECT = text("""SELECT extname FROM pg_extension e JOIN pg_depend d ON (refclassid, refobjid) = (e.tableoid, e.oid)
    WHERE deptype = 'e' AND (classid, objid) IN (
        SELECT tableoid, oid FROM pg_proc WHERE proname = :name
        UNION ALL SELECT tableoid, oid FROM pg_type WHERE typname = :name
        UNION ALL SELECT tableoid, oid FROM pg_opclass WHERE opcname = :name)
    ORDER BY extname LIMIT 1""")


def of(server: Scratch, error: Mapping[str, Any]) -> dict[str, str]:
    """Return the extension that an error asks for, with its schema or nothing. Return nothing for another error."""
    words = str(error.get("words", ""))
    if refused := _REFUSED.search(words):
        schema = _SCHEMA.search(str(error["statement"]))
        return {refused[1]: schema[1] if schema else ""}
    undefined = _UNDEFINED.search(words)
    found = _that_has(server, undefined[1]) if undefined else None
    return {found: ""} if found else {}


def not_installed(words: str) -> str:
    """Return the name of the extension that the scratch server does not have, or nothing."""
    found = _NOT_THERE.search(words)
    return found[1] if found else ""


def _that_has(server: Scratch, name: str) -> str | None:
    """Return the extension with a function, type or operator class of this name. A throwaway database gets them all."""
    made = scratch.create(server)
    with connections.connect(scratch.as_administrator(server, made), isolation_level="AUTOCOMMIT") as connection:
        for one in sorted(scratch_extensions.offered(server)):
            with suppress(DBAPIError):  # some need a setting, or another program
                sql.run(connection, compose("CREATE EXTENSION IF NOT EXISTS {} CASCADE", sql.name(one)))
        found: str | None = connection.scalar(_OF_OBJECT, {"name": name})
        return found
