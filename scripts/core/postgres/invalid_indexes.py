"""Invalid indexes: CREATE INDEX CONCURRENTLY leaves one if it fails. PostgreSQL maintains it but never uses it."""

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, text

from scripts.core import messages
from scripts.core.formatting import counted
from scripts.core.postgres import sql
from scripts.core.postgres.sql import compose, spelled

# Without those of partitioned tables, which are invalid until every partition has its own, and without one that is
# being built. A role that may not read others' progress sees that a session builds one, and the lock on its table.
_INVALID = text(
    "SELECT i.indexrelid::regclass::text AS name, c.relname, t.relname AS table, array(SELECT attname::text"
    " FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = ANY (i.indkey)) AS columns"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid"
    " WHERE NOT i.indisvalid AND c.relkind = 'i'"
    " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid"
    " OR (p.index_relid IS NULL AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = p.pid AND l.relation = i.indrelid)))"
    " ORDER BY 1"
)


_UNNAMED = re.compile(r"\bCONCURRENTLY\s+ON\b|\bcreate_index\(\s*None\b", re.IGNORECASE)
"""Creates an index whose name PostgreSQL or the naming convention chooses, from the columns."""


def invalid(connection: Connection) -> list[str]:
    return [str(name) for name in connection.scalars(_INVALID)]


def foreign(connection: Connection, source: str) -> list[str]:
    """Return the invalid indexes that `source`, the text of the revisions that run, does not create.

    It names the index, or leaves the name out and names the table and its columns.
    """
    words = _words(source)
    return [str(row.name) for row in connection.execute(_INVALID) if not _is_ours(row, source, words)]


def _is_ours(row: Any, source: str, words: set[str]) -> bool:
    if _words(row.relname) <= words:
        return True
    parts = [row.table, *row.columns]
    is_generated = all(part in row.relname for part in parts)
    return is_generated and bool(_UNNAMED.search(source)) and _words(" ".join(parts)) <= words


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def drop_invalid(connection: Connection, foreign: Collection[str] = ()) -> None:
    """Drop the indexes that an earlier failure left, and report them. IF NOT EXISTS would take one for the new index.

    Foreign ones stay. `connection` is in autocommit.
    """
    for name in invalid(connection):
        if name in foreign:
            continue
        messages.send(f"Dropping the invalid index {name}, which an earlier CREATE INDEX CONCURRENTLY left.")
        _drop(connection, name)


def _drop(connection: Connection, name: str) -> None:
    sql.run(connection, compose("DROP INDEX CONCURRENTLY IF EXISTS {}", spelled(name)))


def clear_up(connection: Connection, foreign: Collection[str] = ()) -> list[str]:
    """Drop the indexes that a failure has just left, but no foreign one. Return a sentence for each."""
    said: list[str] = []
    for name in invalid(connection):
        if name in foreign:
            continue
        duplicates = _duplicates(connection, name)
        _drop(connection, name)
        found = f"; {counted(duplicates, 'duplicate key')}." if duplicates else "."
        said.append(f"The invalid index {name} was dropped{found}")
    return said


def _duplicates(connection: Connection, index: str) -> int:
    """Return how many keys are duplicates in a unique index; 0 for any other index."""
    unique, table, keys, where = connection.execute(
        text(
            "SELECT indisunique, indrelid::regclass::text,"
            " (SELECT string_agg(pg_get_indexdef(indexrelid, n, true), ', ') FROM generate_series(1, indnkeyatts) n),"
            " pg_get_expr(indpred, indrelid)"
            " FROM pg_index WHERE indexrelid = CAST(:index AS regclass)"
        ),
        {"index": index},
    ).one()
    if not unique:
        return 0
    columns = spelled(keys)
    query = compose(
        "SELECT count(*) FROM (SELECT {} FROM {} WHERE {} GROUP BY {} HAVING count(*) > 1) duplicates",
        *(columns, spelled(table), spelled(where or "true"), columns),
    )
    return sql.run(connection, query).scalar() or 0
