"""A new database that replaces the target: it is filled and checked first, and then swapped in by one step."""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from scripts.core.errors import UserError
from scripts.core.postgres import database_names, databases, replacement_lock, sql
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.postgres.user_tables import not_reserved
from scripts.core.settings import Settings

# An owner that is no superuser may end the sessions of the roles that it is a member of.
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = ANY(:names) AND pg_has_role(usesysid, 'USAGE')"
)
_IN_THE_WAY = text(
    "SELECT 'pid ' || pid || ', ' || usename || ', ' || application_name FROM pg_stat_activity"
    " WHERE datname = :name AND NOT pg_has_role(usesysid, 'USAGE')"
)
_TABLESPACE = text(
    "SELECT quote_ident(spcname) FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace"
    f" WHERE datname = :name AND {not_reserved('spcname')} AND has_tablespace_privilege(t.oid, 'CREATE')"
)
PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
"""pg_database.datlocprovider, in the words of CREATE DATABASE."""


@dataclass(frozen=True)
class Replacement:
    """A database that can be put into the target's place."""

    url: URL
    session: Connection
    """The one that has the lock and created the database. Only it renames: while it lives, the server has not restarted
    and forgotten a commit that it had not yet written, such as the environment.
    """


@contextmanager
def new(settings: Settings, environment: str | None, owner: str | None = None) -> Iterator[Replacement]:
    """Yield a new, empty database of an `environment` (None: not set). At the end, drop it unless it was swapped in.

    It sorts and compares text as the target does. What an interrupted run left is dropped first. If `owner` is not
    the connected role, a run with fewer rights can drop it too. Raise UserError if another run does the same.
    """
    name = databases.name_of(settings.database_url)
    # A name of its own: a killed run may still work on the server, and must not find the next run's database.
    made = f"{_prefix(name)}{random.getrandbits(32):08x}"
    with databases.server(settings) as connection:
        replacement_lock.take(connection, name)
        for left in [_old(name), *_unfinished(connection, name)]:
            databases.drop_leftover(connection, left, environment)
        databases.create(connection, made, settings, environment, _like(connection, name, owner))
        try:
            yield Replacement(settings.database_url.set(database=made), connection)
        finally:
            if not connection.invalidated:
                with suppress(DBAPIError):  # the server has stopped: the next run drops it
                    databases.drop(connection, made)


def left(connection: Connection, name: str) -> list[str]:
    """Return the databases that an interrupted run left for this one. Return none while a run may still use them.

    `connection` is to the maintenance database, on which a run holds its lock.
    """
    if not replacement_lock.is_taken(connection, name):
        return []
    found = _unfinished(connection, name)
    replacement_lock.free(connection, name)
    return found


def replace(settings: Settings, new: Replacement) -> None:
    """Replace the target by another database and drop the old one."""
    old = _old(databases.name_of(settings.database_url))
    swap(settings, new.session, databases.name_of(new.url), old)
    databases.drop(new.session, old)


def swap(settings: Settings, session: Connection, new: str, old_name: str) -> None:
    """Replace the target by another database, and rename the old one, if there is one, to `old_name`.

    Both renames are one transaction, so one of the two has the name at any moment. While the first rename waits for
    old sessions to end, it keeps new ones out, and a second connection can end them. Raise UserError for a session that
    this role may not end.
    """
    name = databases.name_of(settings.database_url)
    with _disconnecting(settings, name, new):
        try:
            with _transaction(session):
                if databases.exists(session, name):
                    databases.rename(session, name, old_name)
                databases.rename(session, new, name)
        except OperationalError:
            if not session.invalidated:
                _require_closed(session, name)
            raise


@contextmanager
def _transaction(session: Connection) -> Iterator[None]:
    """Make one transaction of a block. The session is in autocommit."""
    sql.run(session, Sql("BEGIN"))
    try:
        yield
        sql.run(session, Sql("COMMIT"))
    except BaseException:
        if not session.invalidated:
            sql.run(session, Sql("ROLLBACK"))
        raise


def _require_closed(session: Connection, name: str) -> None:
    """Raise UserError when sessions that this role may not end use the database."""
    found = session.scalars(_IN_THE_WAY, {"name": name}).all()
    if found:
        raise UserError(
            f"{name} is used by sessions that this command may not end: {'; '.join(found)}.",
            why="An owner that is no superuser may only end its own sessions and the application's.",
            do="close those sessions, then run this again",
            state=f"{name} is as it was.",
        )


def _like(connection: Connection, name: str, owner: str | None) -> Sql:
    """Return the options of a new database: the owner, and those of the other database if it exists."""
    return compose("{} {}", compose("OWNER {}", sql.name(owner)) if owner else Sql(), _order(connection, name))


def _order(connection: Connection, name: str) -> Sql:
    """Return the options with the encoding, sort order and tablespace of another database; none if it does not exist.

    The columns of pg_database have other names in other versions.
    """
    row = connection.scalar(text("SELECT to_jsonb(d) FROM pg_database d WHERE datname = :name"), {"name": name})
    if not row:
        return Sql()
    provider = PROVIDERS[row["datlocprovider"]]
    options = {
        "ENCODING": connection.scalar(text("SELECT pg_encoding_to_char(:id)"), {"id": row["encoding"]}),
        "LOCALE_PROVIDER": provider,
        "LC_COLLATE": row["datcollate"],
        "LC_CTYPE": row["datctype"],
    }
    space = connection.scalar(_TABLESPACE, {"name": name})
    if provider != "libc":
        options[f"{provider}_LOCALE"] = row.get("datlocale") or row["daticulocale"]
    said = [compose("{} {}", Sql(option), sql.value(value)) for option, value in options.items()]
    said += [compose("TABLESPACE {}", spelled(space))] if space else []
    return compose(" ".join(["{}"] * len(said)), *said)


@contextmanager
def _disconnecting(settings: Settings, *names: str) -> Iterator[None]:
    """End every session on these databases, repeatedly, while the block runs."""
    over = Event()

    def end_sessions() -> None:
        # Where the server is gone, the block says so.
        with suppress(DBAPIError, UserError), databases.server(settings) as connection:
            while not over.wait(0.05):
                connection.execute(_END, {"names": list(names)})

    ender = Thread(target=end_sessions, daemon=True)
    ender.start()
    try:
        yield
    finally:
        over.set()
        ender.join()


def _unfinished(connection: Connection, name: str) -> list[str]:
    query = text(
        "SELECT datname FROM pg_database WHERE starts_with(datname, :prefix)"
        " AND substr(datname, length(:prefix) + 1) ~ '^[0-9a-f]{8}$'"
    )
    return list(connection.scalars(query, {"prefix": _prefix(name)}))


def _prefix(name: str) -> str:
    return f"{databases.temporary(name)}_"


def _old(name: str) -> str:
    return database_names.derived(name, database_names.REPLACED)
