"""The URL of the database: from DATABASE_URL in any driver's spelling, or from its parts.

The scripts connect with psycopg2. The application gets the URL with the driver that it uses.
"""

import re

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from scripts.core.variables import Reader

# The names of two settings: a role, and its password.
OWNER = ("POSTGRES_USER", "POSTGRES_PASSWORD")
APPLICATION = ("APP_DB_USER", "APP_DB_PASSWORD")
PORTS = "a number from 1 to 65535"

PSYCOPG2 = "postgresql+psycopg2"
POSTGRESQL = re.compile(r"(?:postgres|postgresql)(\+\w+)?")
SSL = {"true": "require", "1": "require", "false": "disable", "0": "disable"}
RENAMED = {"ssl": "sslmode", "timeout": "connect_timeout"}
"""Options of asyncpg and pg8000, and what libpq calls them."""
OF_OTHER_DRIVERS = {
    "async_fallback",
    "autocommit",
    "command_timeout",
    "max_cacheable_statement_size",
    "max_cached_statement_lifetime",
    "prepare_threshold",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
    "statement_cache_size",
    "tcp_keepalive",
}
"""Options of asyncpg, pg8000 and psycopg that libpq does not know and the scripts do not need."""


def parse(given: str, name: str, reader: Reader) -> URL:
    """Return a whole URL as it was written. The reader gets what is wrong with the variable of this name."""
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
        return URL.create(PSYCOPG2)
    if not POSTGRESQL.fullmatch(url.drivername):
        reader.faults.append(f"{name} is for {url.drivername}{reader.place(name)}: this environment is for PostgreSQL")
        return URL.create(PSYCOPG2)
    if not url.database:
        reader.faults.append(f"{name} names no database{reader.place(name)}")
    reader.require_short(url.database, name, "names a database")
    reader.require_short(url.username, name, "names a role")
    return url


def for_scripts(url: URL) -> URL:
    """Return the same URL for psycopg2, with options that libpq knows."""
    query = {RENAMED.get(name, name): value for name, value in url.query.items() if name not in OF_OTHER_DRIVERS}
    if "ssl" in url.query:
        query["sslmode"] = SSL.get(str(query["sslmode"]).lower(), query["sslmode"])
    # SQLAlchemy hides only the password before the host.
    hidden = query.pop("password", None)
    if isinstance(hidden, str):
        url = url.set(password=hidden)
    return url.set(drivername=PSYCOPG2, query=query)


def driver(url: URL) -> str:
    """Return the driver part of a URL as SQLAlchemy knows it: it does not accept `postgres`."""
    return re.sub(r"^postgres(?=\+|$)", "postgresql", url.drivername)


def login(reader: Reader, names: tuple[str, str] = OWNER) -> URL:
    """Return the URL of the database from its parts, with the role and the password of these settings."""
    return URL.create(
        PSYCOPG2,
        username=reader.name(names[0]),
        password=reader.text(names[1]),
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
