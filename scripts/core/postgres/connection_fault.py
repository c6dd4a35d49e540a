"""Find out why a connection failed.

The driver has no SQLSTATE for a failed connection, and the server's messages may be in any language.
"""

import socket
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from scripts.core import sqlstates
from scripts.core.errors import DatabaseMissingError, PasswordError, UserError
from scripts.core.postgres import client_programs, replacement_lock
from scripts.core.settings import Settings

Connect = Callable[[URL], AbstractContextManager[Connection]]

LOGINS = {"POSTGRES_USER": "POSTGRES_PASSWORD", "APP_DB_USER": "APP_DB_PASSWORD"}
"""The settings of roles and of their passwords."""
_PROTOCOL = 3 << 16
_EXISTS = text("SELECT count(*) FROM pg_database WHERE datname = :name")


def find(url: URL, words: str, settings: Settings, login: Connect) -> UserError:
    """Return the error for a failed connection. `words` is the driver's message, `login` opens a connection."""
    server, external = place(url), settings.external
    if not _is_known(url):
        return UserError(
            f"The host {url.host} is unknown.",
            why="" if external else "This name exists only while the db service of Compose runs.",
            do="correct DATABASE_URL" if external else "make up",
            check="server",
        )
    if is_starting(url):
        return UserError(
            f"No PostgreSQL answered at {server} within {settings.connect_wait:g} s.",
            why=words,
            do="correct DATABASE_URL, or start that server" if external else "make up   (make logs shows why)",
            check="server",
        )
    if _refuses_password(url, login):
        return PasswordError(
            f"{server} refuses the password of user {url.username}.",
            why=f"The password comes from {_password_source(url, settings)}."
            + ("" if external else " PostgreSQL set its password when its data directory was created."),
            do="set the right password in DATABASE_URL" if external else _password_cure(url, settings),
        )
    if who := replaced_by(url, login):
        return replacement_lock.error(_database(url), who)
    if _lacks_database(url, login):
        return DatabaseMissingError(
            f"{server} has no database {url.database}.",
            do="correct DATABASE_URL, or create the database" if external else "make migrate   (creates it)",
        )
    return UserError(
        f"Cannot connect to {url.database} at {server}: {words}",
        do="correct DATABASE_URL, or let that server and the network answer" if external else "make ps; make logs c=db",
        state="see: make status",
    )


def is_pooler(words: str) -> bool:
    """Return whether a pooler has rejected the connection: PostgreSQL knows `options`, and the scripts send them."""
    return "unsupported startup parameter" in words


def through_pooler() -> UserError:
    """Return the error for a connection to a pooler. In transaction mode each statement gets another session."""
    return UserError(
        "This connection goes through a pooler such as PgBouncer.",
        why="Through a pooler, locks and settings stay in sessions that other programs use.",
        do="set MIGRATION_DATABASE_URL in .env to the server itself",
        check="pooler",
    )


def is_starting(url: URL) -> bool:
    """Return whether the server is not ready: none answers, or it accepts no connections yet.

    If only libpq can find the server, by a service file or its default socket, it counts as ready.
    """
    host = url.host or url.query.get("host")
    if not isinstance(host, str) or not _is_known(url):
        return False
    try:
        return _answer(host, url.port or 5432) in (None, sqlstates.CANNOT_CONNECT_NOW)
    except OSError:
        return True


def replaced_by(url: URL, login: Connect) -> str | None:
    """Return who is replacing this database with another, or None."""
    try:
        with login(url.set(database="postgres")) as connection:
            return replacement_lock.holder(connection, _database(url))
    except OperationalError:
        return None


def place(url: URL) -> str:
    """Return the name of a URL's server for messages."""
    if not url.host and url.query.get("service"):
        return f"service {url.query['service']}"
    hosts = url.host or url.query.get("host") or "/"
    if isinstance(hosts, tuple):
        return ", ".join(hosts)
    return f"{'the local socket' if hosts.startswith('/') else hosts}:{url.port or 5432}"


def _database(url: URL) -> str:
    """Return the name of the database. If the URL has none, libpq uses the user's name."""
    return str(url.database or url.username)


def _is_known(url: URL) -> bool:
    try:
        return not url.host or bool(socket.getaddrinfo(url.host, url.port))
    except (socket.gaierror, UnicodeError):
        return False


def _answer(host: str, port: int) -> str | None:
    """Return the SQLSTATE with which the server rejects a session before it asks for a password.

    Return nothing if it does not reject it, and None if it closes at once, as a published port's forwarder does. See
    "Message Formats" in PostgreSQL's documentation.
    """
    names = b"user\0alembic-tools\0database\0postgres\0\0"
    with _opened(host, port) as server:
        server.settimeout(5)
        server.sendall(struct.pack("!ii", len(names) + 8, _PROTOCOL) + names)
        with server.makefile("rb") as answer:
            kind = answer.read(1)
            if kind != b"E":
                return "" if kind else None
            (length,) = struct.unpack("!i", answer.read(4))
            fields = answer.read(length - 4).split(b"\0")
    return next((field[1:].decode() for field in fields if field.startswith(b"C")), "")


def _opened(host: str, port: int) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, port), timeout=5)
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(str(Path(host) / f".s.PGSQL.{port}"))
    except OSError:
        server.close()
        raise
    return server


def _refuses_password(url: URL, login: Connect) -> bool:
    """Return whether the password is wrong. If it comes from a file, libpq's message then names that file.

    That line is libpq's own, and depends on the SQLSTATE. See "The Password File" in its documentation.
    """
    with client_programs.passfile(url) as environment:
        file = environment.get("PGPASSFILE")
        if not file:
            return False
        again = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
        try:
            with login(again.set(query={**url.query, "passfile": file, "password": ""})):
                return False
        except OperationalError as error:
            return file in str(error.orig)


def _lacks_database(url: URL, login: Connect) -> bool:
    """Return whether another database of the server accepts the same login and lists no database of this name."""
    for other in ("postgres", "template1"):
        try:
            with login(url.set(database=other)) as connection:
                return not connection.scalar(_EXISTS, {"name": _database(url)})
        except OperationalError:
            continue
    return False


def _password_source(url: URL, settings: Settings) -> str:
    """Return the file or the setting that the password of this login comes from."""
    values, names = settings.values, LOGINS
    name = (
        "DATABASE_URL"
        if settings.external
        else next((names[user] for user in names if values.get(user) == url.username), "")
    )
    return settings.source if values.get(name) else values.get(f"{name}_FILE") or settings.source


def _password_cure(url: URL, settings: Settings) -> str:
    source = _password_source(url, settings)
    old = f"restore the old password in {'.env' if source == settings.source else source}"
    return old if settings.runtime == "none" else f"{old}, or set the new one on the server: make roles"
