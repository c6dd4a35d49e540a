"""The model database: a copy of the shadow in which the models' own objects are created from the models.

What the models own is read first, and moves into another schema. It is not dropped: that would take views, functions
and columns of tables that no model describes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

from sqlalchemy import Connection, text

from scripts.core.models import comparable, creation, described
from scripts.core.models.comparable import Read
from scripts.core.models.creation import Uncreated
from scripts.core.models.described import OWNED, Described, Owned, listed
from scripts.core.plan import shadow
from scripts.core.postgres import connections, scratch, sql, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.revisions.history import History
from scripts.core.revisions.last_comparison import Reads
from scripts.core.settings import Settings

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
class Sides:
    """The models and the revision files, as they were read to be compared."""

    models: Settings
    """The model database."""
    files: Callable[[], Settings]
    """Returns a database of the revision files without what the models cannot express. The first call may make it."""
    described: Read
    made: Read
    owned: list[Owned]
    failures: list[Uncreated]
    schemas: list[str]
    """Schemas that the models need and the revision files do not make."""
    views: list[Owned]
    """Tables of the models that are views in the revision files. They are not compared."""
    reads: Reads
    has_filters: bool
    own_views: list[str]
    """The views that the models make, by their names in Schema."""

    @property
    def lacking(self) -> list[str]:
        """Return the names in Schema of the schemas and the views that the revision files do not make."""
        there = self.made.schema.objects
        views = [name for name in self.own_views if name not in there and f"materialized {name}" not in there]
        return [*(f"schema {name}" for name in self.schemas), *views]


def build(server: Scratch, revisions: History, at: Sequence[str], then: Sequence[Sql], *, partial: bool) -> Sides:
    """Read what the revision files make up to `at` with the statements `then`, and build the model database there.

    Raise UserError if the models cannot be imported.
    """

    def migrated() -> Settings:
        made = shadow.build(server, revisions, at, partial=partial)
        if then:
            with connections.connect(made) as connection:
                for statement in then:
                    sql.run(connection, statement)
                connection.commit()
        return made

    @cache
    def files() -> Settings:
        made = migrated()
        with _administrator(server, made) as connection:
            comparable.read(connection, owned)
        return made

    made = migrated()
    of: Described = trial.run_models(server, made, described.owned)
    with _administrator(server, made) as connection:
        views = _views(connection, of.owned)
        owned = [one for one in of.owned if one not in views]
        found = comparable.read(connection, owned)
        schemas = _make_room(server, connection, owned)
        failures: list[Uncreated] = trial.run_models(server, made, creation.create, views)
        expected = comparable.read(connection, owned)
        own = comparable.names(connection, of.views)
    return Sides(made, files, expected, found, owned, failures, schemas, views, of.reads, of.has_filters, own)


def reread(server: Scratch, known: Sides, migrated: Settings) -> Sides | None:
    """Return the same models beside another database of the files, which has run more of them.

    Return None if the model database may be another one there: an object could not be created, or is a view.
    """
    if known.failures:
        return None
    with _administrator(server, migrated) as connection:
        if {*_views(connection, [*known.owned, *known.views])} != {*known.views}:
            return None
        made = comparable.read(connection, known.owned)
        return replace(known, files=lambda: migrated, made=made, schemas=_missing(connection, known.owned))


@contextmanager
def _administrator(server: Scratch, made: Settings) -> Iterator[Connection]:
    """Connect in autocommit. No event trigger of the project stops or repeats what follows.

    Only a superuser can have made one.
    """
    with connections.connect(scratch.as_administrator(server, made), isolation_level="AUTOCOMMIT") as connection:
        if connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
            connection.execute(text("SET session_replication_role = replica"))
        yield connection


def _views(connection: Connection, owned: Sequence[Owned]) -> list[Owned]:
    is_view = {(schema, name) for schema, name in connection.execute(_VIEWS, listed(owned))}
    return [one for one in owned if one.kind == "table" and (one.schema, one.name) in is_view]


def _make_room(server: Scratch, connection: Connection, owned: Sequence[Owned]) -> list[str]:
    """Move the objects out of the way, create the missing schemas, and return their names."""
    values = {**listed([one for one in owned if one.made]), "role": server.login.role}
    for statement in connection.scalars(_RELEASE, listed([one for one in owned if not one.made])).all():
        sql.run(connection, spelled(statement))
    for statement, _ in connection.execute(_ASIDE, values).all():
        sql.run(connection, spelled(statement))
    for statement in connection.scalars(_SEQUENCES_ASIDE, values).all():
        sql.run(connection, spelled(statement))
    missing = _missing(connection, owned)
    for schema in missing:
        given = "CREATE SCHEMA {} AUTHORIZATION {}"
        sql.run(connection, compose(given, sql.name(schema), sql.name(server.login.role)))
    return missing


def _missing(connection: Connection, owned: Sequence[Owned]) -> list[str]:
    return list(connection.scalars(_MISSING, listed([one for one in owned if one.made])))
