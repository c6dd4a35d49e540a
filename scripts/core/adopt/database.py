"""What a database that exists already needs once, before the tools can be used on it. It is only read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from scripts.core.backups import selection, store
from scripts.core.errors import UserError
from scripts.core.formatting import counted, one_line
from scripts.core.models import live_schema
from scripts.core.postgres import connections, databases, environments, roles, scratch, system_identifier
from scripts.core.revisions import history
from scripts.core.settings import Settings


@dataclass(frozen=True)
class Need:
    name: str
    is_done: bool
    line: str
    command: str = ""
    """What fulfils it: a command to type, or what to do first."""

    def __str__(self) -> str:
        command = f"  Do: {self.command}" if self.command else ""
        return f"{'✓' if self.is_done else '✗'} {self.name:<{WIDTH}}  {self.line}{command}"


def needs(target: Settings) -> Iterator[Need]:
    """Yield each need, in the order in which they are fulfilled."""
    for name, find in FINDERS.items():
        try:
            yield Need(name, True, one_line(find(target)))
        except UserError as error:
            problem = error.problem.partition("\n")[0].rstrip(":")
            yield Need(name, False, one_line(problem), one_line(dict(error.facts).get("Do", "")))
        except (CommandError, DBAPIError) as error:
            said = connections.first_line(error) if isinstance(error, DBAPIError) else str(error)
            yield Need(name, False, one_line(said), "make doctor")


def _environment(target: Settings) -> str:
    with connections.connect(target) as connection:
        stored = environments.read(connection)
    environments.effective(target, stored)
    if not stored:
        raise UserError(
            f"The environment is {environments.NOT_SET}.",
            do=f"{environments.command(target, target.app_env)}   (one of {', '.join(environments.STRICTNESS)})",
        )
    return stored


def _scratch_server(target: Settings) -> str:
    """Return where throwaway databases are made. Raise UserError if there cannot be copies of the target's schema."""
    with connections.connect(target) as connection:
        wanted = connections.version(connection) // 10000
    with scratch.session(target) as server:
        found, name = connections.version(server.server) // 10000, connections.describe(server.server)
        if found < wanted:
            raise UserError(
                f"The scratch server is {name}, and the database is of PostgreSQL {wanted}.",
                do="set POSTGRES_IMAGE, or SCRATCH_HOST, to the same or a newer version",
            )
        return f"{name} at {server.server.engine.url.host}:{server.server.engine.url.port}"


def _version(target: Settings) -> str:
    """Return the recorded revision, if the schema of the database is that of its revision files."""
    revisions = history.load()
    with connections.connect(target) as connection:
        at = history.current(connection)
        if not at and databases.is_empty(connection):
            raise UserError("The database has no tables.", do="make migrate")
    history.require_known(revisions, at)
    found = live_schema.nearest(target, revisions)
    if not found.revisions:
        raise UserError("No revision can be compared with the database.", do="make history")
    newest = history.describe(revisions, found.revisions[0])
    if found.differences:
        number = counted(len(found.differences), "difference")
        raise UserError(f"No revision has its schema. The nearest is {newest}, with {number}.", do="make stamp")
    if list(at) not in ([one] for one in found.revisions):
        raise UserError(
            f"Its schema is that of {newest}. The recorded revision is {', '.join(at) or 'base'}.",
            do=f"make stamp REV={found.revisions[0]}",
        )
    pending = history.missing(revisions, at)
    more = f"; {counted(len(pending), 'pending revision')}: make migrate" if pending else ""
    return f"{at[0]} is recorded, and the schema is its own{more}"


def _roles(target: Settings) -> str:
    name = roles.application(target)
    if name is None:
        raise UserError("The application has no role of its own: it could drop tables.", do="make roles")
    with connections.connect(target) as connection:
        found = roles.look(connection, name)
    if not found.exists or found.dangers or found.lacking:
        raise UserError(f"{found}.", do="make roles")
    roles.require_login(target, target.database_url.database)
    return str(found)


def _backup(target: Settings) -> str:
    listing = store.list_all(target.backups.folder)
    name = databases.name_of(target.database_url)
    found = selection.of_database(listing, name, system_identifier.look(target))
    if not found:
        raise UserError(f"There is no backup of {name} on this server.", do="make backup")
    is_verified = found[-1].manifest.last("full")
    return f"{found[-1].name}{'' if is_verified else '; make verify-backup proves it'}"


FINDERS: dict[str, Callable[[Settings], str]] = {
    "environment": _environment,
    "scratch server": _scratch_server,
    "version": _version,
    "roles": _roles,
    "first backup": _backup,
}
WIDTH = max(map(len, FINDERS))
