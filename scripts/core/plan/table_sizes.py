"""Sizes of tables. Work that is a note on a small table stops the application on a large one."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.limits import Limits
from scripts.core.postgres import connections, session_timeouts, sql
from scripts.core.postgres.sql import Sql, compose
from scripts.core.postgres.user_tables import RELATIONS
from scripts.core.settings import Settings

SEVERITIES = BLOCK, WARN, NOTE = "block", "warn", "note"
SMALL = 0.01
"""Up to this share of a large table's size, a table is small."""

# Sizes of files, read without the rows. A partitioned table is as large as all its partitions. A table that was never
# analysed (-1) has the rows that the statistics have counted.
_SIZES = text(
    "SELECT c.oid::regclass::text AS name, sum(pg_table_size(l.oid))::bigint AS bytes,"
    " sum(CASE WHEN l.reltuples < 0 THEN pg_stat_get_live_tuples(l.oid) ELSE l.reltuples END)::bigint AS rows"
    f" FROM {RELATIONS}, LATERAL (SELECT oid, reltuples FROM pg_class WHERE oid = c.oid AND c.relkind <> 'p'"
    " UNION ALL SELECT p.oid, p.reltuples FROM pg_partition_tree(c.oid) t JOIN pg_class p ON p.oid = t.relid"
    " WHERE c.relkind = 'p' AND t.isleaf) l"
    " WHERE c.relkind IN ('r', 'p', 'm') GROUP BY 1"
)
_SAMPLE_ROWS, _SAMPLE_BYTES = 20_000, 20_000_000
_SAMPLE = text("CREATE TEMP TABLE sample AS SELECT repeat('x', 1000) AS x FROM generate_series(1, :rows)")


@dataclass(frozen=True)
class Size:
    rows: int
    """PostgreSQL's estimate."""
    bytes: int

    def __str__(self) -> str:
        return f"{counted(self.rows, 'row')}, {_human(self.bytes)}"


@dataclass(frozen=True)
class Weights:
    """Sizes of the target's tables. None: no size is known, so every table counts as large and busy."""

    sizes: Mapping[str, Size] | None
    large: Size
    rate: float
    """Bytes that the scratch server scans per second."""
    major: int = 0
    """The target's major version of PostgreSQL; 0 if it is not known."""

    def severity(self, relation: str) -> str | None:
        """Return the severity of work on a table, or None if the target has no such table."""
        if self.sizes is None:
            return BLOCK
        size = self.sizes.get(relation)
        if size is None:
            return None
        share = max(size.rows / self.large.rows, size.bytes / self.large.bytes)
        return BLOCK if share >= 1 else WARN if share >= SMALL else NOTE

    def rows(self, relation: str) -> int | None:
        """Return the target's estimate of a table's rows, or None if nothing is known."""
        if self.sizes is None:
            return None
        return self.sizes.get(relation, Size(0, 0)).rows

    def words(self, relation: str) -> str:
        """Return a table's size and the shortest time to read it, in brackets; nothing if they are not known."""
        if self.sizes is None or relation not in self.sizes:
            return ""
        size = self.sizes[relation]
        seconds = size.bytes / self.rate
        return f" ({size}: at least {seconds:.1f} s)" if seconds >= 0.1 else f" ({size})"


def of(target: Settings, scratch: Connection) -> Weights:
    """Return the sizes of the target's tables. The target is only read, without waiting for locks."""
    sizes, major = _sizes(target)
    # Below the size of the sample, a scan takes less time than any that is shown.
    is_measured = sizes is not None and any(size.bytes > _SAMPLE_BYTES for size in sizes.values())
    return Weights(sizes, _large(target.limits), scan_rate(scratch) if is_measured else math.inf, major)


def unknown(limits: Limits) -> Weights:
    """Return sizes without a target: every table is large."""
    return Weights(None, _large(limits), 1)


def _sizes(target: Settings) -> tuple[dict[str, Size] | None, int]:
    """Return the sizes and the server's major version."""
    try:
        with connections.connect(target) as connection:
            sql.run(connection, compose("SET LOCAL lock_timeout = {}", sql.value(session_timeouts.READING_LOCK)))
            sizes = {row.name: Size(row.rows, row.bytes) for row in connection.execute(_SIZES)}
            return sizes, connections.version(connection) // 10000
    except (UserError, DBAPIError):
        return None, 0


def _large(limits: Limits) -> Size:
    return Size(limits.large_rows, limits.large_bytes)


def scan_rate(scratch: Connection) -> float:
    """Return how many bytes this server reads from memory per second.

    No disk is faster, so an estimate with it is a lower bound.
    """
    scratch.execute(_SAMPLE, {"rows": _SAMPLE_ROWS})
    started = time.monotonic()
    sql.run(scratch, Sql("SELECT count(x) FROM sample"))
    seconds = time.monotonic() - started
    size = scratch.scalar(text("SELECT pg_table_size('sample')"))
    sql.run(scratch, Sql("DROP TABLE sample"))
    return float(size or 0) / seconds


def _human(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} GB"
