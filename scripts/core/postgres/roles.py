"""The two roles of a project: the owner, which migrates, and the application's, which reads and writes rows."""

from dataclasses import dataclass, field

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import sqlstates
from scripts.core.errors import PasswordError, UserError
from scripts.core.postgres import connections, embedded, privileges, sql
from scripts.core.postgres.cluster_roles import DUE
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.postgres.user_tables import SCHEMA
from scripts.core.settings import Settings

_BY_PSQL = "\\password "
_NAMES = text("SELECT set_config('roles.owner', :owner, false), set_config('roles.application', :application, false)")
# BOOTSTRAP_SUPERUSERID, in PostgreSQL's pg_authid.dat, is 10.
_OWNER = text("SELECT rolname, rolsuper, rolcreatedb, oid = 10 AS bootstrap FROM pg_roles WHERE rolname = current_user")
# A table can be dropped by its owner, its schema's owner or the database's, which owns public, and by their members.
_DANGERS = text(f"""
    WITH role AS (SELECT * FROM pg_roles WHERE rolname = :name),
    schemas AS (SELECT n.* FROM pg_namespace n WHERE {SCHEMA})
    SELECT 'is a superuser' AS danger FROM role WHERE rolsuper
    UNION ALL SELECT CASE WHEN datdba = oid THEN 'owns' ELSE 'is a member of the owner of' END || ' the database'
        FROM role, (SELECT datdba FROM pg_database WHERE datname = current_database()) database
        WHERE NOT rolsuper AND pg_has_role(oid, datdba, 'MEMBER')
    UNION ALL SELECT 'may drop ' || min(c.oid::regclass::text) || CASE count(*) WHEN 1 THEN '' ELSE ' and others' END
        FROM role r, pg_class c JOIN schemas n ON n.oid = relnamespace
        WHERE NOT rolsuper AND relkind IN ('r', 'p') AND pg_has_role(r.oid, relowner, 'MEMBER') HAVING count(*) > 0
    UNION ALL SELECT 'may create tables in ' || string_agg(quote_ident(nspname), ', ')
        FROM role r, schemas n WHERE NOT rolsuper AND has_schema_privilege(r.oid, n.oid, 'CREATE') HAVING count(*) > 0
    UNION ALL SELECT 'may create schemas' FROM role
        WHERE NOT rolsuper AND has_database_privilege(oid, current_database(), 'CREATE')
""")


@dataclass(frozen=True)
class Owner:
    name: str
    superuser: bool
    creates_databases: bool
    bootstrap: bool
    """The superuser that the server was created with. PostgreSQL allows no change of it."""

    def __str__(self) -> str:
        databases = "may create databases" if self.creates_databases else "may not create databases"
        return f"{self.name}: {databases}, {'superuser' if self.superuser else 'no superuser'}"


@dataclass(frozen=True)
class Application:
    name: str
    exists: bool
    dangers: list[str]
    """Why it could drop tables, as texts."""
    lacking: list[str] = field(default_factory=list)
    """What it may not do, as texts."""

    @property
    def faults(self) -> list[tuple[str, str]]:
        """Return what is wrong, and what `make roles` does about it."""
        could, lacks = ", ".join(self.dangers), ", ".join(self.lacking)
        faults = [
            (could, f"The application could drop tables: it {could}.", "Correct it"),
            (lacks, f"The application may not {lacks}.", "To grant its usual rights"),
            (not self.exists, f"The application cannot log in: there is no role {self.name}.", "Create it"),
        ]
        return [(fault, what) for is_there, fault, what in faults if is_there]

    def __str__(self) -> str:
        if not self.exists:
            return f"{self.name}: no such role on this server"
        if self.dangers:
            return f"{self.name}: could drop tables"
        lacking = f"may not {', '.join(self.lacking)}" if self.lacking else ""
        return f"{self.name}: {lacking or 'reads and writes rows'}"


def application(settings: Settings) -> str | None:
    """Return the name of the application's role, or None if it connects as the owner."""
    name = settings.application_url.username
    return None if name == settings.database_url.username else name


