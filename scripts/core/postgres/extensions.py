"""Statements about extensions: who may run them, and what their errors mean.

PostgreSQL lets an ordinary role create only extensions that are called trusted, and drop only its own.
"""

import re
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from scripts.core import sqlstates
from scripts.core.postgres import statements

_CREATE = r"\bCREATE\s+EXTENSION\s+"
_NAME = re.compile(_CREATE + r'(?:IF\s+NOT\s+EXISTS\s+)?(?:"((?:[^"]|"")+)"|(\w+))', re.IGNORECASE)
_UNCONDITIONAL = re.compile(rf"((?:^|;)\s*{_CREATE})(?!IF\s+NOT\b)", re.IGNORECASE)

_TYPES = {
    "vector": "vector halfvec sparsevec",
    "postgis": "geometry geography box2d box3d",
    "postgis_raster": "raster",
    "postgis_topology": "topogeometry",
    "citext": "citext",
    "cube": "cube",
    "hstore": "hstore",
    "intarray": "query_int",
    "isn": "ean13 isbn isbn13 ismn ismn13 issn issn13 upc",
    "lo": "lo",
    "ltree": "ltree lquery ltxtquery",
    "seg": "seg",
    "h3": "h3index",
    "hll": "hll",
    "ip4r": "ip4 ip4r ip6 ip6r ipaddress iprange",
    "roaringbitmap": "roaringbitmap roaringbitmap64",
    "semver": "semver",
    "age": "agtype graphid",
    "uint": "int1 uint1 uint2 uint4 uint8",
}
"""The types of extensions that models use."""


def of_type(name: str) -> str:
    """Return the extension that has a type, if it is one of the common ones."""
    return next((extension for extension, types in _TYPES.items() if name in types.split()), "")


def refused(error: BaseException | None, words: str) -> bool:
    """Return whether a statement that begins with these words failed because the role lacks the right."""
    if not isinstance(error, DBAPIError) or sqlstates.of(error) != sqlstates.INSUFFICIENT_PRIVILEGE:
        return False
    return any(statement.startswith(words) for statement in statements.split(error.statement or ""))


def lacking(error: BaseException | None) -> str:
    """Return the name of the extension that a statement had no right to create, or nothing."""
    return named(str(getattr(error, "statement", ""))) if refused(error, "CREATE EXTENSION") else ""


def named(statement: str) -> str:
    """Return the name of the extension that the statement creates, or nothing."""
    return next(iter(all_named(statement)), "")


def all_named(text: str) -> list[str]:
    """Return the names of the extensions that the text creates."""
    return [one[1].replace('""', '"') if one[1] else one[2].lower() for one in _NAME.finditer(text)]


def creates(statement: str) -> bool:
    """Return whether the statement creates an extension."""
    return bool(_NAME.search(statement))


def if_missing(statement: str) -> str:
    """Return the statement with CREATE EXTENSION IF NOT EXISTS."""
    return _UNCONDITIONAL.sub(r"\1IF NOT EXISTS ", statement)


def tolerate(connection: Connection) -> None:
    """Turn CREATE EXTENSION into CREATE EXTENSION IF NOT EXISTS, because a superuser may have run that file before."""
    event.listen(connection, "before_cursor_execute", _tolerating, retval=True)


def _tolerating(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> tuple[str, Any]:
    return if_missing(sql), parameters
