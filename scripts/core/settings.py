"""The application's settings and those of the scripts, with their faults told in one list as every other error is."""

from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.engine import URL

from app.settings import Reader, Settings, SettingsError, build, postgresql_url, read
from scripts.core import ROOT, window
from scripts.core.errors import USAGE, UserError

__all__ = ["Backups", "Limits", "Settings", "backups", "limits", "load"]


@dataclass(frozen=True)
class Limits:
    """How long a migration may wait and run, all in seconds, when, and on how large a table."""

    lock_timeout: float
    """The longest that one try of a revision may wait for locks, in total."""
    deadline: float
    """Tries go on for so long."""
    wait: float
    """Patience with another migration."""
    statement_timeout: float
    plan_deadline: float
    """So long may the revisions of a plan take, and each statement that makes a shadow."""
    large_rows: int
    """A table with so many rows, or of so many bytes, is large: work on it stops the application for too long."""
    large_bytes: int
    maintenance_window: str
    windows: list[window.Window]


@dataclass(frozen=True)
class Backups:
    folder: Path
    after: str
    """A command that is run after each backup, or nothing."""


def load() -> Settings:
    """The settings of this checkout, for migrating: MIGRATION_DATABASE_URL stands in for DATABASE_URL.

    Raises UserError with every fault in one list, and the file that was read.
    """
    return _load()[0]


def limits() -> Limits:
    """The limits of this checkout. Raises UserError as `load` does."""
    return _load()[1]


def backups() -> Backups:
    """Where backups are kept, and what is done with each."""
    reader = read()
    return Backups(ROOT / reader.text("BACKUP_DIR", "backups"), reader.text("BACKUP_AFTER", ""))


def scratch_server(settings: Settings) -> URL:
    """The server for throwaway databases, with the login of this checkout's own database, whatever DATABASE_URL says.

    Without a host where the environment names none.
    """
    reader = read()
    url = settings.database_url
    return URL.create(
        url.drivername,
        username=reader.text("POSTGRES_USER", url.username),
        password=reader.text("POSTGRES_PASSWORD", str(url.password)),
        host=reader.values.get("SCRATCH_HOST") or None,
        port=reader.number("SCRATCH_PORT", 5432, int),
        database="postgres",
    )


def _load() -> tuple[Settings, Limits]:
    reader = read()
    settings, found = build(reader), _limits(reader)
    direct = reader.values.get("MIGRATION_DATABASE_URL", "")
    if direct:
        settings = replace(
            settings, database_url=postgresql_url(direct, "MIGRATION_DATABASE_URL", reader), external=True
        )
    try:
        reader.finish()
    except SettingsError as error:
        faults = "".join(f"\n    {fault}" for fault in error.faults)
        raise UserError(
            f"The settings are not right. Read from {error.source}:{faults}",
            do="correct .env; .env.example explains every variable",
            code=USAGE,
        ) from error
    return settings, found


def _limits(reader: Reader) -> Limits:
    text = reader.values.get("MAINTENANCE_WINDOW", "")
    windows: list[window.Window] = []
    try:
        windows = window.parse(text)
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
        maintenance_window=text,
        windows=windows,
    )