def owner(connection: Connection) -> Owner:
    """Return the connected role."""
    row = connection.execute(_OWNER).one()
    return Owner(row.rolname, row.rolsuper, row.rolcreatedb, row.bootstrap)


def look(connection: Connection, name: str) -> Application:
    """Return what the application's role could do to the connected database."""
    dangers = list(connection.scalars(_DANGERS, {"name": name}))
    return Application(name, _exists(connection, name), dangers, privileges.lacking(connection, name))


def require(connection: Connection, name: str) -> None:
    """Raise UserError if the server has no such role."""
    if not _exists(connection, name):
        raise UserError(
            f"The server has no role {name}, which .env names as the application's.",
            do="make roles",
            check="roles",
        )


def _exists(connection: Connection, name: str) -> bool:
    return bool(connection.scalar(text("SELECT true FROM pg_roles WHERE rolname = :name"), {"name": name}))


def ensure(settings: Settings) -> None:
    """Create or repair both roles: on the embedded server as its superuser, elsewhere with the owner's rights.

    If these are too few, raise UserError with what an administrator has to run.
    """
    if settings.runtime == "embedded" and not settings.external:
        embedded.make_roles(embedded.target(settings))
        return
    url = settings.database_url if settings.external else connections.maintenance(settings)
    with connections.connect(settings, url) as connection:
        statements = _due(connection, settings)
        try:
            for statement in statements:
                sql.run(connection, _runnable(connection, settings, statement))
        except DBAPIError as error:
            if sqlstates.of(error) != sqlstates.INSUFFICIENT_PRIVILEGE:
                raise
            raise _too_few_rights(settings, statements, error) from error
        connection.commit()


def _due(connection: Connection, settings: Settings) -> list[str]:
    r"""Return the SQL that is still to be run, as an administrator types it into psql. \password sets a password."""
    name = str(application(settings))
    connection.execute(_NAMES, {"owner": settings.database_url.username, "application": name})
    statements = list(connection.execute(text(DUE.read_text())).scalars())
    if not _exists(connection, name) or not _logs_in(settings):
        statements.append(f"{_BY_PSQL}{sql.name(name)}")
    return statements


def _logs_in(settings: Settings) -> bool:
    """Return whether the owner's server accepts the application's password."""
    login = settings.application_url
    try:
        with connections.connect(settings, settings.database_url.set(username=login.username, password=login.password)):
            return True
    except PasswordError:
        return False
    except UserError:
        # The role may not be allowed to log in yet, or not to this database, or not from here.
        return True


def require_login(settings: Settings, database: str | None) -> None:
    """Raise UserError unless the application can log in to this database."""
    try:
        with connections.connect(settings, settings.application_url.set(database=database)):
            pass
    except UserError as error:
        raise UserError(
            f"The application cannot log in: {error.problem}",
            why="" if isinstance(error, PasswordError) else "pg_hba.conf or a missing CONNECT privilege may refuse it.",
            do="correct pg_hba.conf, the privilege or the password, then run this again",
            state="the role has its privileges.",
        ) from error


def _runnable(connection: Connection, settings: Settings, statement: str) -> Sql:
    r"""Return the SQL for the server. For \password it has a verifier, as in psql, because a log may have the SQL."""
    if statement.startswith(_BY_PSQL):
        verifier = sql.value(connections.verifier(connection, settings.application_url))
        return compose("ALTER ROLE {} PASSWORD {}", spelled(statement.removeprefix(_BY_PSQL)), verifier)
    return spelled(statement)


def _too_few_rights(settings: Settings, statements: list[str], error: DBAPIError) -> UserError:
    typed = [line if line.startswith("\\") else f"{line};" for line in statements]
    by_hand = "have an administrator type this into psql, then run this again:\n    " + "\n    ".join(typed)
    return UserError(
        f"{settings.database_url.username} may not create roles: {connections.first_line(error)}",
        do="make roles" if settings.runtime == "docker" and not settings.external else by_hand,
    )
