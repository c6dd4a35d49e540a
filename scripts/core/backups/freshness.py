"""Find a backup that has the present state of a database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from scripts.core.backups import integrity, store
from scripts.core.backups.manifest import Manifest, TableSize
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres import connections, databases, environments, own_tables, system_identifier
from scripts.core.revisions import history
from scripts.core.rows import row_estimate
from scripts.core.settings import Settings

SLACK = timedelta(seconds=5)
"""The largest accepted difference between the clocks of two machines."""

SHOWN = 5
"""Tables that are named."""
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


def written_since(target: Settings, manifest: Manifest) -> str:
    """Return which tables have other numbers of rows now than in the backup, as a sentence, or nothing.

    Large tables are estimated, so they count only from a difference of a tenth. If the database does not answer, there
    is nothing to say.
    """
    try:
        with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
            now = row_estimate.read(connection)
    except UserError:
        return ""
    pairs = [(name, rows, there) for name, rows in now.items() if (there := _of_table(manifest, name))]
    changed = [
        f"{name} has {rows} now, {there.rows:,} in the backup"
        for name, rows, there in pairs
        if abs(rows.number - there.rows) > (0 if rows.exact else there.rows / 10)
    ]
    more = [f"and {len(changed) - SHOWN} more"] if len(changed) > SHOWN else []
    return f"The database was written since this backup: {'; '.join(changed[:SHOWN] + more)}." if changed else ""


def _of_table(manifest: Manifest, name: str) -> TableSize | None:
    return manifest.tables.get(name) or manifest.tables.get(f"public.{name}")


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
