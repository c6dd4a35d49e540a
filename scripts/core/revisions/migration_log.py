"""The migration log: a table beside alembic_version. Each step writes a row in its own transaction."""

import hashlib
import json
import os
import pwd
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationInfo
from alembic.script import Script
from sqlalchemy import Connection, Row, text

from scripts.core import git, overrides, revision_files
from scripts.core.postgres import driver, privileges
from scripts.core.postgres.own_tables import LOG, SOURCE
from scripts.core.revisions import checksum, source_table, sources
from scripts.core.revisions.sources import Sources

ROLLBACK = "rollback"
"""The direction of a row for a whole rollback, not for a step: see unfinished_rollback.py."""

_CREATE = text(f"""CREATE TABLE {LOG} (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_{LOG} PRIMARY KEY,
    revision text NOT NULL,
    direction text NOT NULL,
    started_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    database_user text NOT NULL DEFAULT session_user,
    run_by text NOT NULL,
    app_version text,
    git_commit text,
    git_dirty boolean,
    overrides text,
    file_sha256 text,
    source_sha256 text,
    backup text,
    start_revisions text[],
    undoes text[],
    database_id text,
    closed_at timestamptz,
    sources text)""")
_LATER = {
    "backup": "text",
    "start_revisions": "text[]",
    "undoes": "text[]",
    "database_id": "text",
    "closed_at": "timestamptz",
    "sources": "text",
}
"""Columns that tables of older versions of this code lack."""
_IS_NEW = text(
    f"SELECT count(*) = {len(_LATER)} FROM pg_attribute WHERE attrelid = to_regclass('{LOG}') AND NOT attisdropped"
    " AND attname IN ('" + "', '".join(_LATER) + "')"
)
_RENEW = text(
    f"ALTER TABLE {LOG} " + ", ".join(f"ADD COLUMN IF NOT EXISTS {name} {kind}" for name, kind in _LATER.items())
)
_INSERT = (
    f"INSERT INTO {LOG} (revision, direction, started_at, seconds, run_by, app_version, git_commit, git_dirty,"
    " overrides, file_sha256, source_sha256, sources, backup) VALUES (%s, %s, clock_timestamp()"
    " - make_interval(secs => %s), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_INSERT_BOTH = f"WITH kept AS ({source_table.INSERT}) {_INSERT}"
_LAST_OF_OLD = text(
    "SELECT DISTINCT ON (revision) revision, direction, started_at, seconds, run_by, file_sha256, source_sha256,"
    f" NULL AS sources FROM {LOG} WHERE direction <> '{ROLLBACK}' ORDER BY revision, id DESC"
)
_LAST = text(_LAST_OF_OLD.text.replace("NULL AS sources", "sources"))
_STEPS = text(f"SELECT revision, direction FROM {LOG} WHERE direction <> '{ROLLBACK}' ORDER BY id")


@dataclass(frozen=True)
class Circumstances:
    """The circumstances under which the steps of a command are applied."""

    sources: Sources
    keeps_sources: bool
    """The table of sources exists, and the user wants it."""
    run_by: str
    app_version: str | None
    git_commit: str | None
    git_dirty: bool | None
    overrides: str | None
    """The refusals that ACCEPT has overridden, and what CONFIRM has confirmed."""
    backup: str = ""


def circumstances(values: Mapping[str, str], overridden: Sequence[str], backup: str, sources: Sources) -> Circumstances:
    """Return the circumstances of a command. Outside a container, the commit is that of the checkout."""
    confirmed = [f"CONFIRM={overrides.confirmed()}"] if overrides.confirmed() else []
    accepted = [f"ACCEPT={','.join(overridden)}"] if overridden else []
    commit, is_dirty = _code()
    return Circumstances(
        sources,
        keeps_sources=False,
        run_by=who(),
        app_version=values.get("APP_VERSION"),
        git_commit=values.get("GIT_COMMIT") or commit,
        git_dirty=is_dirty,
        overrides=" ".join(confirmed + accepted) or None,
        backup=backup,
    )


def write(connection: Connection, step: MigrationInfo, seconds: float, how: Circumstances) -> None:
    """Write the row of a step into the existing table, and its source into the other one, in one round trip.

    The log has a normalised checksum only of a source that is not kept. Else it is computed when it is asked for.
    """
    direction = "stamp" if step.is_stamp else "upgrade" if step.is_upgrade else "downgrade"
    revisions = recorded(step)
    script = step.revision_map.get_revision(revisions[0]) if revisions else None
    files = how.sources.of(Path(script.path), script.module) if isinstance(script, Script) else []
    stores = how.keeps_sources and bool(files)
    own = files[0] if files else None
    row = (
        *(", ".join(revisions) or "base", direction, seconds, seconds, how.run_by),
        *(how.app_version, how.git_commit, how.git_dirty, how.overrides),
        own.sha256 if own else None,
        checksum.normalised(own.content) if own and not (stores and own.packed) else None,
        json.dumps([[one.name, one.sha256] for one in files]) if files else None,
        how.backup or None,
    )
    stored = [(one.sha256, len(one.content), one.packed) for one in files] if stores else []
    statement = _INSERT_BOTH.format(", ".join(["%s"] * len(stored))) if stored else _INSERT
    driver.rows(driver.session(connection), statement, *stored, *row)


def recorded(step: MigrationInfo) -> tuple[str, ...]:
    """Return the revisions under which a step is recorded.

    For a stamp it is the new version: a stamp to an older revision says nothing about the newer one.
    """
    return step.destination_revision_ids if step.is_stamp else step.up_revision_ids


def ensure(connection: Connection) -> None:
    """Create the table for its owner only, or add its last columns, if they are missing."""
    if connection.scalar(_IS_NEW):
        return
    if exists(connection):
        connection.execute(_RENEW)
        return
    connection.execute(_CREATE)
    privileges.close(connection, LOG)
    privileges.close(connection, f"{LOG}_id_seq")


def exists(connection: Connection) -> bool:
    return bool(connection.scalar(text("SELECT to_regclass(:table) IS NOT NULL"), {"table": LOG}))


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Tell autogenerate to ignore our tables, which belong to no model."""
    return not (kind == "table" and name in (LOG, SOURCE))


def who() -> str:
    """Return user@host of this machine, or who started the container that this runs in."""
    if outside := os.environ.get("RUN_BY"):
        return outside
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # The user id of a container may have no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


@cache
def _code() -> tuple[str | None, bool | None]:
    """Return the commit of the checkout, and whether a revision differs from it."""
    commit = git.commit()
    return commit, bool(git.uncommitted(revision_files.folders())) if commit else None


def edited(connection: Connection, files: Mapping[str, Path]) -> dict[str, str]:
    """Return the applied revisions of which a file now does something else, with that file's name. `files`: id to path.

    A file with the same plain checksum is not parsed. A comment or another layout is no edit of Python.
    """
    found = {row.revision: _edited(connection, row, files[row.revision]) for row in _last(connection, files)}
    return {revision: name for revision, name in found.items() if name}


def _last(connection: Connection, files: Mapping[str, Path]) -> list[Row[Any]]:
    """Return the last row of each of these revisions that is applied and has a checksum."""
    if not exists(connection):
        return []
    rows = connection.execute(_LAST if connection.scalar(_IS_NEW) else _LAST_OF_OLD)
    return [row for row in rows if row.revision in files and row.direction != "downgrade" and row.file_sha256]


def _edited(connection: Connection, row: Row[Any], path: Path) -> str:
    """Return the name of the revision's file that was edited, or nothing."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != row.file_sha256 and _does_else(connection, row, path):
        return path.name
    return sources.changed(path, json.loads(row.sources or "[]")[1:])


def _does_else(connection: Connection, row: Row[Any], path: Path) -> bool:
    applied = row.source_sha256
    try:
        if not applied and (content := source_table.read(connection, row.file_sha256)):
            applied = checksum.normalised(content)
        return bool(checksum.sums(path)[1] != applied)
    except (source_table.TamperedError, SyntaxError, ValueError):
        return True


def logged(connection: Connection, revision: str) -> Row[Any] | None:
    """Return the last row of the log that has the checksum of this revision's file, or None."""
    if not exists(connection):
        return None
    query = _LAST if connection.scalar(_IS_NEW) else _LAST_OF_OLD
    found = [row for row in connection.execute(query) if row.revision == revision and row.file_sha256]
    return found[0] if found else None


def steps(connection: Connection) -> list[tuple[str, str]]:
    """Return the revision and the direction of each step, oldest first. A stamp may name several, with commas."""
    return [(str(row[0]), str(row[1])) for row in connection.execute(_STEPS)] if exists(connection) else []


def settled(connection: Connection, revisions: Sequence[str]) -> bool:
    """Return whether one of these revisions was applied more than a day ago."""
    rows = connection.execute(_LAST_OF_OLD).all() if exists(connection) else []
    applied = [row.started_at for row in rows if row.revision in revisions and row.direction == "upgrade"]
    return bool(applied) and min(applied) < datetime.now(UTC) - timedelta(days=1)


def latest(connection: Connection) -> dict[str, str]:
    """Return the last entry of the log for each revision, as a text."""
    if not exists(connection):
        return {}
    words = {"upgrade": "applied", "downgrade": "undone", "stamp": "stamped"}
    return {
        row.revision: f"{words.get(row.direction, row.direction)} {row.started_at:%Y-%m-%d %H:%M %Z}"
        f" by {row.run_by}, {row.seconds:.2f} s"
        for row in connection.execute(_LAST_OF_OLD)
    }
