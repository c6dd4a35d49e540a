"""Connections: opened in one place, with errors that name the fault."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.dialects.postgresql import psycopg2 as psycopg2_dialect
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from scripts.core import place, redaction
from scripts.core.postgres import connection_fault, driver, embedded, server_version, sql
from scripts.core.postgres.driver import Session
from scripts.core.settings import Settings

RETRY_EVERY = 0.25
MORE_LOCKS = "raise max_locks_per_transaction and restart the server (ours: make down; make up), then run this again"
"""What to do when PostgreSQL has no room for another lock."""
_DIALECT: Any = psycopg2_dialect.dialect()  # type: ignore[no-untyped-call]
# See "Environment Variables" in libpq's documentation. Other variables have the name of their parameter.
_VARIABLES = {"dbname": "PGDATABASE", "application_name": "PGAPPNAME", "connect_timeout": "PGCONNECT_TIMEOUT"}


@cache  # The first connection of an engine asks the server for its version.
def engine(url: URL, application_name: str = "alembic-tools", options: str = "", **arguments: Any) -> Engine:
    """Return an engine without a pool, so that connections close at once.

    `options` are libpq's. They come after those of the URL, which may name a search_path.
    """
    defaults = {"connect_timeout": 10, "keepalives_idle": 60}  # some routers forget a connection after some silence
    connect_args: dict[str, Any] = {name: value for name, value in defaults.items() if name not in url.query}
    connect_args |= {
        "application_name": application_name,
        "client_encoding": "utf8",  # a database of SQL_ASCII would have no characters but those of ASCII
        "options": f"{url.query.get('options', '')} {options}".strip(),
    }
    # With hstore, each new connection would ask the server for the number of that type.
    arguments.setdefault("use_native_hstore", False)
    made = create_engine(url, poolclass=NullPool, connect_args=connect_args, hide_parameters=True, **arguments)
    event.listen(made, "before_cursor_execute", _take_percent_signs, retval=True)
    return made


def _take_percent_signs(
    _connection: Connection, _its: object, statement: str, values: Any, context: Any, _many: bool
) -> tuple[str, Any]:
    return for_driver(statement, values, context), values


def for_driver(statement: str, values: Any, context: Any) -> str:
    """Return a statement as psycopg2 needs it. Listeners of a connection get it as the revision wrote it."""
    is_raw = not values and context is not None and context.compiled is None
    return sql.for_psycopg2(statement) if is_raw else statement


@contextmanager
def connect(
    settings: Settings, url: URL | None = None, application_name: str = "alembic-tools", **arguments: Any
) -> Iterator[Connection]:
    """Yield a connection to the target, or to `url` on the target's server.

    Wait `settings.connect_wait` seconds for a server that is starting, but never for a wrong password. Raise UserError
    that names the fault, such as an old server. It is a DatabaseMissingError if only the database is missing.
    """
    ensure_server(settings)
    opened = _opened(engine(url or settings.database_url, application_name, **arguments), settings)
    with opened as connection, noticing_its_end(connection):
        server_version.require(version(connection))
        yield connection


@contextmanager
def noticing_its_end(connection: Connection) -> Iterator[None]:
    """Tell SQLAlchemy if the block fails because the session has ended.

    SQLAlchemy sees no error of `driver.ask`. Its rollback on a closed session would fail and hide the first error.
    """
    try:
        yield
    except BaseException:
        if not connection.invalidated and driver.session(connection).closed:
            connection.invalidate()
        raise


@contextmanager
def cancellable(settings: Settings, **arguments: Any) -> Iterator[Connection]:
    """Yield a connection for long work: an interruption cancels its running statement."""
    with connect(settings, **arguments) as connection, interruptible(driver.session(connection)):
        yield connection


def ensure_server(settings: Settings) -> None:
    """Start the embedded server if this checkout uses one. Elsewhere another program starts the server.

    Raise UserError in a copied checkout, because its .env names the server of the original. This is not checked in a
    container, which has another path and POSTGRES_HOST. Its .env is hidden, but shows again after an editor saves it.
    """
    by_hand = Path(settings.source).is_absolute() and not settings.in_container
    if settings.runtime == "embedded" and not settings.external:
        embedded.start(embedded.target(settings))
    elif settings.runtime == "docker" and not settings.external and by_hand:
        place.check()


def maintenance(settings: Settings) -> URL:
    """Return the URL of the database from which others on the server are created, renamed and dropped."""
    return settings.database_url.set(database="postgres")


def first_line(error: DBAPIError) -> str:
    """Return the message of the server or the driver, without contents of rows and without SQLAlchemy's additions."""
    return redaction.message(error)


