"""The settings of the scripts and of the application: where the database is, with which logins, and all limits."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL

from scripts.core import ROOT, database_url
from scripts.core import application as application_
from scripts.core import limits as limits_
from scripts.core.database_url import APPLICATION
from scripts.core.errors import USAGE, UserError
from scripts.core.limits import Limits
from scripts.core.variables import Reader, read

TARGET = re.compile(r"PG[A-Z]+|((MIGRATION_)?DATABASE_URL|(POSTGRES|APP_DB|SCRATCH)_\w+)(_FILE)?")
"""Variables that name the target or a login to it."""
RUNTIMES = ("docker", "embedded", "none")
ENVIRONMENTS = ("development", "test", "staging", "production")
DRIVERS = ("psycopg2", "psycopg", "psycopg_async", "asyncpg", "pg8000")


@dataclass(frozen=True)
class Backups:
    folder: Path
    after: str
    """A command that runs after each backup, or nothing."""


@dataclass(frozen=True)
class ApplicationSettings:
    """What the application itself needs: the database with the login of its role, which owns nothing."""

    app_env: str
    runtime: str
    """What runs PostgreSQL: docker, embedded, or none (another server)."""
    url: URL
    """For the scripts. It has the owner's login if only that one is set."""
    given: URL = field(repr=False)
    """For the application: as it was written, or with APP_DRIVER, if it is set."""
    external: bool
    """The URL was given as a whole: the server is not this project's, which creates no databases on it."""
    source: str
    """What was read, for error messages."""
    values: Mapping[str, str] = field(repr=False)
    """Everything that was read, with passwords."""


@dataclass(frozen=True)
class Settings:
    """Where the scripts work, with which logins, and by which limits."""

    app_env: str
    runtime: str
    database_url: URL
    """With the login of the owner, which migrates."""
    application_url: URL
    """With the login of the application; the owner's if the application has no role of its own."""
    driver: str
    """The driver in the application's URL, such as postgresql+asyncpg."""
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
    keeps_sources: bool
    """Whether the database keeps the files of the revisions that are applied."""
    values: Mapping[str, str] = field(repr=False)
    """Everything that was read, with passwords. Code that runs the user's code gets settings without it."""


def load() -> Settings:
    """Return the settings of this checkout, with the owner's login or MIGRATION_DATABASE_URL.

    A command calls this once, and passes the result on. Raise UserError with every error in one list, and the file that
    was read.
    """
    reader = read()
    settings = _settings(reader)
    if reader.faults and settings.runtime == "docker" and settings.app_env != "development" and not _has_owner(reader):
        raise UserError(
            f"The settings are not enough to migrate:{_listing(reader)}",
            why="Outside development, only the service tools has the owner's password.",
            do="docker compose run --rm --no-deps tools python -m scripts.migrate",
            code=USAGE,
            check="settings",
        )
    _require_right(reader)
    return settings


def load_application() -> ApplicationSettings:
    """Return the settings of the application. Raise UserError with every error in one list."""
    reader = read()
    settings = application(reader)
    _require_right(reader)
    return settings


def nowhere() -> dict[str, str]:
    """Return variables for the import of the application: those of .env that do not name the target, and a URL.

    Some applications make an engine then. No server answers at that URL.
    """
    values = read().values
    driver = values.get("APP_DRIVER")
    url = f"postgresql{f'+{driver}' if driver in DRIVERS else ''}://none:none@127.0.0.1:1/none"
    own = {name: value for name, value in values.items() if not TARGET.fullmatch(name)}
    return own | dict.fromkeys(["DATABASE_URL", "MIGRATION_DATABASE_URL", *application_.read().url_variables], url)


def application_environment(settings: ApplicationSettings) -> dict[str, str]:
    """Return the environment of the application: everything that was read, and its own login in DATABASE_URL."""
    whole = settings.given.render_as_string(hide_password=False)
    return {**settings.values, **dict.fromkeys(["DATABASE_URL", *application_.read().url_variables], whole)}


def _require_right(reader: Reader) -> None:
    if reader.faults:
        of_files = all("_FILE: " in fault for fault in reader.faults)
        raise UserError(
            f"The settings are not right. Read from {reader.source}:{_listing(reader)}",
            do="correct this file" if of_files else "correct .env; .env.example explains every variable",
            code=USAGE,
            check="settings",
        )


def _listing(reader: Reader) -> str:
    return "".join(f"\n    {fault}" for fault in dict.fromkeys(reader.faults))


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


def application(reader: Reader) -> ApplicationSettings:
    """Return the application's settings as far as they can be read. The reader's `faults` say what is wrong."""
    whole = reader.values.get("DATABASE_URL", "") or reader.file("DATABASE_URL")
    app_env, runtime = reader.choice("APP_ENV", ENVIRONMENTS, "production"), reader.choice("RUNTIME", RUNTIMES, "none")
    if whole:
        given = database_url.parse(whole, "DATABASE_URL", reader)
        url = database_url.for_scripts(given)
    else:
        url = _login(reader)
        name = reader.text("APP_DRIVER", "") and reader.choice("APP_DRIVER", DRIVERS, "psycopg2")
        given = url.set(drivername=f"postgresql+{name}" if name else "postgresql")
    return ApplicationSettings(app_env, runtime, url, given, bool(whole), reader.source, dict(reader.values))


def _login(reader: Reader) -> URL:
    # Either of the two is enough: with one missing, a fault is better than the owner's login.
    if not any(reader.values.get(name) for name in (*APPLICATION, f"{APPLICATION[1]}_FILE")):
        return database_url.login(reader)
    if reader.values.get("APP_DB_USER") and reader.values["APP_DB_USER"] == reader.values.get("POSTGRES_USER"):
        reader.faults.append(f"APP_DB_USER is the same as POSTGRES_USER{reader.place('APP_DB_USER')}")
    return database_url.login(reader, APPLICATION)


def _settings(reader: Reader) -> Settings:
    found = application(reader)
    direct = reader.values.get("MIGRATION_DATABASE_URL", "")
    if direct:
        owner = database_url.for_scripts(database_url.parse(direct, "MIGRATION_DATABASE_URL", reader))
    else:
        owner = found.url if found.external else database_url.login(reader)
    return Settings(
        app_env=found.app_env,
        runtime=found.runtime,
        database_url=owner,
        application_url=found.url,
        driver=database_url.driver(found.given),
        external=found.external or bool(direct),
        connect_wait=reader.number("CONNECT_WAIT", 30, float),
        source=found.source,
        in_container="POSTGRES_HOST" in os.environ,
        limits=limits_.read(reader),
        backups=Backups(
            ROOT / Path(reader.text("BACKUP_DIR", "backups")).expanduser(), reader.text("BACKUP_AFTER", "")
        ),
        reports=ROOT / reader.text("REPORT_DIR", "reports"),
        keeps_sources=reader.choice("MIGRATION_SOURCE", ("on", "off"), "on") == "on",
        values=found.values,
    )
