"""How many rows stand in a statement's way, and their keys, told from what PostgreSQL said; never their contents."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import postgres
from scripts.core.reports.words import counted
from scripts.core.settings import Settings

SHOWN = 5
NOT_NULL, FOREIGN_KEY, UNIQUE, TOO_LONG = "23502", "23503", "23505", "22001"

_KEY = re.compile(r"^Key \((.+)\)=\(", re.DOTALL)
_REFERENCED = re.compile(r'is not present in table "(.+)"\.$')
_SHORTER = re.compile(
    r"ALTER\s+TABLE\s+(?:ONLY\s+)?(\S+)\s+ALTER\s+(?:COLUMN\s+)?(\S+)\s+(?:SET\s+DATA\s+)?TYPE\s+"
    r"(?:VARCHAR|CHARACTER\s+VARYING|CHAR|CHARACTER)\s*\((\d+)\)",
    re.IGNORECASE,
)
_PRIMARY = text(
    "SELECT quote_ident(a.attname) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
    " AND a.attnum = ANY(i.indkey) WHERE i.indrelid = to_regclass(:table) AND i.indisprimary ORDER BY a.attnum"
)


def describe(copy: Settings, error: BaseException | None) -> list[str]:
    """Of a revision that failed on `copy`, which is as it was before that revision; nothing when it cannot be told."""
    if not isinstance(error, DBAPIError) or error.connection_invalidated:
        return []
    with postgres.patient(copy, isolation_level="AUTOCOMMIT") as connection, suppress(DBAPIError):
        table, condition = _condition(connection, error)
        if table:
            return list(_lines(connection, table, condition))
    return []


def _condition(connection: Connection, error: DBAPIError) -> tuple[str, str]:
    """The table and what is true of the rows that are in the way."""
    found: Any = getattr(error.orig, "diag", None)
    code, detail = getattr(error.orig, "pgcode", None), getattr(found, "message_detail", "") or ""
    quote = connection.dialect.identifier_preparer.quote
    table = f"{quote(found.schema_name)}.{quote(found.table_name)}" if found and found.table_name else ""
    key = _KEY.match(detail)
    if code == NOT_NULL and table:
        return table, f"{quote(found.column_name)} IS NULL"
    if code == UNIQUE and key and table:
        return table, f"({key[1]}) IN (SELECT {key[1]} FROM {table} GROUP BY {key[1]} HAVING count(*) > 1)"
    referenced = _REFERENCED.search(detail)
    if code == FOREIGN_KEY and key and referenced:
        return table, _dangling(connection, key[1], quote(referenced[1]))
    shorter = _SHORTER.search(error.statement or "")
    if code == TOO_LONG and shorter:
        return shorter[1], f"length({shorter[2]}::text) > {shorter[3]}"
    return "", ""


def _dangling(connection: Connection, columns: str, referenced: str) -> str:
    keys = list(connection.scalars(_PRIMARY, {"table": referenced}))
    given = f"({columns}) IS NOT NULL"
    return f"{given} AND ({columns}) NOT IN (SELECT {', '.join(keys)} FROM {referenced})"


def _lines(connection: Connection, table: str, condition: str) -> Iterator[str]:
    where = f"FROM {table} WHERE {condition}".replace("%", "%%")
    count = connection.exec_driver_sql(f"SELECT count(*) {where}").scalar() or 0
    name = table.removeprefix("public.")
    yield f"{counted(count, 'row')} of {name} in the way."
    keys = list(connection.scalars(_PRIMARY, {"table": table}))
    if count and keys:
        columns = ", ".join(keys)
        rows = connection.exec_driver_sql(f"SELECT {columns} {where} ORDER BY {columns} LIMIT {SHOWN}").all()
        shown = "; ".join(", ".join(str(value) for value in row) for row in rows)
        yield f"Their keys ({columns}): {shown}{' …' if count > SHOWN else ''}"
