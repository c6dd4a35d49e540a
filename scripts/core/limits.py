"""The limits of a migration, from the settings."""

from dataclasses import dataclass

from scripts.core.maintenance_window import Window
from scripts.core.maintenance_window import parse as parse_windows
from scripts.core.variables import Reader


@dataclass(frozen=True)
class Limits:
    """How long a migration may wait and run, in seconds, when, and on how large a table."""

    lock_timeout: float
    """The longest time that one attempt of a revision may wait for locks, in total."""
    deadline: float
    """The time after which no new attempt begins."""
    wait: float
    """The longest time to wait for another migration."""
    statement_timeout: float
    plan_deadline: float
    """The longest time for the revisions of a plan, and for each statement that builds a shadow."""
    large_rows: int
    """A table with this many rows or bytes is large. Work on it stops the application for too long."""
    large_bytes: int
    max_block: float
    """The longest time that a verified migration may block the application."""
    max_seconds: float
    """The longest time that a verified migration may take."""
    hash_bytes: float
    """In a table with more bytes, a verification compares some ranges and not all rows."""
    verify_fresh: float | None
    """The days for which a verification is valid; None: no verification is required."""
    backup_fresh: float
    """The age up to which a backup is recent enough for a change outside development."""
    maintenance_window: str
    windows: list[Window]


def read(reader: Reader) -> Limits:
    """Return the limits. The reader's `faults` say what is wrong with them."""
    text = reader.values.get("MAINTENANCE_WINDOW", "")
    windows: list[Window] = []
    try:
        windows = parse_windows(text)
    except ValueError as error:
        reader.faults.append(f"MAINTENANCE_WINDOW: {error}{reader.place('MAINTENANCE_WINDOW')}")
    return Limits(
        lock_timeout=reader.number("LOCK_TIMEOUT", 250, float) / 1000,
        deadline=reader.number("MIGRATION_DEADLINE", 600, float),
        wait=reader.number("MIGRATION_WAIT", 600, float),
        statement_timeout=reader.number("STATEMENT_TIMEOUT", 900, float),
        plan_deadline=reader.number("PLAN_DEADLINE", 60, float),
        large_rows=reader.number("LARGE_TABLE_ROWS", 1_000_000, int),
        large_bytes=reader.number("LARGE_TABLE_MB", 1024, int) * 1024 * 1024,
        max_block=reader.number("MAX_BLOCK_MS", 1000, float) / 1000,
        max_seconds=reader.number("MAX_SECONDS", 600, float),
        hash_bytes=reader.number("HASH_MB", 1024, float) * 1024 * 1024,
        verify_fresh=reader.number("VERIFY_FRESH", 7, float) if reader.values.get("VERIFY_FRESH", "7") else None,
        backup_fresh=reader.number("BACKUP_FRESH", 3600, float),
        maintenance_window=text,
        windows=windows,
    )
