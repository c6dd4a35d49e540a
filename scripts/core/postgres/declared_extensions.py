"""The extensions that `[tool.app]` names: the migrating role creates what it may, and a superuser the rest.

One that is taken off that list stays in the database.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import application, sqlstates
from scripts.core.errors import UserError
from scripts.core.postgres import connections, databases, roles, sql, superuser
from scripts.core.postgres.sql import Sql, compose
from scripts.core.settings import Settings

_THERE = text("SELECT extname FROM pg_extension")
_OFFERED = text("SELECT name FROM pg_available_extensions")
_FOR_SUPERUSERS = text(
    "SELECT EXISTS (SELECT FROM pg_available_extension_versions WHERE name = ANY(:names) AND superuser AND NOT trusted)"
)
NAMED = "[tool.app] in pyproject.toml names it in extensions."


def declared() -> Mapping[str, str]:
    """Return the names of the extensions, and the schema of each or nothing."""
    return application.read().schemas_of_extensions


def ensure(settings: Settings) -> list[str]:
    """Create what the target's database lacks, and return the names.

    Raise UserError if its server does not have one, or if only its administrator may create one.
    """
    made, left = create(settings)
    if left:
        _require_superuser(settings, left)
        with superuser.login(settings) as acting:
            created, left = create(acting)
        made += created
    if left:
        raise UserError(f"Even a superuser may not create the extension {', '.join(left)}.", why=NAMED)
    return made


@contextmanager
def login(settings: Settings) -> Iterator[Settings]:
    """Yield settings of the target with a login that may create the extensions in a new database on its server."""
    needs = False
    if names := [*declared()]:
        with databases.server(settings) as server:
            needs = server.scalar(_FOR_SUPERUSERS, {"names": names}) and not roles.owner(server).superuser
    if needs:
        _require_superuser(settings, names)
    with superuser.login(settings) if needs else nullcontext(settings) as acting:
        yield acting


def create(settings: Settings, database: str | None = None) -> tuple[list[str], list[str]]:
    """Create what a database (default: the target's) lacks. Return what was, and what the login may not create.

    Raise UserError if the server does not have one.
    """
    made, left = list[str](), list[str]()
    if not declared():
        return made, left
    url = settings.database_url.set(database=database) if database else settings.database_url
    with connections.connect(settings, url, isolation_level="AUTOCOMMIT") as connection:
        there = {*connection.scalars(_THERE)}
        missing = [name for name in declared() if name not in there]
        require_offered(connection, settings, missing)
        for name in missing:
            (made if _may_create(connection, name) else left).append(name)
    return made, left


def statement(name: str) -> Sql:
    """Return the statement that creates one."""
    place = compose(" SCHEMA {}", sql.name(declared()[name])) if declared()[name] else Sql()
    return compose("CREATE EXTENSION IF NOT EXISTS {}{} CASCADE", sql.name(name), place)


def _may_create(connection: Connection, name: str) -> bool:
    try:
        if schema := declared()[name]:
            sql.run(connection, compose("CREATE SCHEMA IF NOT EXISTS {}", sql.name(schema)))
        sql.run(connection, statement(name))
    except DBAPIError as error:
        if sqlstates.of(error) == sqlstates.INSUFFICIENT_PRIVILEGE:
            return False
        raise UserError(
            f"The extension {name} was not created: {connections.first_line(error)}",
            why=NAMED,
            do="correct extensions there, or the server's settings if PostgreSQL names one",
        ) from error
    return True


def require_offered(connection: Connection, settings: Settings, names: Iterable[str]) -> None:
    """Raise UserError if the target's server does not have one of these extensions."""
    offered = {*connection.scalars(_OFFERED)}
    if lacking := [name for name in names if name not in offered]:
        server = connections.address(settings)
        raise UserError(
            f"The server {server} does not have the extension {', '.join(lacking)}.",
            why=NAMED,
            do=f"install it on {server}"
            if settings.external
            else "set POSTGRES_IMAGE in .env to an image that has it (RUNTIME=docker); or name a server: DATABASE_URL",
        )


def _require_superuser(settings: Settings, names: Iterable[str]) -> None:
    """Raise UserError with the statements, if this command has no superuser's login to the server."""
    is_handed_over = settings.runtime == "embedded" or settings.values.get(superuser.HANDED_OVER)
    if is_handed_over and not settings.external:
        return
    database = databases.name_of(settings.database_url)
    statements = "".join(f"\n    {statement(one)};" for one in names)
    shell = f"docker compose exec db psql -U postgres -d {shlex.quote(database)}"
    raise UserError(
        f"{settings.database_url.username} may not create the extension {', '.join(names)} in {database}.",
        why=f"{NAMED} Only a superuser may create it.",
        do=f"have an administrator type this into psql, in {database}; then run this again:{statements}"
        if settings.external
        else f"make up; or without make, in {shell}:{statements}",
    )
