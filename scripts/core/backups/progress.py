"""How far pg_dump or pg_restore is, by rows: what PostgreSQL says of each running COPY, against the counts."""

from collections.abc import Callable

from sqlalchemy import Connection, text

Show = Callable[[int, int, str], None]
"""Is told how many are done, how many all are, and of what."""

_COPYING = text(
    "SELECT format('%I.%I', n.nspname, c.relname) AS name, max(p.tuples_processed) AS rows FROM pg_stat_progress_copy p"
    " JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE p.datid = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1"
)


def watch(connection: Connection, rows: dict[str, int], show: Show) -> Callable[[], None]:
    """A function to be called now and then: it looks, through an autocommit connection to that database, and shows.

    A table that was seen and is not any more is done.
    """
    seen: dict[str, int] = {}
    total = sum(rows.values())

    def tick() -> None:
        now = {row.name: int(row.rows) for row in connection.execute(_COPYING) if row.name in rows}
        seen.update({name: rows[name] for name in seen if name not in now}, **now)
        show(min(sum(seen.values()), total), total, "rows")

    return tick
