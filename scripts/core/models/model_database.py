"""The model database: a copy of the shadow in which the models' own objects are created from the models.

What the models own moves into another schema first. It is not dropped: that would take views, functions and columns of
tables that no model describes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from scripts.core.models import creation, described
from scripts.core.models.creation import Uncreated
from scripts.core.models.described import Owned
from scripts.core.plan import shadow
from scripts.core.postgres import connections, scratch, sql, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.postgres.sql import compose, spelled
from scripts.core.revisions.history import History
from scripts.core.revisions.last_comparison import Reads
from scripts.core.settings import Settings

OWNED = "unnest(CAST(:schemas AS name[]), CAST(:names AS name[])) AS owned (schema, name)"
"""The FROM clause for objects of the models, for the values of `listed`."""
_MISSING = text(
    f"SELECT DISTINCT schema FROM {OWNED} WHERE schema NOT IN (SELECT nspname FROM pg_namespace) ORDER BY schema"
)
# Sequences of a table follow it. Those that are left move at last.
_ASIDE = text(f"""WITH found AS (
    SELECT 'TABLE' AS kind, c.oid, c.tableoid, c.oid::regclass::text AS name, relnamespace AS space, 1 AS place
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace JOIN {OWNED} ON (nspname, relname) = (schema, name)
    WHERE relkind IN ('r', 'p', 'f')
    UNION ALL SELECT CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.oid, t.tableoid, t.oid::regtype::text,
        typnamespace, 2
    FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace JOIN {OWNED} ON (nspname, typname) = (schema, name)
    WHERE typtype IN ('e', 'd')
), ours AS (
    SELECT * FROM found WHERE NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = found.tableoid AND objid = found.oid AND deptype = 'e')
)
SELECT format('CREATE SCHEMA aside_%s AUTHORIZATION %I', space, CAST(:role AS text)), 0 AS place
    FROM ours GROUP BY space
UNION ALL SELECT format('ALTER %s %s SET SCHEMA aside_%s', kind, name, space), place FROM ours
ORDER BY place""")
_SEQUENCES_ASIDE = text(f"""SELECT statement FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    JOIN {OWNED} ON (nspname, relname) = (schema, name), unnest(ARRAY[
        format('CREATE SCHEMA IF NOT EXISTS aside_%s AUTHORIZATION %I', relnamespace, CAST(:role AS text)),
        format('ALTER SEQUENCE %s SET SCHEMA aside_%s', c.oid::regclass, relnamespace)]) statement
    WHERE relkind = 'S'""")
_RELEASE = text(f"""SELECT format('ALTER SEQUENCE %s OWNED BY NONE', c.oid::regclass)
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace JOIN {OWNED} ON (nspname, relname) = (schema, name)
    JOIN pg_depend ON (classid, objid, deptype) = (c.tableoid, c.oid, 'a') WHERE relkind = 'S'""")
_VIEWS = text(f"""SELECT schema, name FROM {OWNED} JOIN pg_namespace ON nspname = schema
    JOIN pg_class ON (relnamespace, relname) = (pg_namespace.oid, name) WHERE relkind IN ('v', 'm')""")


@dataclass(frozen=True)
class ModelDatabase:
    settings: Settings
    owned: list[Owned]
    failures: list[Uncreated]
    schemas: list[str]
    """Schemas that the models need and the revision files do not make."""
    views: list[Owned]
    """Tables of the models that are views in the revision files. They are not compared."""
    reads: Reads


def build(server: Scratch, revisions: History, at: Sequence[str], *, partial: bool) -> ModelDatabase:
    """Build the model database beside the revisions `at`. Raise UserError if the models cannot be imported."""
    made = shadow.build(server, revisions, at, partial=partial)
    owned, reads = trial.run(server, made, described.owned)
    with connections.connect(scratch.as_administrator(server, made), isolation_level="AUTOCOMMIT") as connection:
        is_view = {(schema, name) for schema, name in connection.execute(_VIEWS, listed(owned))}
        views = [one for one in owned if one.kind == "table" and (one.schema, one.name) in is_view]
        owned = [one for one in owned if one not in views]
        schemas = _make_room(server, connection, owned)
    failures: list[Uncreated] = trial.run(server, made, creation.create, views)
    return ModelDatabase(made, owned, failures, schemas, views, reads)


def listed(owned: Sequence[Owned]) -> dict[str, list[str]]:
    return {"schemas": [one.schema for one in owned], "names": [one.name for one in owned]}


def without_event_triggers(connection: Connection) -> None:
    """Let no event trigger of the project stop or repeat what follows. Only a superuser can have made one."""
    if connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
        connection.execute(text("SET session_replication_role = replica"))


def _make_room(server: Scratch, connection: Connection, owned: Sequence[Owned]) -> list[str]:
    """Move the objects out of the way, create the missing schemas, and return their names."""
    values = {**listed([one for one in owned if one.made]), "role": server.login.role}
    without_event_triggers(connection)
    for statement in connection.scalars(_RELEASE, listed([one for one in owned if not one.made])).all():
        sql.run(connection, spelled(statement))
    for statement, _ in connection.execute(_ASIDE, values).all():
        sql.run(connection, spelled(statement))
    for statement in connection.scalars(_SEQUENCES_ASIDE, values).all():
        sql.run(connection, spelled(statement))
    missing = list(connection.scalars(_MISSING, values))
    for schema in missing:
        given = "CREATE SCHEMA {} AUTHORIZATION {}"
        sql.run(connection, compose(given, sql.name(schema), sql.name(server.login.role)))
    return missing
