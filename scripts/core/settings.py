"""The settings of the scripts: those of the application with the owner's login, and their own."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL

from app.settings import Reader, SettingsError, build, login_url, postgresql_url, read
from scripts.core import ROOT
from scripts.core.errors import USAGE, UserError
from scripts.core.maintenance_window import Window
from scripts.core.maintenance_window import parse as parse_windows

TARGET = re.compile(r"PG[A-Z]+|((MIGRATION_)?DATABASE_URL|(POSTGRES|APP_DB|SCRATCH)_\w+)(_FILE)?")
"""Variables that name the target or a login to it."""


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


@dataclass(frozen=True)
class Backups:
    folder: Path
    after: str
    """A command that runs after each backup, or nothing."""


@dataclass(frozen=True)
class Settings:
    """Where the scripts work, with which logins, and by which limits."""

    app_env: str
    runtime: str
    database_url: URL
    """With the login of the owner, which migrates."""
    application_url: URL
    """With the login of the application; the owner's if the application has no role of its own."""
    external: bool
    """Another server than this project's, on which no databases are created."""
    connect_wait: float
    """Seconds to wait for a server that is still starting."""
    source: str
    """What was read, for error messages."""
    in_container: bool
    """Whether Compose names the server's address. Outside a container the file names it."""
    limits: Limits
    backups: Backups
    reports: Path
    """The folder of the verifications."""
    values: Mapping[str, str] = field(repr=False)
    """Everything that was read, with passwords. Code that runs the user's code gets settings without it."""


def load() -> Settings:
    """Return the settings of this checkout, with the owner's login or MIGRATION_DATABASE_URL.

    A command calls this once, and passes the result on. Raise UserError with every error in one list, and the file that
    was read.
    """
    reader = read()
    settings = _settings(reader)
    try:
        reader.finish()
    except SettingsError as error:
        faults = "".join(f"\n    {fault}" for fault in error.faults)
        if settings.runtime == "docker" and settings.app_env != "development" and not _has_owner(reader):
            raise UserError(
                f"The settings are not enough to migrate:{faults}",
                why="Outside development, only the service tools has the owner's password.",
                do="docker compose run --rm --no-deps tools python -m scripts.migrate",
                code=USAGE,
            ) from error
        raise UserError(
            f"The settings are not right. Read from {error.source}:{faults}",
            do="correct .env; .env.example explains every variable",
            code=USAGE,
        ) from error
    return settings


def _has_owner(reader: Reader) -> bool:
    return any(
        reader.values.get(name) for name in ("POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE", "MIGRATION_DATABASE_URL")
    )


def scratch_server(settings: Settings) -> URL | None:
    """Return the administrator's login on the server for throwaway databases, or None if no such server is set.

    Without SCRATCH_USER, it is the login of this checkout's own database, whatever DATABASE_URL says.
    """
    reader = Reader(dict(settings.values), {}, settings.source)
    url, host = settings.database_url, reader.values.get("SCRATCH_HOST")
    if not host:
        return None
    return URL.create(
        url.drivername,
        username=reader.text("SCRATCH_USER", reader.text("POSTGRES_USER", url.username)),
        password=reader.text("SCRATCH_PASSWORD", reader.text("POSTGRES_PASSWORD", str(url.password or ""))) or None,
        host=host,
        port=reader.number("SCRATCH_PORT", 5432, int),
        database="postgres",
    )


def without_target(settings: Settings) -> dict[str, str]:
    """Return every variable of the environment and of .env that neither names the target nor has a password of it.

    libpq finds no login by itself, neither in its variables nor in the files that it reads by default.
    """
    values = settings.values
    logins = (settings.database_url, settings.application_url)
    passwords = {str(login.password) for login in logins if login.password}
    written = "|".join(re.escape(form) for word in passwords for form in (word, quote(word, safe="")))
    login = re.compile(rf"(^|:|password\s*=\s*'?)({written or '(?!)'})('|&|@|\s|$)")
    allowed = {name: value for name, value in values.items() if not TARGET.fullmatch(name) and not login.search(value)}
    return allowed | dict.fromkeys(("PGPASSFILE", "PGSERVICEFILE"), os.devnull) | {"PGSYSCONFDIR": os.devnull}


def secret_files(settings: Settings) -> list[str]:
    """Return the paths of the files that may have a password of the target."""
    values = settings.values
    named = [path for name, path in values.items() if TARGET.fullmatch(name) and name.endswith(("_FILE", "PGPASSFILE"))]
    folder = Path(values.get("SECRETS_DIR") or os.devnull)
    return [
        str(ROOT / ".env"),
        str(Path.home() / ".pgpass"),
        *named,
        *(str(path) for path in (folder.iterdir() if folder.is_dir() else ())),
    ]


def _settings(reader: Reader) -> Settings:
    application = build(reader)
    direct = reader.values.get("MIGRATION_DATABASE_URL", "")
    if direct:
        owner = postgresql_url(direct, "MIGRATION_DATABASE_URL", reader)
    else:
        owner = application.database_url if application.external else login_url(reader)
    return Settings(
        app_env=application.app_env,
        runtime=application.runtime,
        database_url=owner,
        application_url=application.database_url,
        external=application.external or bool(direct),
        connect_wait=application.connect_wait,
        source=application.source,
        in_container="POSTGRES_HOST" in os.environ,
        limits=_limits(reader),
        backups=Backups(
            ROOT / Path(reader.text("BACKUP_DIR", "backups")).expanduser(), reader.text("BACKUP_AFTER", "")
        ),
        reports=ROOT / reader.text("REPORT_DIR", "reports"),
        values=dict(reader.values),
    )


def _limits(reader: Reader) -> Limits:
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
