"""Settings from the environment and `.env`. Only this module builds a database URL."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TypeVar

from dotenv.parser import parse_stream
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

ENV_FILE = Path(__file__).parents[1] / ".env"
RUNTIMES = ("docker", "embedded", "none")
ENVIRONMENTS = ("development", "test", "staging", "production")
DRIVERS = ("postgres", "postgresql", "postgresql+psycopg2")
# The names of two settings: a role, and its password.
OWNER = ("POSTGRES_USER", "POSTGRES_PASSWORD")
APPLICATION = ("APP_DB_USER", "APP_DB_PASSWORD")

PORTS = "a number from 1 to 65535"
LONGEST_NAME = 63
"""Bytes. PostgreSQL cuts longer names, even in the middle of a character."""

# What python-dotenv, Compose and scripts/env.awk would read differently is a fault, with these words.
ASSIGNMENT = re.compile(r"(?:export[ \t]+)?(?!export\b)[A-Za-z_][A-Za-z0-9_]*[ \t]*=[ \t]*(.*)", re.DOTALL)
QUOTED = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in "'\""}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
DOLLAR = (r"\$", "has a $ outside of single quotes")
TWO_WAYS = "has a backslash that is read in two ways"
IN_QUOTES = {"'": [(r"\\\\", TWO_WAYS)], '"': [(r'^(?:[^\\]|\\[\\"nrt])*\\[^\\"nrt]', TWO_WAYS), DOLLAR]}
PLAIN = [
    (r"^#|\t#", "has a # that may begin a comment: put the value in quotes"),
    DOLLAR,
    (r"[^\S \t]", "has a blank that is no space: put the value in quotes"),
]
LF = b"\n"

T = TypeVar("T")


class SettingsError(Exception):
    """All errors in the settings, in `faults`. `source` says what was read."""

    def __init__(self, faults: list[str], source: str) -> None:
        super().__init__(f"{source}: " + "; ".join(faults))
        self.faults = faults
        self.source = source


@dataclass(frozen=True)
class AppSettings:
    app_env: str
    runtime: str
    """What runs PostgreSQL: docker, embedded, or none (another server)."""
    database_url: URL
    """With the login of the application's role, which owns nothing; with the owner's if only that one is set."""
    external: bool
    """The URL was given as a whole: the server is not this project's, which creates no databases on it."""
    connect_wait: float
    """Seconds to wait for a server that is still starting."""
    publish_interval: float
    """Seconds between two searches for due posts."""
    source: str
    """What was read, for error messages."""


@dataclass
class Reader:
    """Reads typed values by name, and collects what is wrong with them."""

    values: dict[str, str]
    lines: dict[str, int]
    source: str
    faults: list[str] = field(default_factory=list)

    def finish(self) -> None:
        """Raise SettingsError if anything was wrong."""
        if self.faults:
            raise SettingsError(list(dict.fromkeys(self.faults)), self.source)

    def place(self, name: str) -> str:
        return f" (line {self.lines[name]})" if name in self.lines else ""

    def text(self, name: str, default: str | None = None) -> str:
        faults = len(self.faults)
        value = self.values.get(name, "") or self.file(name)
        if value:
            return value
        if default is None and len(self.faults) == faults:
            state = "is empty" if name in self.values else "is missing"
            self.faults.append(f"{name} {state}{self.place(name)}")
        return default or ""

    def file(self, name: str) -> str:
        """Return the content of the file that NAME_FILE names, as Compose secrets need it."""
        path = self.values.get(f"{name}_FILE", "")
        if not path:
            return ""
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            hint = ": make it mode 0444 in a folder of mode 0700" if isinstance(error, PermissionError) else ""
            self.faults.append(f"{name}_FILE: cannot read {path}: {_reason(error)}{hint}")
            return ""

    def name(self, name: str) -> str:
        """Return the name of a database or a role."""
        value = self.text(name)
        self.require_short(value, name)
        return value

    def require_short(self, value: str | None, name: str, what: str = "") -> None:
        size = len((value or "").encode())
        if size > LONGEST_NAME:
            has = f"{what} of {size} bytes" if what else f"has {size} bytes"
            self.faults.append(f"{name} {has}; PostgreSQL takes {LONGEST_NAME}{self.place(name)}")

    def number(self, name: str, default: float, convert: Callable[[str], T], kind: str = "a number") -> T:
        value = self.text(name, str(default))
        try:
            return convert(value)
        except ValueError:
            self.faults.append(f"{name} is {value!r}, not {kind}{self.place(name)}")
            return convert(str(default))

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            self.faults.append(f"{name} is {value!r}, not one of {', '.join(choices)}{self.place(name)}")
        return value


def load(environ: Mapping[str, str] | None = None, env_file: Path = ENV_FILE) -> AppSettings:
    """Return the settings from `environ` (default: that of this process), or else from `env_file`.

    Raise SettingsError with every error that was found.
    """
    reader = read(environ, env_file)
    settings = build(reader)
    reader.finish()
    return settings


def build(reader: Reader) -> AppSettings:
    """Return the settings as far as they can be read. The reader's `faults` say what is wrong."""
    return AppSettings(
        app_env=reader.choice("APP_ENV", ENVIRONMENTS, "production"),
        runtime=reader.choice("RUNTIME", RUNTIMES, "none"),
        database_url=_database_url(reader),
        external=bool(reader.values.get("DATABASE_URL") or reader.values.get("DATABASE_URL_FILE")),
        connect_wait=reader.number("CONNECT_WAIT", 30, float),
        publish_interval=reader.number("PUBLISH_INTERVAL", 5, float),
        source=reader.source,
    )


