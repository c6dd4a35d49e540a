"""What the migrating role may do on the target's server: its attributes, its memberships, and its database.

Code on the scratch server gets exactly these rights there. If the target does not answer, the rights are those that
scripts/roles.sql gives.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core.errors import DatabaseMissingError, UserError
from scripts.core.postgres import connections
from scripts.core.postgres.user_tables import not_reserved
from scripts.core.settings import Settings

WAIT = 2.0
"""Seconds to wait for a target that is still starting. Commands that need the target wait for it themselves."""

OURS = "made for throwaway databases"
"""The COMMENT of each role that a command has created on a scratch server, which may be the target's own server."""
_NOT_OURS = f"(shobj_description(m.oid, 'pg_authid') IS DISTINCT FROM '{OURS}' OR m.rolname = current_user)"
_USERS = f" WHERE {not_reserved('m.rolname')} AND {_NOT_OURS}"
ROLES = (
    "SELECT rolname AS name, rolsuper AS superuser, rolinherit AS inherit, rolcreaterole AS createrole,"
    " rolcreatedb AS createdb, rolbypassrls AS bypassrls FROM pg_roles m"
)
"""In SQL, as Role has it."""
MEMBERSHIPS = (
    'SELECT g.rolname AS "group", m.rolname AS member, bool_or(admin_option) AS admin,'
    " bool_or(inherit_option) AS inherits, bool_or(set_option) AS switches"
    " FROM pg_auth_members JOIN pg_roles g ON g.oid = roleid JOIN pg_roles m ON m.oid = member"
)
"""In SQL, as Membership has it; to be grouped by the first two columns."""
_ROLES = text(f"{ROLES} {_USERS} ORDER BY 1")
_MEMBERSHIPS = text(f"{MEMBERSHIPS} {_USERS} GROUP BY 1, 2 ORDER BY 1, 2")
_DATABASE = text(
    "SELECT current_user AS name, pg_get_userbyid(datdba) AS owner,"
    " has_database_privilege(oid, 'CREATE') AS makes_schemas,"
    " (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = 'public') AS makes_tables,"
    " pg_encoding_to_char(encoding) AS encoding"
    " FROM pg_database WHERE datname = current_database()"
)
_EXTENSIONS = text(
    "SELECT extname AS name, pg_get_userbyid(extowner) AS owner, nspname AS schema"
    " FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname <> 'plpgsql' ORDER BY 1"
)
_OFFERED = text("SELECT name FROM pg_available_extensions ORDER BY 1")


@dataclass(frozen=True)
class Role:
    name: str
    superuser: bool = False
    inherit: bool = True
    createrole: bool = False
    createdb: bool = False
    bypassrls: bool = False


@dataclass(frozen=True)
class Membership:
    group: str
    member: str
    admin: bool = False
    inherits: bool = True
    switches: bool = True
    """By SET ROLE."""


@dataclass(frozen=True)
class Extension:
    name: str
    owner: str
    schema: str


@dataclass(frozen=True)
class Rights:
    name: str
    """The role that migrates."""
    roles: tuple[Role, ...]
    """All roles of the server, because a revision may name any."""
    memberships: tuple[Membership, ...]
    owner: str
    """The owner of the database."""
    makes_schemas: bool = True
    """Whether the role may create schemas in the database, as its owner may."""
    makes_tables: bool = True
    """Whether the role may create tables in the schema public."""
    extensions: tuple[Extension, ...] | None = None
    """The extensions of the database; None if the target was not asked."""
    offered: tuple[str, ...] = ()
    """The extensions that could be created in the database."""
    encoding: str = ""
    """The encoding of the database; empty if the target was not asked."""

    @property
    def role(self) -> Role:
        return next(role for role in self.roles if role.name == self.name)

    @property
    def key(self) -> str:
        """Return a key that is equal for equal rights of the role itself, whatever other roles the server has."""
        own = sorted(repr(one) for one in self.memberships if one.member == self.name)
        return repr((self.role, own, self.owner == self.name, self.makes_schemas, self.makes_tables))


def of(target: Settings) -> Rights:
    """Return the rights that the role has now, or the default if the target does not answer."""
    quick = replace(target, connect_wait=min(WAIT, target.connect_wait))
    try:
        try:
            with connections.connect(quick) as connection:
                return read(connection)
        except DatabaseMissingError:
            return _before_the_database(quick)
    except (UserError, DBAPIError):
        return default(target)


def read(connection: Connection) -> Rights:
    """Return the rights of the connected role in its database."""
    database = connection.execute(_DATABASE).one()
    return Rights(
        name=database.name,
        roles=_roles(connection),
        memberships=_memberships(connection),
        owner=database.owner,
        makes_schemas=database.makes_schemas,
        makes_tables=bool(database.makes_tables),
        extensions=tuple(Extension(**row) for row in connection.execute(_EXTENSIONS).mappings()),
        offered=tuple(connection.scalars(_OFFERED)),
        encoding=database.encoding,
    )


def default(settings: Settings) -> Rights:
    """Return the rights that scripts/roles.sql gives: no superuser, CREATEDB, the owner of the database."""
    name, application = settings.database_url.username or "postgres", settings.application_url.username
    roles, groups = [Role(name, createdb=True)], ["pg_read_all_stats"]
    if application and application != name:
        roles.append(Role(application))
        groups.append(application)
    return Rights(name, tuple(roles), tuple(Membership(group, name) for group in groups), name)


def _before_the_database(target: Settings) -> Rights:
    """Return the rights of a role that will create its database and own it."""
    with connections.connect(target, connections.maintenance(target)) as connection:
        name = str(connection.scalar(text("SELECT current_user")))
        offered = tuple(connection.scalars(_OFFERED))
        return Rights(name, _roles(connection), _memberships(connection), name, extensions=(), offered=offered)


def _roles(connection: Connection) -> tuple[Role, ...]:
    return tuple(Role(**row) for row in connection.execute(_ROLES).mappings())


def _memberships(connection: Connection) -> tuple[Membership, ...]:
    return tuple(Membership(**row) for row in connection.execute(_MEMBERSHIPS).mappings())
