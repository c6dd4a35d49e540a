"""Copies of the target on the scratch server."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from scripts.core import subprocesses, temporary_folders
from scripts.core.errors import UserError
from scripts.core.postgres import (
    client_programs,
    connections,
    databases,
    own_tables,
    scratch,
    scratch_extensions,
    scratch_room,
    session_timeouts,
    sql,
    templates,
)
from scripts.core.postgres.scratch import Scratch
from scripts.core.postgres.sql import compose
from scripts.core.settings import Settings

FORMAT = b"1"
"""Raise it with every change of what a copy contains besides what pg_restore executes."""
KIND, MOST_KEPT = "schema", 5
USER_MAPPING = b"CREATE USER MAPPING "

# A role of the same name may be another role than when the template was made.
_ROLES = text("SELECT rolname, oid FROM pg_roles WHERE rolname = ANY(:names) ORDER BY 1")
# Newer programs write a random word around their SQL. A body of a function may have such a line too.
_RESTRICT = re.compile(rb"\A(?:--.*\n|\n)*\\restrict (\w+)\n")
# TimeZone decides whether a change to timestamptz rewrites a table. search_path finds names without a schema.
_SESSION = text(
    "SELECT current_setting('TimeZone') AS \"TimeZone\", (SELECT string_agg(quote_ident(name), ', ' ORDER BY place)"
    " FROM unnest(current_schemas(false)) WITH ORDINALITY AS s (name, place)) AS search_path"
)
_RECORD = text(f"INSERT INTO {own_tables.VERSION} VALUES (:revision)")


def schema(server: Scratch, target: Settings) -> Settings:
    """Return settings of a new database with the target's schema, version and time zone, and no rows.

    The target is only read. Copies of the last schemas stay as templates. Raise UserError if the target cannot be read,
    or if the scratch server cannot hold its schema.
    """
    scratch.require_equal_roles(server)
    with connections.connect(target) as connection:
        session_timeouts.allow_idle(connection)
        connection.commit()
        with _archived(target, connection) as archive:
            made = templates.copied(server, lambda: _template(server, archive))
        _take_over(connection, server, made)
    scratch_extensions.make_declared(server, made)
    return made


def restored(server: Scratch, source: Settings) -> Settings:
    """Return settings of a new database with the part of a schema that pg_dump and pg_restore carry over.

    Raise UserError as `schema` does.
    """
    with connections.connect(source) as connection, _archived(source, connection) as archive:
        return _restored(server, archive)


@dataclass(frozen=True)
class _Archive:
    path: Path
    major: int
    """Of the pg_dump that wrote it."""


@contextmanager
def _archived(source: Settings, connection: Connection) -> Iterator[_Archive]:
    """Yield a dump of the schema."""
    tls = connections.uses_tls(connection)
    pg_dump = client_programs.find("pg_dump", connections.version(connection) // 10000, tls=tls)
    with temporary_folders.folder() as folder:
        _dump(pg_dump, source, folder / "schema")
        yield _Archive(folder / "schema", client_programs.major(pg_dump))


def _template(server: Scratch, archive: _Archive) -> str:
    """Return the name of a database with exactly this schema. It stays, unless it has passwords of other servers."""
    script, encoding = _script(server, archive), server.rights.encoding
    if USER_MAPPING in script:
        return databases.name_of(_restored(server, archive, encoding).database_url)
    key = _key(server, script)
    name = f"{KIND}_{key[:24]}"
    if templates.find(server, KIND).get(name) == key:
        return name
    return templates.keep(server, _restored(server, archive, encoding), name, key, MOST_KEPT)


def _key(server: Scratch, script: bytes) -> str:
    """Return a hash of all that a restored copy depends on. `script`: all that pg_restore executes."""
    rights, login = server.rights, server.login
    roles = {login.role, login.url.username, *(role.name for role in rights.roles)}
    parts = [
        FORMAT,
        script,
        templates.about(server).encode(),
        repr(server.server.execute(_ROLES, {"names": sorted(map(str, roles))}).all()).encode(),
        repr((rights.key, rights.name, rights.owner, rights.extensions, rights.encoding)).encode(),
        repr((login.role, login.is_separate, login.is_equal, server.administrator.database_url.username)).encode(),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _script(server: Scratch, archive: _Archive) -> bytes:
    """Return the SQL that pg_restore executes. It is the same each time."""
    script = archive.path.with_suffix(".sql")
    words = [client_programs.find("pg_restore", archive.major), f"--file={script}", *_words(server), str(archive.path)]
    said = subprocesses.follow(words, client_programs.ENGLISH)
    if said:
        raise UserError(f"pg_restore cannot read the schema: {client_programs.reason(said)}")
    return without_random_word(script.read_bytes())


def without_random_word(script: bytes) -> bytes:
    found = _RESTRICT.match(script)
    return script.replace(found[1], b"") if found else script


def _restored(server: Scratch, archive: _Archive, encoding: str = "") -> Settings:
    made = scratch.create(server, encoding=encoding)
    pg_restore = client_programs.find("pg_restore", archive.major, tls=connections.uses_tls(server.server))
    _restore(server, pg_restore, made, archive.path)
    scratch_extensions.hand_over(server, made)
    return made


def _words(server: Scratch) -> list[str]:
    """Return the options of pg_restore. The administrator sets owners and grants, which an ordinary role may not."""
    own = [] if server.login.is_separate else ["--no-owner", "--no-privileges"]
    return ["--no-tablespaces", "--no-subscriptions", *own]


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


def _restore(server: Scratch, pg_restore: str, made: Settings, dump: Path) -> None:
    words = ("--exit-on-error", *_words(server), str(dump))
    said = client_programs.run(pg_restore, scratch.as_administrator(server, made).database_url, *words)
    if said:
        missing = scratch_extensions.lacking(server)
        error = UserError(
            f"The schema does not fit the scratch server: {client_programs.reason(said)}",
            why=f"The scratch server lacks {', '.join(missing)}, which the target has."
            if missing
            else "The scratch server has another PostgreSQL version than the target, or lacks a role.",
            do=f"name another scratch server in .env: {scratch_extensions.HELP}" if missing else "",
        )
        raise scratch_room.explained(error)


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
