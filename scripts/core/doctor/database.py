"""Checks of the target's database: its roles, extensions and tables, and what is invalid there."""

import shlex

from sqlalchemy import Connection, text

from scripts.core.doctor.diagnosis import NotCheckedError
from scripts.core.doctor.facts import Facts
from scripts.core.errors import DatabaseMissingError, UserError
from scripts.core.postgres import (
    databases,
    declared_extensions,
    environments,
    invalid_indexes,
    own_tables,
    roles,
    scratch_extensions,
)
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.postgres.user_tables import SCHEMA

_EXTENSIONS = text(
    "SELECT extname, EXISTS (SELECT FROM pg_available_extensions WHERE name = extname) FROM pg_extension ORDER BY 1"
)
_OFFERED = text("SELECT name FROM pg_available_extensions")
# A constraint that is not enforced (PostgreSQL 18) cannot be validated. A partition's own follows that of its parent.
_NOT_VALIDATED = text(
    "SELECT conrelid::regclass::text AS table, quote_ident(conname) AS name FROM pg_constraint c"
    f" JOIN pg_namespace n ON n.oid = connamespace WHERE {SCHEMA} AND NOT convalidated AND conparentid = 0"
    " AND conrelid <> 0 AND coalesce(to_jsonb(c)->>'conenforced', 'true') = 'true' ORDER BY 1, 2"
)


def exists(facts: Facts) -> str:
    """Raise UserError if the server has no database of this name."""
    target = facts.target.known()
    if isinstance(facts.server.error, DatabaseMissingError):
        raise facts.server.error
    facts.server.known()
    return f"{target.database_url.database}"


def owner(facts: Facts) -> str:
    """Raise UserError if the role that migrates, or the application's, is missing or has too many rights."""
    target, connection = facts.target.known(), facts.server.known()
    migrating, name = roles.owner(connection), roles.application(target)
    if not (migrating.creates_databases or migrating.superuser or target.external):
        raise UserError(f"{migrating.name} may not create databases, as make restore does.", do="make roles")
    if not name:
        return f"{migrating}; the application has the same role"
    found = roles.look(connection, name)
    for fault, _ in found.faults if found.dangers or not found.exists else ():
        raise UserError(fault, do="make roles")
    return f"{migrating}; the application is {name}"


def rights(facts: Facts) -> str:
    """Raise UserError if the application may not read and write the tables."""
    name = roles.application(facts.target.known())
    connection = facts.server.known()
    if not name:
        return "the application has those of the owner"
    found = roles.look(connection, name)
    if not found.exists:
        raise NotCheckedError(f"there is no role {name}.")
    if found.lacking:
        raise UserError(f"The application may not {', '.join(found.lacking)}.", do="make roles")
    return str(found)


def extensions(facts: Facts) -> str:
    """Raise UserError if the server or the scratch server lacks the files of an extension of the database, or of one
    that `[tool.app]` names.
    """
    there = {str(name): bool(is_offered) for name, is_offered in facts.server.known().execute(_EXTENSIONS)}
    gone = [name for name, is_offered in there.items() if not is_offered]
    if gone:
        raise UserError(
            f"The server no longer has the files of {', '.join(gone)}, which the database uses.",
            do="install them on the server, or use the image that it was made with: POSTGRES_IMAGE",
        )
    missing = [name for name in declared_extensions.declared() if name not in there]
    declared_extensions.require_offered(facts.server.known(), facts.target.known(), missing)
    offered = set(facts.scratch.value.scalars(_OFFERED)) if facts.scratch.value else {*there, *missing}
    lacking = [name for name in [*there, *missing] if name not in offered]
    if lacking:
        raise UserError(
            f"The scratch server does not have the extension {', '.join(lacking)}.", do=scratch_extensions.HELP
        )
    return ", ".join(there)


def environment(facts: Facts) -> str:
    """Raise UserError if the environment of the database is not set, is set twice, or contradicts APP_ENV."""
    target = facts.target.known()
    stored = environments.read(facts.server.known())
    environments.effective(target, stored)
    if not stored:
        name = target.database_url.database
        raise UserError(
            f"The environment of {name} is {environments.NOT_SET}.",
            do=environments.command(target, target.app_env),
        )
    return f"{stored}; APP_ENV is {target.app_env}"


def version_table(facts: Facts) -> str:
    """Raise UserError if Alembic finds no version table in a database with tables, or if there are several."""
    connection = facts.server.known()
    table, places = own_tables.in_use(connection), own_tables.places(connection)
    others = [place for place in places if place != table]
    if not table:
        return _without_version_table(connection, others)
    if others:
        raise UserError(
            f"Alembic uses {table}, but there is also {', '.join(others)}.",
            do=f"drop the one that is not needed: {_psql(compose('DROP TABLE {}', spelled(others[0])))}",
        )
    if not own_tables.may_write(connection):
        raise UserError(
            f"{roles.owner(connection).name} may not write {table}.",
            do=f"set MIGRATION_DATABASE_URL in .env to a login of {own_tables.owner(connection)}, which owns it",
        )
    return f"{table}, at {', '.join(facts.current) or 'base'}"


def _without_version_table(connection: Connection, others: list[str]) -> str:
    if others:
        raise UserError(
            f"Alembic does not find its table, but there is {', '.join(others)}.",
            do="set version_table_schema in alembic.ini, or the search_path of the role",
        )
    if not databases.is_empty(connection):
        raise UserError(
            f"The database has tables, but no table {own_tables.VERSION}.", do="make stamp   (finds the revision)"
        )
    return "none yet: make migrate"


def indexes(facts: Facts) -> str:
    """Raise UserError if the database has invalid indexes."""
    found = invalid_indexes.invalid(facts.server.known())
    if found:
        raise UserError(
            f"Invalid: {', '.join(found)}. PostgreSQL maintains such an index, and never uses it.",
            do=_psql(compose("REINDEX INDEX CONCURRENTLY {}", spelled(found[0]))),
        )
    return "all are valid"


def constraints(facts: Facts) -> str:
    """Raise UserError if constraints were never validated, so that older rows may break them."""
    found = facts.server.known().execute(_NOT_VALIDATED).all()
    if found:
        table, name = found[0]
        raise UserError(
            f"Never validated: {', '.join(f'{name} of {table}' for table, name in found)}. Older rows may break it.",
            do=f"write a revision with: ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
        )
    return "all are validated"


def _psql(statement: Sql) -> str:
    return f"make psql c={shlex.quote(statement)}"
