"""The progress of pg_dump or pg_restore in rows, from PostgreSQL's report of each running COPY and the row counts."""

from collections.abc import Callable

from sqlalchemy import Connection, text

from scripts.core import messages

_COPYING = text(
    "SELECT format('%I.%I', n.nspname, c.relname) AS name, max(p.tuples_processed) AS rows FROM pg_stat_progress_copy p"
    " JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE p.datid = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1"
)


def watch(connection: Connection, rows: dict[str, int]) -> Callable[[], None]:
    """Return a function that reads and shows the progress through an autocommit connection to that database.

    A table that was seen before and is no longer copied is done.
    """
    seen: dict[str, int] = {}
    total = sum(rows.values())

    def tick() -> None:
        now = {row.name: int(row.rows) for row in connection.execute(_COPYING) if row.name in rows}
        seen.update({name: rows[name] for name in seen if name not in now}, **now)
        messages.progress(min(sum(seen.values()), total), total, "rows")

    return tick
