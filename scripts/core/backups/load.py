"""Loading a dump of another program into a new database. It is checked and then swapped in, as in a restore."""

from collections import Counter
from dataclasses import dataclass, replace

from sqlalchemy import text

from scripts.core import messages, overrides
from scripts.core.backups import (
    database_properties,
    dump_contents,
    dump_file,
    inventory,
    load_statements,
    restore,
    restore_into,
)
from scripts.core.backups.database_properties import Properties
from scripts.core.backups.dump_contents import DumpContents
from scripts.core.backups.dump_file import Dump
from scripts.core.backups.restore_into import ONLY_A_TRY
from scripts.core.errors import DatabaseMissingError, UserError
from scripts.core.postgres import client_programs, connections, databases, environments, invalid_indexes, roles
from scripts.core.postgres.own_tables import NUMBERS
from scripts.core.postgres.user_tables import EVERY, RELATIONS
from scripts.core.settings import Settings

_AVAILABLE = text("SELECT name FROM pg_available_extensions")
_TABLES = text(
    "SELECT format('%I.%I', n.nspname, c.relname) AS name, row_security_active(c.oid) AS hidden,"
    f" c.oid = ANY ({NUMBERS}) AS is_ours"
    f" FROM {EVERY} WHERE c.relkind = 'r' ORDER BY 1"
)
_SIZE = text("SELECT pg_database_size(current_database())")
_NUMBER = text(f"SELECT count(*) FROM {RELATIONS} WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition")
# In PostgreSQL 18 a constraint that is not enforced is not valid either. That is its definition.
_NOT_VALID = text(
    f"SELECT format('%I on %s', k.conname, c.oid::regclass) FROM pg_constraint k JOIN {EVERY} ON c.oid = k.conrelid"
    " WHERE NOT k.convalidated AND coalesce(to_jsonb(k)->>'conenforced', 'true') = 'true' ORDER BY 1"
)


@dataclass(frozen=True)
class Loaded:
    """The new database, as a new connection sees it."""

    tables: int
    rows: int
    hidden: list[str]
    """Tables whose rows a policy hides from the role that migrates."""
    invalid_indexes: list[str]
    not_valid: list[str]
    """Constraints that were never checked against the rows."""
    old: str = ""
    """The name of the kept old database, or nothing."""


def require_fitting(target: Settings, dump: Dump) -> DumpContents:
    """Return what the dump contains. Raise UserError if it cannot be loaded on the target's server."""
    with databases.server(target) as server:
        dump_file.require_not_newer(dump, connections.version(server))
        owner = roles.owner(server)
        available = set(server.scalars(_AVAILABLE))
    if owner.superuser and not overrides.accepted("superuser"):
        raise UserError(
            f"{owner.name} is a superuser, and a dump is a program.",
            why="It could read the server's files, and change other databases.",
            do="migrate as an ordinary role: make roles. Override with ACCEPT=superuser.",
        )
    contents = dump_contents.read(dump)
    missing = sorted(set(contents.extensions) - available)
    if missing and not overrides.accepted("extensions"):
        raise UserError(
            f"{dump.name} cannot be loaded: the server lacks the extension {', '.join(missing)}.",
            do="install it there, or use a server that has it: POSTGRES_IMAGE or DATABASE_URL."
            " To load without it: Override with ACCEPT=extensions.",
        )
    return contents


def put_in_place(target: Settings, dump: Dump, contents: DumpContents, environment: str | None) -> Loaded:
    """Load into a new database, check it, and swap it in.

    If that fails, raise UserError and leave the target as it was. After a kill, the target is one of the two databases.
    """
    found, properties = list[Loaded](), _properties(target)

    def fill(into: Settings) -> None:
        made = replace(target, database_url=target.database_url.set(database=into.database_url.database))
        copied = load_statements.run(dump, contents, made, into)
        _finish(made, into, environment, properties)
        found.append(_check(dump, made, copied))

    old = restore.swap_in(target, environment, fill)
    return replace(found[0], old=old)


def _finish(made: Settings, acting: Settings, environment: str | None, properties: Properties | None) -> None:
    """Give the new database what a dump does not have: settings, grants to the application, and statistics.

    Raise UserError if the dump has changed its environment.
    """
    name = databases.name_of(made.database_url)
    with databases.server(acting) as server:
        if environments.all_of(server, name) != ([environment] if environment else []):
            raise UserError("The dump changes the environment of its database.", do="remove that", state=ONLY_A_TRY)
        if properties:
            database_properties.apply(server, name, properties)
    databases.let_application_in(made, made.database_url)
    with connections.connect(acting, isolation_level="AUTOCOMMIT") as connection:
        size = connection.scalar(_SIZE) or 0
        major, tls = connections.version(connection) // 10000, connections.uses_tls(connection)
        vacuumdb = client_programs.find("vacuumdb", major, tls=tls)
        if said := restore_into.analyze(connection, acting, vacuumdb, client_programs.jobs(size)):
            messages.send(f"The planner has no statistics: {client_programs.reason(said)}. To make them: ANALYZE")


def _properties(target: Settings) -> Properties | None:
    """Return the settings and grants of the present database, which the new one gets; None if there is none."""
    try:
        with connections.connect(target) as connection:
            return database_properties.read(connection)
    except DatabaseMissingError:
        return None


def _check(dump: Dump, made: Settings, copied: Counter[str]) -> Loaded:
    """Return what is in the database. Raise UserError if it has fewer rows than the dump."""
    with inventory.snapshot(made, "alembic-restore") as connection:
        tables = connection.execute(_TABLES).all()
        sizes = inventory.measured(connection, [table.name for table in tables if not table.hidden])
        found = Loaded(
            tables=connection.scalar(_NUMBER) or 0,
            rows=sum(sizes[table.name].rows for table in tables if table.name in sizes and not table.is_ours),
            hidden=[table.name for table in tables if table.hidden],
            invalid_indexes=invalid_indexes.invalid(connection),
            not_valid=list(connection.scalars(_NOT_VALID)),
        )
    counted = sum(size.rows for size in sizes.values())
    if counted < copied.total() and not found.hidden:
        raise UserError(
            f"{dump.name} was loaded, but the database has {counted:,} rows, and the dump {copied.total():,}.",
            do="take the dump again",
            state=ONLY_A_TRY,
        )
    return found
