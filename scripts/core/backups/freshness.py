"""Find a backup that has the present state of a database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from scripts.core.backups import integrity, store
from scripts.core.backups.manifest import Manifest
from scripts.core.backups.store import Backup
from scripts.core.postgres import databases, environments, own_tables, system_identifier
from scripts.core.revisions import history

SLACK = timedelta(seconds=5)
"""The largest accepted difference between the clocks of two machines."""

_LOGGED = text(f"SELECT count(*) FROM {own_tables.LOG}")


def find(connection: Connection, folder: Path, seconds: float) -> Backup | None:
    """Return the newest complete backup of the connected database, with all its tables, or None.

    It is at most `seconds` old and newer than the last migration. The version and the length of the log show that, not
    clocks.
    """
    oldest = datetime.now(UTC) - timedelta(seconds=seconds)
    for backup in reversed(store.list_all(folder).backups):
        is_new = oldest <= backup.manifest.taken <= datetime.now(UTC) + SLACK
        if is_new and _is_of(connection, backup.manifest) and not integrity.damage(backup):
            return backup
    return None


def _is_of(connection: Connection, manifest: Manifest) -> bool:
    log = connection.scalar(
        text(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.oid = to_regclass(:table)"
        ),
        {"table": own_tables.LOG},
    )
    logged = connection.scalar(_LOGGED) if log else None
    there = manifest.tables.get(str(log))
    return (
        manifest.is_of(databases.name_of(connection.engine.url), system_identifier.identity(connection))
        and manifest.environment == environments.read(connection)
        and manifest.revision == sorted(history.current(connection))
        and (there.rows if there else None) == logged
        and not manifest.excluded
    )
