"""Copies of the target on the scratch server."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, text

from scripts.core import temporary_folders
from scripts.core.errors import UserError
from scripts.core.postgres import (
    client_programs,
    connections,
    databases,
    own_tables,
    scratch,
    scratch_extensions,
    session_timeouts,
    sql,
)
from scripts.core.postgres.scratch import Scratch
from scripts.core.postgres.sql import compose
from scripts.core.settings import Settings

# TimeZone decides whether a change to timestamptz rewrites a table. search_path finds names without a schema.
_SESSION = text(
    "SELECT current_setting('TimeZone') AS \"TimeZone\", (SELECT string_agg(quote_ident(name), ', ' ORDER BY place)"
    " FROM unnest(current_schemas(false)) WITH ORDINALITY AS s (name, place)) AS search_path"
)
_RECORD = text(f"INSERT INTO {own_tables.VERSION} VALUES (:revision)")


def schema(server: Scratch, target: Settings) -> Settings:
    """Return settings of a new database with the target's schema, version and time zone, and no rows.

    The target is only read. Raise UserError if it cannot be read, or if the scratch server cannot hold its schema.
    """
    with connections.connect(target) as connection:
        session_timeouts.allow_idle(connection)
        connection.commit()
        made = _copied(server, target, _pg_dump(connection))
        _take_over(connection, server, made)
    return made


def restored(server: Scratch, source: Settings) -> Settings:
    """Return settings of a new database with the part of a schema that pg_dump and pg_restore carry over.

    Raise UserError as `schema` does.
    """
    with connections.connect(source) as connection:
        pg_dump = _pg_dump(connection)
    return _copied(server, source, pg_dump)


def _pg_dump(source: Connection) -> str:
    """Return the path of the pg_dump that fits the server."""
    tls = connections.uses_tls(source)
    return client_programs.find("pg_dump", connections.version(source) // 10000, tls=tls)


def _copied(server: Scratch, source: Settings, pg_dump: str) -> Settings:
    made = scratch.create(server)
    administrator = scratch.as_administrator(server, made)
    with temporary_folders.folder() as folder:
        dump = folder / "schema"
        _dump(pg_dump, source, dump)
        major, tls = client_programs.major(pg_dump), connections.uses_tls(server.server)
        pg_restore = client_programs.find("pg_restore", major, tls=tls)
        # The administrator's restore sets owners and grants. An ordinary role may not set them.
        _restore(pg_restore, administrator, dump, () if server.login.is_separate else ("--no-owner", "--no-privileges"))
    scratch_extensions.hand_over(server, made)
    return made


def _dump(pg_dump: str, target: Settings, dump: Path) -> None:
    words = (
        "--schema-only",
        "--format=custom",
        f"--lock-wait-timeout={session_timeouts.READING_LOCK}",
        f"--file={dump}",
    )
    said = client_programs.run(pg_dump, target.database_url, *words)
    if said:
        raise UserError(
            f"The schema of {target.database_url.database} cannot be read: {client_programs.reason(said)}",
            why="pg_dump locks every table against being dropped, and waits at most two seconds for that.",
            do="grant the role the right to read every table, or wait for the migration or VACUUM FULL that locks one",
        )


def _restore(pg_restore: str, made: Settings, dump: Path, without: Sequence[str]) -> None:
    words = ("--exit-on-error", "--no-tablespaces", "--no-subscriptions", *without, str(dump))
    said = client_programs.run(pg_restore, made.database_url, *words)
    if said:
        raise UserError(
            f"The schema does not fit the scratch server: {client_programs.reason(said)}",
            why="The scratch server has another PostgreSQL version than the target, or lacks an extension or a role.",
        )


def _take_over(target: Connection, server: Scratch, made: Settings) -> None:
    """Copy the version rows, and the session settings of the target's role."""
    for name, value in target.execute(_SESSION).mappings().one().items():
        server.server.execute(text("SELECT set_config(:name, :value, false)"), {"name": name, "value": value or ""})
        given = "ALTER DATABASE {} SET {} FROM CURRENT"
        sql.run(server.server, compose(given, sql.name(databases.name_of(made.database_url)), sql.name(name)))
    with connections.connect(scratch.as_administrator(server, made)) as connection:
        for revision in own_tables.revisions(target):
            connection.execute(_RECORD, {"revision": revision})
        connection.commit()
