"""Whether a database can be changed with its present state in a backup."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from scripts.core import cluster, databases, history, migration_log
from scripts.core.backups import archive, check
from scripts.core.backups.archive import Backup
from scripts.core.backups.manifest import Manifest

SLACK = timedelta(seconds=5)
"""So far may the clocks of two machines be apart."""

_LOGGED = text(f"SELECT count(*) FROM {migration_log.TABLE}")


def find(connection: Connection, folder: Path, seconds: float) -> Backup | None:
    """The newest backup of the connected database that is whole, no older than so many seconds, and was taken since the
    last migration; of all its tables.

    That no migration came after it is told by the version and the length of the log, not by clocks.
    """
    oldest = datetime.now(UTC) - timedelta(seconds=seconds)
    for backup in reversed(archive.list_all(folder).backups):
        is_new = oldest <= backup.manifest.taken <= datetime.now(UTC) + SLACK
        if is_new and _is_of(connection, backup.manifest) and not check.damage(backup):
            return backup
    return None


def _is_of(connection: Connection, manifest: Manifest) -> bool:
    log = connection.scalar(
        text(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.oid = to_regclass(:table)"
        ),
        {"table": migration_log.TABLE},
    )
    logged = connection.scalar(_LOGGED) if log else None
    there = manifest.tables.get(str(log))
    return (
        manifest.is_of(databases.name_of(connection.engine.url), cluster.identity(connection))
        and manifest.environment == databases.mark(connection)
        and manifest.revision == sorted(history.current(connection))
        and (there.rows if there else None) == logged
        and not manifest.excluded
    )
