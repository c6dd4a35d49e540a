"""A session as the driver sees it, below SQLAlchemy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg2
from psycopg2.extensions import (
    STATUS_BEGIN,
    TRANSACTION_STATUS_IDLE,
    TRANSACTION_STATUS_INERROR,
    TRANSACTION_STATUS_INTRANS,
)
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError


class Session(Protocol):
    """The part of psycopg2's connection that is used here. psycopg2 has no types."""

    autocommit: bool
    closed: int
    deferrable: bool | None
    encoding: str
    info: Any
    isolation_level: int | None
    readonly: bool | None
    server_version: int
    status: int

    def cancel(self) -> None: ...
    def commit(self) -> None: ...
    def cursor(self) -> Any: ...
    def set_client_encoding(self, encoding: str) -> None: ...


def session(connection: Connection) -> Session:
    """Return the session of a SQLAlchemy connection."""
    found: Any = connection.connection.dbapi_connection
    assert found is not None
    return found  # type: ignore[no-any-return]


def is_idle(session: Session) -> bool:
    """Return whether no transaction is open on the server."""
    return bool(session.info.transaction_status == TRANSACTION_STATUS_IDLE)


def in_transaction(session: Session) -> bool:
    """Return whether a transaction is open on the server that accepts statements."""
    return bool(session.info.transaction_status == TRANSACTION_STATUS_INTRANS)


def has_failed(session: Session) -> bool:
    """Return whether a statement has failed, so that the transaction accepts no more statements."""
    return bool(session.info.transaction_status == TRANSACTION_STATUS_INERROR)


def is_alone(session: Session) -> bool:
    """Return whether the next statement will commit by itself."""
    # The second case: SQL has ended the transaction. The driver does not know that, and does not begin the next one.
    return bool(session.autocommit) or (session.status == STATUS_BEGIN and is_idle(session))


def rows(session: Session, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Execute a text without SQLAlchemy. Return the rows of its last statement. With values, the driver reads %."""
    try:
        with session.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []
    except psycopg2.Error as error:
        raise OperationalError(sql, None, error, connection_invalidated=bool(session.closed)) from error


def execute(session: Session, sql: str, parameters: Any, *, many: bool) -> None:
    """Execute a text as SQLAlchemy would. Its result is left out."""
    try:
        with session.cursor() as cursor:
            (cursor.executemany if many else cursor.execute)(sql, parameters)
    except psycopg2.Error as error:
        raise OperationalError(sql, None, error, connection_invalidated=bool(session.closed)) from error


def send(session: Session, sql: bytes) -> None:
    """Execute the bytes of a statement, in the session's encoding. Its result is left out."""
    try:
        with session.cursor() as cursor:
            cursor.execute(sql)
    except psycopg2.Error as error:
        raise OperationalError(None, None, error, connection_invalidated=bool(session.closed)) from error


def copy_in(session: Session, sql: bytes, pieces: Iterator[bytes]) -> int:
    """Execute a COPY ... FROM stdin with these data. Return the number of rows."""
    try:
        with session.cursor() as cursor:
            cursor.copy_expert(sql, _Input(pieces))
            return int(cursor.rowcount)
    except psycopg2.Error as error:
        raise OperationalError(None, None, error, connection_invalidated=bool(session.closed)) from error


class _Input:
    """The data of a COPY as a file. It returns what it has, whatever size the driver asks for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int) -> bytes:
        return next(self._pieces, b"")


def ask(session: Session, sql: str, *values: object) -> str | None:
    """Execute a text without SQLAlchemy. Return the value of its last statement, if it has one."""
    found = rows(session, sql, *values)
    return str(found[0][0]) if found and found[0][0] is not None else None


@contextmanager
def noticing(opened: Callable[[], None]) -> Iterator[None]:
    """Call `opened` for every session that is opened in the block, with or without SQLAlchemy."""
    original = psycopg2.connect

    def connect(*arguments: Any, **named: Any) -> Any:
        opened()
        return original(*arguments, **named)

    psycopg2.connect = connect
    try:
        yield
    finally:
        psycopg2.connect = original