def read(environ: Mapping[str, str] | None = None, env_file: Path = ENV_FILE) -> Reader:
    """Return a reader of `environ` and `env_file`. An empty variable does not hide the file's value."""
    environ = os.environ if environ is None else environ
    reader = Reader({}, {}, "", [])
    found = env_file.is_file()
    if found:
        reader.source = str(env_file)
        _read_file(env_file, reader)
    elif environ.get("RUNTIME") == "docker":
        reader.source = "the environment, which Compose fills from .env"
    else:
        reader.source = f"the environment (there is no {env_file})"
    for name, value in environ.items():
        if value or name not in reader.values:
            reader.values[name] = value
            reader.lines.pop(name, None)
    return reader


def _read_file(path: Path, reader: Reader) -> None:
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        reader.faults.append(f"cannot read {path}: {_reason(error)}")
        return
    except UnicodeDecodeError as error:
        reader.faults.append(f"line {content[: error.start].count(LF) + 1} is not UTF-8 text")
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if CONTROL.search(line.removesuffix("\r")):
            reader.faults.append(f"line {number} has a control character")
    for binding in parse_stream(StringIO(text, newline="")):
        # The parser counts the blank lines before a binding to it.
        original = binding.original.string
        line_number = binding.original.line + original[: len(original) - len(original.lstrip())].count("\n")
        fault = _fault(original.strip(" \t\r\n")) if binding.key or binding.error else ""
        if fault or binding.error:
            reader.faults.append(f"line {line_number} {fault or 'is not NAME=value'}")
        elif binding.key and binding.value is not None:
            reader.values[binding.key] = binding.value
            reader.lines[binding.key] = line_number


def _fault(statement: str) -> str:
    """Return why Compose or scripts/env.awk would read a line in another way, or nothing."""
    found = ASSIGNMENT.fullmatch(statement)
    if not found:
        return "is not NAME=value"
    value = found[1]
    if value[:1] not in QUOTED:
        value = value.partition(" #")[0].rstrip(" \t")
        return next((fault for pattern, fault in PLAIN if re.search(pattern, value)), "")
    inner = QUOTED[value[0]].match(value)
    if not inner:
        return "opens a quote that is never closed"
    if not re.fullmatch(r"[ \t]*(#.*)?", value[inner.end() :]):
        return "has text after its closing quote"
    if "\r" in inner[1]:
        return "has a control character"
    return next((fault for pattern, fault in IN_QUOTES[value[0]] if re.search(pattern, inner[1])), "")


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return f"{error.strerror}" if isinstance(error, OSError) else "it is not UTF-8 text"


def _database_url(reader: Reader) -> URL:
    given = reader.values.get("DATABASE_URL", "") or reader.file("DATABASE_URL")
    if given:
        return postgresql_url(given, "DATABASE_URL", reader)
    # Either of the two is enough: with one missing, a fault is better than the owner's login.
    if not any(reader.values.get(name) for name in (*APPLICATION, f"{APPLICATION[1]}_FILE")):
        return login_url(reader)
    if reader.values.get("APP_DB_USER") and reader.values["APP_DB_USER"] == reader.values.get("POSTGRES_USER"):
        reader.faults.append(f"APP_DB_USER is the same as POSTGRES_USER{reader.place('APP_DB_USER')}")
    return login_url(reader, APPLICATION)


def login_url(reader: Reader, login: tuple[str, str] = OWNER) -> URL:
    """Return the URL of the database from its parts, with the role and the password of these settings."""
    return URL.create(
        "postgresql+psycopg2",
        username=reader.name(login[0]),
        password=reader.text(login[1]),
        host=reader.text("POSTGRES_HOST", "127.0.0.1"),
        port=reader.number("POSTGRES_PORT", reader.number("DB_PORT", 5432, port, PORTS), port, PORTS),
        database=reader.name("POSTGRES_DB"),
    )


def port(value: str) -> int:
    """Return the number of a port. Raise ValueError if there is no such port."""
    number = int(value)
    if not 0 < number < 65536:
        raise ValueError
    return number


def postgresql_url(given: str, name: str, reader: Reader) -> URL:
    """Return a whole URL with its driver, because SQLAlchemy 2.1 reads a bare postgresql:// as psycopg 3."""
    nothing = URL.create("postgresql+psycopg2")
    try:
        url = make_url(given)
        # An @ in a password ends it, and the rest of the password would be the host that errors name.
        if "@" in (url.host or ""):
            raise ValueError
    except (ArgumentError, ValueError):
        reader.faults.append(
            f"{name} is not a URL{reader.place(name)}: write %40 for @, %2F for / and %23 for #"
            " in a password, or give POSTGRES_HOST, POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB instead"
        )
        return nothing
    if url.drivername not in DRIVERS:
        reader.faults.append(f"{name} is for {url.drivername}{reader.place(name)}: this environment is for PostgreSQL")
        return nothing
    if not url.database:
        reader.faults.append(f"{name} names no database{reader.place(name)}")
    reader.require_short(url.database, name, "names a database")
    reader.require_short(url.username, name, "names a role")
    hidden = url.query.get("password")
    if isinstance(hidden, str):
        # SQLAlchemy hides the password of the first part only.
        url = url.set(password=hidden).difference_update_query(["password"])
    return url.set(drivername="postgresql+psycopg2")
