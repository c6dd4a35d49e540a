"""Extensions on the scratch server: the administrator creates those that the migrating role may not create."""

from collections.abc import Mapping, Sequence

from sqlalchemy import text

from scripts.core.postgres import connections, declared_extensions, sql
from scripts.core.postgres.scratch import Scratch, as_administrator
from scripts.core.postgres.sql import Sql, compose
from scripts.core.settings import Settings

HELP = "SCRATCH_HOST, or RUNTIME=docker with POSTGRES_IMAGE, can name a scratch server that has it."
_FOR_SUPERUSERS = text(
    "SELECT DISTINCT name FROM pg_available_extension_versions WHERE name = ANY(:names) AND superuser AND NOT trusted"
)
# Objects of a trusted extension's script belong to the administrator, but the extension itself does not.
_HAND_OVER = text(
    "UPDATE pg_extension SET extowner = (SELECT oid FROM pg_roles WHERE rolname = :role)"
    " WHERE extname <> 'plpgsql' AND CASE"
    " WHEN CAST(:names AS text[]) IS NULL THEN extname IN"
    " (SELECT name FROM pg_available_extension_versions WHERE trusted AND version = extversion)"
    " ELSE extname = ANY(CAST(:names AS text[])) END"
)
_OFFERED = text("SELECT name FROM pg_available_extensions")
_HAS_SCHEMA = text("SELECT true FROM pg_namespace WHERE nspname = :schema")


def needed(server: Scratch) -> list[str]:
    """Return the extensions of the target's database that its role could not create, and those of [tool.app]."""
    declared = {*declared_extensions.declared()}
    found = declared & offered(server) if declared else set[str]()
    there = server.rights.extensions or ()
    if there and not server.rights.role.superuser and server.login.is_separate:
        found |= {*server.server.scalars(_FOR_SUPERUSERS, {"names": [one.name for one in there]})}
    return sorted(found)


def offered(server: Scratch) -> set[str]:
    """Return the extensions that can be created on the scratch server."""
    return set(server.server.scalars(_OFFERED))


def lacking(server: Scratch) -> list[str]:
    """Return the extensions of the target's database, and of [tool.app], that the scratch server does not have."""
    there = offered(server)
    wanted = [*(one.name for one in server.rights.extensions or ()), *declared_extensions.declared()]
    return [name for name in dict.fromkeys(wanted) if name not in there]


def make(server: Scratch, made: Settings, names: Sequence[str], more: Mapping[str, str] | None = None) -> None:
    """Create extensions in a database, as the administrator, in the same schemas as in the target's database.

    `more`: the schemas of extensions that are declared nowhere yet.
    """
    if not names:
        return
    declared = {**(more or {}), **declared_extensions.declared()}
    schemas = {**declared, **{one.name: one.schema for one in server.rights.extensions or ()}}
    with connections.connect(as_administrator(server, made)) as connection:
        for name in names:
            schema = schemas.get(name)
            if schema and declared.get(name) == schema:
                given = "CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}"
                sql.run(connection, compose(given, sql.name(schema), sql.name(server.login.role)))
            is_there = schema and connection.scalar(_HAS_SCHEMA, {"schema": schema})
            place = compose("SCHEMA {}", sql.name(schema)) if schema and is_there else Sql()
            sql.run(connection, compose("CREATE EXTENSION IF NOT EXISTS {} {} CASCADE", sql.name(name), place))
        connection.commit()


def make_declared(server: Scratch, made: Settings) -> None:
    """Create the extensions of [tool.app] in a copy of the target, which `make up` will create there."""
    if declared := declared_extensions.declared():
        make(server, made, sorted({*declared} & offered(server)))
        hand_over(server, made)


def hand_over(server: Scratch, made: Settings) -> None:
    """Give the role the extensions that it owns in the target. Without a target, give it those that it can create."""
    known = server.rights.extensions
    names = None if known is None else [one.name for one in known if one.owner == server.rights.name]
    if names == [] or not server.login.is_separate:
        return
    with connections.connect(as_administrator(server, made)) as connection:
        connection.execute(_HAND_OVER, {"role": server.login.role, "names": names})
        connection.commit()
