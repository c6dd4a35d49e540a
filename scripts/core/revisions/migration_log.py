"""The migration log: a table beside alembic_version. Each step writes a row in its own transaction."""

import os
import pwd
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection, text

from scripts.core import git, overrides, revision_files
from scripts.core.postgres import privileges
from scripts.core.postgres.own_tables import LOG
from scripts.core.revisions import checksum

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
    closed_at timestamptz)""")
# Tables of older versions of this code lack the last columns.
_IS_NEW = text(f"SELECT true FROM pg_attribute WHERE attrelid = to_regclass('{LOG}') AND attname = 'closed_at'")
_RENEW = text(
    f"ALTER TABLE {LOG} ADD COLUMN IF NOT EXISTS backup text, ADD COLUMN IF NOT EXISTS start_revisions text[],"
    " ADD COLUMN IF NOT EXISTS undoes text[], ADD COLUMN IF NOT EXISTS database_id text,"
    " ADD COLUMN IF NOT EXISTS closed_at timestamptz"
)
_INSERT = text(
    f"INSERT INTO {LOG} (revision, direction, started_at, seconds, run_by, app_version, git_commit, git_dirty,"
    " overrides, file_sha256, source_sha256, backup) VALUES (:revision, :direction, clock_timestamp()"
    " - make_interval(secs => :seconds), :seconds, :run_by, :app_version, :git_commit, :git_dirty,"
    " :overrides, :file_sha256, :source_sha256, :backup)"
)
_LAST = text(
    "SELECT DISTINCT ON (revision) revision, direction, started_at, seconds, run_by, file_sha256, source_sha256"
    f" FROM {LOG} WHERE direction <> '{ROLLBACK}' ORDER BY revision, id DESC"
)


@dataclass(frozen=True)
class Circumstances:
    """The circumstances under which a step was applied."""

    app_version: str | None
    git_commit: str | None
    """The commit of the image; None: that of the checkout."""
    overridden: Sequence[str] = ()
    """The refusals that ACCEPT has overridden."""
    backup: str = ""


def write(connection: Connection, step: MigrationInfo, seconds: float, how: Circumstances) -> None:
    """Write the row of a step into the existing table."""
    confirmed = [f"CONFIRM={overrides.confirmed()}"] if overrides.confirmed() else []
    accepted = [f"ACCEPT={','.join(how.overridden)}"] if how.overridden else []
    direction = "stamp" if step.is_stamp else "upgrade" if step.is_upgrade else "downgrade"
    # A stamp is recorded under the new version: a stamp to an older revision says nothing about the newer one.
    revisions = step.destination_revision_ids if step.is_stamp else step.up_revision_ids
    path = getattr(step.revision_map.get_revision(revisions[0]), "path", None) if revisions else None
    sums = checksum.sums(Path(path)) if path else (None, None)
    connection.execute(
        _INSERT,
        {
            "revision": ", ".join(revisions) or "base",
            "direction": direction,
            "seconds": seconds,
            "run_by": who(),
            "file_sha256": sums[0],
            "source_sha256": sums[1],
            "overrides": " ".join(confirmed + accepted) or None,
            "backup": how.backup or None,
            "app_version": how.app_version,
            **_code(how.git_commit),
        },
    )


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
    """Tell autogenerate to ignore the log, which belongs to no model."""
    return not (kind == "table" and name == LOG)


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
def _code(git_commit: str | None) -> dict[str, Any]:
    commit = git.commit()
    return {
        "git_commit": git_commit or commit,
        "git_dirty": bool(git.uncommitted(revision_files.folders())) if commit else None,
    }


def edited(connection: Connection, files: dict[str, Path]) -> list[str]:
    """Return the applied revisions whose file now does something else. `files`: id to path.

    A file with the same plain checksum is not parsed. A comment or another layout is no edit.
    """
    if not exists(connection):
        return []
    changed = []
    for row in connection.execute(_LAST):
        path = files.get(row.revision)
        if (
            path
            and row.direction != "downgrade"
            and row.file_sha256
            and checksum.differs(path, row.file_sha256, row.source_sha256)
        ):
            changed.append(str(row.revision))
    return changed


def settled(connection: Connection, revisions: Sequence[str]) -> bool:
    """Return whether one of these revisions was applied more than a day ago."""
    rows = connection.execute(_LAST).all() if exists(connection) else []
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
        for row in connection.execute(_LAST)
    }