def _opened(engine: Engine, settings: Settings) -> Connection:
    deadline = time.monotonic() + settings.connect_wait
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            words = first_line(error)
            if connection_fault.is_pooler(words):
                raise connection_fault.through_pooler() from error
            if time.monotonic() > deadline or not _may_come(engine):
                raise connection_fault.find(engine.url, words, settings, _login) from error
        time.sleep(RETRY_EVERY)


def _may_come(engine: Engine) -> bool:
    """Return whether another attempt may succeed."""
    url = engine.url
    return connection_fault.is_starting(url) or _logs_in(engine) or bool(connection_fault.replaced_by(url, _login))


def _logs_in(engine: Engine) -> bool:
    """Return whether the login is right: the server has come up, or it ended the new session."""
    _, arguments = engine.dialect.create_connect_args(engine.url)
    try:
        psycopg2.connect(**{"connect_timeout": 10, **arguments}).close()
    except psycopg2.OperationalError:
        return False
    return True


def _login(url: URL) -> Connection:
    return engine(url).connect()


def describe(connection: Connection) -> str:
    """Return the server's version for people, as in "PostgreSQL 17.4"."""
    return f"PostgreSQL {version(connection) // 10000}.{version(connection) % 10000}"


def version(connection: Connection) -> int:
    """Return the server's version as PostgreSQL counts: 170004 is 17.4."""
    return driver.session(connection).server_version


def uses_tls(connection: Connection) -> bool:
    return bool(driver.session(connection).info.ssl_in_use)


def verifier(connection: Connection, login: URL) -> str:
    """Return what the server stores instead of a password. Sent instead of it, no statement shows the password."""
    session = driver.session(connection)
    return str(psycopg2.extensions.encrypt_password(str(login.password or ""), login.username, session))


def tool_environment(url: URL) -> dict[str, str]:
    """Return libpq's variables for psql and the like: the password is in the environment, never on a command line."""
    _, parameters = _DIALECT.create_connect_args(url)  # which knows several hosts
    named = {_VARIABLES.get(name) or f"PG{name.replace('_', '')}".upper(): value for name, value in parameters.items()}
    return {name: str(value) for name, value in named.items() if value}


def address(settings: Settings) -> str:
    """Return the server's address from this machine, as host:port. For Compose that is the published port."""
    url = settings.database_url
    if settings.runtime == "docker" and not settings.external:
        port = settings.values.get("DB_PORT")
        return f"127.0.0.1:{port}" if port else f"{url.host} (inside Compose)"
    return connection_fault.place(url)


@contextmanager
def interruptible(session: Session) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGALRM cancel what this session does in the block. Blocks may be nested.

    libpq alone would wait until the statement ends. Python runs its handlers only when libpq returns, but reports the
    signal's number at once: see `signal.set_wakeup_fd`. psycopg2's wait callback would work too, but it forbids COPY.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    heard, signalled = socket.socketpair()
    signalled.setblocking(False)
    over = threading.Event()
    before = signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
    listener = threading.Thread(target=_cancel_when_signalled, args=(session, heard, over, before), daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        over.set()
        signalled.close()
        listener.join()
        heard.close()


def _cancel_when_signalled(session: Session, heard: socket.socket, over: threading.Event, outer: int) -> None:
    while number := heard.recv(1):
        with suppress(OSError):
            os.write(outer, number)
        if number[0] in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            break
    # Repeated, because the first may come before the statement has reached the server.
    while not over.is_set():
        with suppress(psycopg2.Error):
            session.cancel()
        over.wait(0.5)
