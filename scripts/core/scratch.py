"""Throwaway databases on the scratch server, never on the server that holds the data.

A database's name carries a number that its maker holds there as an advisory lock. One whose maker is gone is dropped
by whoever comes next; parallel runs leave each other alone.
"""

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ProgrammingError

from scripts.core import databases, embedded, postgres
from scripts.core import settings as configuration
from scripts.core.errors import UserError
from scripts.core.settings import Settings

GONE = 2
"""Seconds after which a server that has answered before is not coming back."""
# With what a restore makes beside one of them.
_LEFT = text("SELECT datname FROM pg_database WHERE datname ~ '^scratch_[0-9]+_[0-9]+(__.*)?$'")


@dataclass
class Scratch:
    """A session on the scratch server, and what was made through it."""

    settings: Settings
    server: Connection
    key: int
    made: list[str] = field(default_factory=list)


@contextmanager
def session(settings: Settings) -> Iterator[Scratch]:
    """Connect to the scratch server of this checkout; what is made through it and not kept is dropped at the end.

    Raises UserError when there is no scratch server, or it does not answer.
    """
    url = _url(settings)
    # One role is enough there: the application never comes.
    ours = replace(
        settings, app_env="development", runtime="none", external=True, database_url=url, application_url=url
    )
    with _connected(ours) as server:
        scratch = Scratch(ours, server, random.getrandbits(31))
        server.execute(text("SELECT pg_advisory_lock(:key)"), {"key": scratch.key})
        _sweep(server)
        try:
            yield scratch
        finally:
            _drop(scratch)


def create(scratch: Scratch, template: str = "template0") -> Settings:
    """Make a database, marked development; returns settings whose target it is."""
    name = f"scratch_{scratch.key}_{len(scratch.made)}"
    scratch.made.append(name)
    try:
        with postgres.interruptible(scratch.server.connection.dbapi_connection):
            # Copies files instead of writing every page to the log: ten times as fast where nothing is synced.
            scratch.server.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != databases.NOT_ALLOWED:
            raise
        raise UserError(
            "The scratch server lets this role make no databases.",
            why=postgres.first_line(error),
            do=f"ALTER ROLE {scratch.settings.database_url.username} CREATEDB   (on the scratch server)",
        ) from error
    databases.set_mark(scratch.server, name, "development")
    url = scratch.settings.database_url.set(database=name)
    # The server has answered: one that does no more is not starting.
    return replace(scratch.settings, database_url=url, connect_wait=min(GONE, scratch.settings.connect_wait))


def keep(scratch: Scratch, settings: Settings, name: str) -> None:
    """Rename a database that was made, so that it stays; of two makers the first one's stays."""
    try:
        scratch.server.exec_driver_sql(f"ALTER DATABASE {settings.database_url.database} RENAME TO {name}")
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != "42P04":
            raise


def failed(error: UserError) -> UserError:
    """The error of a revision that was tried on a throwaway database, whose state is nobody's business."""
    facts = dict(error.facts)
    state = "it failed on a throwaway database; the target was only read."
    return UserError(error.problem, why=facts.get("Why", ""), do=facts.get("Do", ""), state=state)


@contextmanager
def only(settings: Settings, statement_timeout: float | None = None) -> Iterator[None]:
    """Whoever reads the environment meanwhile finds this database: a revision that opens a connection of its own must
    not reach the target. A statement may take `statement_timeout` seconds; None: as long as a plan.
    """
    url = settings.database_url
    whole = url.set(drivername="postgresql").render_as_string(hide_password=False)
    names = {
        "DATABASE_URL": whole,
        "MIGRATION_DATABASE_URL": whole,
        "POSTGRES_HOST": str(url.host),
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": str(url.username),
        "POSTGRES_PASSWORD": str(url.password),
        "POSTGRES_DB": str(url.database),
        "STATEMENT_TIMEOUT": str(statement_timeout or configuration.limits().plan_deadline),
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _connected(ours: Settings) -> Iterator[Connection]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres.connect(ours, isolation_level="AUTOCOMMIT"))
        except UserError as error:
            raise UserError(
                "The scratch server does not answer.",
                why=error.problem,
                do="run the make target, which starts it; or: docker compose up -d --wait scratch",
            ) from error
        yield server


def _url(settings: Settings) -> URL:
    """The maintenance database of the scratch server."""
    url = configuration.scratch_server(settings)
    if url.host:
        return url
    if settings.runtime == "embedded":
        cluster = replace(embedded.scratch(settings), user=str(url.username), password=str(url.password))
        return url.set(host="127.0.0.1", port=embedded.start(cluster))
    raise UserError(
        "There is no scratch server.",
        why="Throwaway databases are never made on the server that holds the data.",
        do="set RUNTIME in .env, or SCRATCH_HOST and SCRATCH_PORT to a PostgreSQL with nothing in it",
    )


def _drop(scratch: Scratch) -> None:
    """Drop what was made, in a new session: an interruption ends the one that it hits.

    Where the server is gone, whoever comes next does it.
    """
    answering = replace(scratch.settings, connect_wait=min(GONE, scratch.settings.connect_wait))
    with suppress(UserError), postgres.connect(answering, isolation_level="AUTOCOMMIT") as server:
        for name in scratch.made:
            databases.drop(server, name)


def _sweep(server: Connection) -> None:
    """Drop what a killed maker left."""
    for name in server.scalars(_LEFT).all():
        key = {"key": int(name.split("_")[1])}
        if server.scalar(text("SELECT pg_try_advisory_lock(:key)"), key):
            databases.drop(server, name)
            server.execute(text("SELECT pg_advisory_unlock(:key)"), key)
