"""Raw SQL: the one place where names and values become part of a statement's text.

A statement is a template in our source, filled with pieces. Pieces are names and values that are quoted here, and SQL
from PostgreSQL's catalogs. A plain string is no piece, so a message or a row cannot become one by mistake.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.dialects import postgresql


class Sql(str):
    """A piece of SQL, or a whole statement."""


PLACE = Sql("\0")
"""The place of a value that is sent separately from the statement. No text of PostgreSQL has this character."""
_PREPARER = postgresql.dialect(paramstyle="named").identifier_preparer  # type: ignore[no-untyped-call]


def name(*parts: str) -> Sql:
    """Return a quoted identifier. Several parts are joined by dots."""
    return Sql(".".join('"' + part.replace('"', '""') + '"' for part in parts))


def typed(identifier: str) -> Sql:
    """Return an identifier as people type it, for texts: quoted only where SQL needs it."""
    return Sql(_PREPARER.quote(identifier))


def value(text: str) -> Sql:
    """Return a string constant, for statements such as COMMENT that take no parameters.

    See "String Constants" in PostgreSQL's documentation: only E'' interprets backslashes, whatever the settings are.
    """
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return Sql(f" E{quoted}" if "\\" in text else quoted)


def spelled(text: str) -> Sql:
    """Return SQL that PostgreSQL wrote: quote_ident(), regclass::text, format_type(), pg_get_expr()."""
    return Sql(text)


def compose(template: str, *pieces: Sql | float) -> Sql:
    """Fill the places {} of a template. Raise TypeError for a piece that is neither SQL nor a number."""
    if not all(isinstance(piece, Sql | float | int) for piece in pieces):
        raise TypeError("Only pieces of SQL become part of a statement.")
    return Sql(template.format(*pieces))


def listed(pieces: Iterable[Sql]) -> Sql:
    """Return pieces with commas between them."""
    return compose(", ".join(["{}"] * len(found)), *found) if (found := list(pieces)) else Sql()


def run(connection: Connection, statement: Sql, values: Sequence[Any] = ()) -> CursorResult[*tuple[Any, ...]]:
    """Execute a statement with a value for each PLACE. The driver interprets %, so each % is doubled."""
    if not isinstance(statement, Sql):
        raise TypeError("A statement is composed of pieces of SQL.")
    return connection.exec_driver_sql(statement.replace("%", "%%").replace(PLACE, "%s"), tuple(values))


def sent(statement: str) -> str:
    """Return what the server gets of a statement that the driver was given."""
    return statement.replace("%%", "%")


def for_psycopg2(statement: str) -> str:
    """Return a statement without values as psycopg2 needs it.

    A revision that was written for asyncpg or psycopg has a single % where it means one. psycopg2 would refuse that.
    """
    return statement.replace("%", "%%") if "%" in statement.replace("%%", "") else statement
