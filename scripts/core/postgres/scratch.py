"""Throwaway databases on the scratch server, never on the server that holds the data.

A database's name carries a number that its maker holds there as an advisory lock. One whose maker is gone is dropped
by whoever comes next; parallel runs leave each other alone.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ProgrammingError

from scripts.core import children, sqlstates
from scripts.core import settings as configuration
from scripts.core.children import Child
from scripts.core.errors import UserError
from scripts.core.postgres import connections, databases, driver, embedded, environments, logins, scratch_databases, sql
from scripts.core.postgres import rights as rights_
from scripts.core.postgres.logins import Login
from scripts.core.postgres.rights import Rights
from scripts.core.postgres.sql import Sql, compose
from scripts.core.settings import Settings

GONE = 2
"""Seconds after which a server that has answered before is not coming back."""


@dataclass
class Scratch:
    """A session on the scratch server, and what was made through it."""

    administrator: Settings
    """Of the server's maintenance database. Only this process knows the password; what users wrote gets `login`."""
    server: Connection
    """The administrator's."""
    key: int
    rights: Rights
    """Of the role that migrates the target, and so of the login."""
    login: Login
    child: Child
    """Runs the user's code."""
    environment: Mapping[str, str]
    """Of the child, without a database."""
    made: list[str] = field(default_factory=list)


@contextmanager
def session(settings: Settings, rights: Rights | None = None) -> Iterator[Scratch]:
    """Connect to the scratch server of this checkout; what is made through it and not kept is dropped at the end.

    What users wrote runs there with the rights of the role that migrates the target; these are looked up there, unless
    they are given. Raises UserError when there is no scratch server, or it does not answer.
    """
    url = _url(settings)
    administrator = replace(
        settings, app_env="development", runtime="none", external=True, database_url=url, application_url=url
    )
    with children.started(_hidden(settings)) as child, _connected(administrator) as server:
        rights = rights or rights_.of(settings)
        key = random.getrandbits(31)
        server.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
        login, environment = logins.ensure(server, rights), configuration.without_target(settings)
        scratch = Scratch(administrator, server, key, rights, login, child, environment)
        scratch_databases.sweep(administrator, server)
        try:
            yield scratch
        finally:
            _drop(scratch)


def create(scratch: Scratch, template: str = "template0", *, bare: bool = False) -> Settings:
    """Make a development database. Return settings whose target it is, with the login of the users' files.

    A `bare` one is as a restore makes it on the target: of the role that migrates, and without grants.
    """
    owner = _owner(scratch, bare)
    name = f"scratch_{scratch.key}_{len(scratch.made)}"
    scratch.made.append(name)
    try:
        with connections.interruptible(driver.session(scratch.server)):
            # Copies files instead of writing every page to the log: ten times as fast where nothing is synced.
            given = "CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy"
            sql.run(scratch.server, compose(given, sql.name(name), owner, sql.name(template)))
    except ProgrammingError as error:
        if sqlstates.of(error) != sqlstates.INSUFFICIENT_PRIVILEGE:
            raise
        raise UserError(
            "The scratch server lets this role make no databases.",
            why=connections.first_line(error),
            do=f"ALTER ROLE {scratch.server.engine.url.username} CREATEDB   (on the scratch server)",
        ) from error
    environments.write(scratch.server, name, "development")
    _grant(scratch, name, template, bare)
    # The server has answered: one that does no more is not starting.
    return _on(scratch, scratch.login.url.set(database=name))


def make_roles(scratch: Scratch, names: Sequence[str]) -> None:
    """Make the roles that the server lacks, without a login or any right; an ordinary role leaves that to others."""
    if scratch.login.is_separate:
        logins.add(scratch.server, names)


def as_administrator(scratch: Scratch, made: Settings) -> Settings:
    """The same database with the administrator's login, for what is ours to do there: restoring, reading, comparing.

    Raises UserError where the roles of the target's database cannot have their names.
    """
    if not scratch.login.is_equal:
        name = scratch.rights.name
        raise UserError(
            f"{name} is a superuser of the scratch server, and migrates the target without being one there.",
            why="A copy of the target would give the revisions more rights than they have there.",
            do="make a superuser of another name on the scratch server; SCRATCH_USER and SCRATCH_PASSWORD name it",
        )
    return _on(scratch, scratch.administrator.database_url.set(database=made.database_url.database))


def _on(scratch: Scratch, url: URL) -> Settings:
    wait = min(GONE, scratch.administrator.connect_wait)
    return replace(scratch.administrator, database_url=url, application_url=url, connect_wait=wait)


def _owner(scratch: Scratch, bare: bool) -> Sql:
    """Of a new database: the target's, where the server has that role."""
    rights, login = scratch.rights, scratch.login
    is_own = bare or rights.owner == rights.name or not login.is_separate or not login.is_equal
    return sql.name(login.role if is_own else rights.owner)


def _grant(scratch: Scratch, name: str, template: str, bare: bool) -> None:
    """What the role may do in the target's database though it does not own it."""
    rights = scratch.rights
    if bare or rights.owner == rights.name or not scratch.login.is_separate:
        return
    role = sql.name(scratch.login.role)
    if rights.makes_schemas:
        sql.run(scratch.server, compose("GRANT CREATE ON DATABASE {} TO {}", sql.name(name), role))
    if rights.makes_tables and template == "template0":
        with connections.connect(_on(scratch, scratch.administrator.database_url.set(database=name))) as connection:
            sql.run(connection, compose("GRANT CREATE ON SCHEMA public TO {}", role))
            connection.commit()


def keep(scratch: Scratch, settings: Settings, name: str) -> None:
    """Rename a database that was made, so that it stays, for the administrator only; of two makers the first one's."""
    made = databases.name_of(settings.database_url)
    sql.run(scratch.server, compose("ALTER DATABASE {} OWNER TO CURRENT_USER", sql.name(made)))
    try:
        databases.rename(scratch.server, made, name)
    except ProgrammingError as error:
        if sqlstates.of(error) != sqlstates.DUPLICATE_DATABASE:
            raise


def _hidden(settings: Settings) -> list[str]:
    """The files with passwords, that of the administrator too."""
    is_embedded = settings.runtime == "embedded" and not configuration.scratch_server(settings)
    own = [str(embedded.scratch().password_file)] if is_embedded else []
    return configuration.secret_files() + own


@contextmanager
def _connected(administrator: Settings) -> Iterator[Connection]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(connections.connect(administrator, isolation_level="AUTOCOMMIT"))
        except UserError as error:
            raise UserError(
                "The scratch server does not answer.",
                why=error.problem,
                do="run the make target, which starts it; or: docker compose up -d --wait scratch",
            ) from error
        yield server


def _url(settings: Settings) -> URL:
    """The administrator's login to the maintenance database of the scratch server."""
    url = configuration.scratch_server(settings)
    if url:
        return url
    if settings.runtime == "embedded":
        return embedded.start_scratch()
    raise UserError(
        "There is no scratch server.",
        why="Throwaway databases are never made on the server that holds the data.",
        do="set RUNTIME in .env, or SCRATCH_HOST and SCRATCH_PORT to a PostgreSQL with nothing in it",
    )


def _drop(scratch: Scratch) -> None:
    """Drop what was made, in a new session: an interruption ends the one that it hits.

    Where the server is gone, whoever comes next does it.
    """
    answering = _on(scratch, scratch.administrator.database_url)
    with suppress(UserError), connections.connect(answering, isolation_level="AUTOCOMMIT") as server:
        for name in scratch.made:
            scratch_databases.drop(answering, server, name)
