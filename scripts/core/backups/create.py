"""Taking a backup. pg_dump and the manifest see one snapshot, and a folder is named as a backup only when complete."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import durable_files, messages, overrides, sqlstates
from scripts.core.backups import (
    freshness,
    hash_partitions,
    integrity,
    inventory,
    left_out,
    manifest,
    post_backup,
    progress,
    schema_file,
    store,
)
from scripts.core.backups.inventory import Inventory
from scripts.core.backups.manifest import Check, Manifest
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres import advisory_lock, client_programs, connections, databases
from scripts.core.postgres.lock_modes import ACCESS_EXCLUSIVE
from scripts.core.postgres.user_tables import FIRST_OID
from scripts.core.revisions import migration_log
from scripts.core.schema import fingerprint
from scripts.core.settings import Settings

SMALLER = 4
"""A dump takes about this many times less space than its tables."""
NOTHING_KEPT = "no backup was made; the database was only read."

# Whether this session still has locks that pg_dump needs.
_HAS_LOCKS = text(
    f"SELECT NOT EXISTS (SELECT FROM pg_locks WHERE pid = :ours AND locktype = 'relation' AND relation >= {FIRST_OID}"
    " AND relation NOT IN (SELECT relation FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'relation'"
    " AND granted AND datname = current_database() AND application_name = 'alembic-dump'))"
)
_LOCKED = text(
    f"SELECT DISTINCT relation::regclass::text FROM pg_locks WHERE mode = '{ACCESS_EXCLUSIVE}'"
    f" AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND relation >= {FIRST_OID}"
)
_END_ORPHANS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'alembic-dump' AND usename = current_user"
)


@dataclass(frozen=True)
class Wanted:
    label: str = ""
    exclude: Sequence[str] = ()
    """Tables whose rows are left out."""


def make(target: Settings, wanted: Wanted) -> Backup:
    """Take a backup of the target. No migration and no other backup of it runs meanwhile.

    Raise UserError if that fails. Then there is no new backup, and the old ones are as they were.
    """
    store.require_label(wanted.label)
    try:
        with (
            connections.connect(target, application_name=_application(), isolation_level="AUTOCOMMIT") as holder,
            advisory_lock.hold(holder, target.limits.wait),
        ):
            made = take(target, holder, wanted)
    except DBAPIError as error:
        raise UserError(
            f"The backup was interrupted: {connections.first_line(error)}",
            do=connections.MORE_LOCKS if sqlstates.of(error) == sqlstates.OUT_OF_MEMORY else "run this again",
            state=NOTHING_KEPT,
        ) from error
    command = target.backups.after
    return post_backup.run(made, command) if command else made


def ensure_fresh(target: Settings, environment: str, *, of_now: bool = False) -> Backup | None:
    """Return the backup that the guards require before a change of the database. Take one if there is none.

    The guards depend on `environment`. Return None in development, for an empty database, and if the user overrode the
    guard. `of_now`: rows will be lost, so an earlier backup is not enough.
    """
    if environment == "development" or overrides.accepted("backup"):
        return None
    with connections.connect(target) as connection:
        if databases.is_empty(connection):
            return None
        there = freshness.find(connection, target.backups.folder, target.limits.backup_fresh)
    if there and not of_now:
        return there
    made = make(target, Wanted())
    messages.send(f"Taking a backup first: {made.name}")
    return made


def take(target: Settings, holder: Connection, wanted: Wanted) -> Backup:
    """Take a backup as `make` does, in a command that holds the advisory lock. `holder` is a session in autocommit."""
    started = time.monotonic()
    pg_dump = client_programs.find("pg_dump", connections.version(holder) // 10000, tls=connections.uses_tls(holder))
    # No other command has the advisory lock, so a dump that still runs here belongs to a killed backup.
    holder.execute(_END_ORPHANS)
    with store.partial(target.backups.folder) as made, inventory.snapshot(target, _application()) as snapshot:
        shared = inventory.export(snapshot)
        inventory.lock(snapshot)
        found, found_schema = inventory.read(snapshot), fingerprint.read(snapshot)
        excluded = inventory.excluded(snapshot, wanted.exclude)
        rows = {name: table.rows for name, table in found.tables.items() if name not in excluded}
        _require_space(made, found, excluded)
        words = [*_words(pg_dump, made, shared), *_rows_words(snapshot, found, excluded)]
        watch = _unlocking(snapshot, holder, progress.watch(holder, rows))
        said = client_programs.run(pg_dump, target.database_url, *words, tick=watch)
        _require_nothing(said, "pg_dump", list(holder.scalars(_LOCKED)) if said else [])
        schema_file.write(made, found_schema)
        without = left_out.find(snapshot)
        left_out.write(made, without)
        left_out.send_all(without.objects | schema_file.undumped(found_schema))
        _dump_roles(target, holder, pg_dump, made)
        undecodable = integrity.undecodable(made / "dump", client_programs.major(pg_dump))
        _require_nothing(undecodable, "pg_restore, which reads the dump again,")
        whole = Manifest(
            **vars(found),
            label=wanted.label,
            created_at=manifest.now(),
            seconds=round(time.monotonic() - started, 2),
            client=client_programs.major(pg_dump),
            compression=client_programs.compression(pg_dump),
            fingerprint=found_schema.fingerprint,
            fingerprint_version=fingerprint.FINGERPRINT_VERSION,
            excluded=excluded,
            files=integrity.sums(made),
            checks=[Check(manifest.now(), "quick", True, 0.0, "")],
        )
        return store.finish(made, whole)


def _words(pg_dump: str, made: Path, shared: str) -> list[str]:
    """Return the arguments for pg_dump, except those about rows."""
    return [
        "--format=directory",
        f"--compress={client_programs.compression(pg_dump)}",
        f"--snapshot={shared}",
        f"--lock-wait-timeout={inventory.LOCK_WAIT}s",
        f"--file={made / 'dump'}",
    ]


def _rows_words(snapshot: Connection, found: Inventory, excluded: Sequence[str]) -> list[str]:
    """Return the arguments for pg_dump that say which rows are dumped and how, and whether with planner statistics."""
    size = sum(table.bytes for name, table in found.tables.items() if name not in excluded)
    return [
        f"--jobs={client_programs.jobs(size)}",
        *(f"--exclude-table-data={table}" for table in excluded),
        *(["--load-via-partition-root"] if hash_partitions.may_move(snapshot) else []),
        *(["--statistics"] if found.server >= 180000 and not excluded else []),  # they contain values of rows
    ]


def _unlocking(snapshot: Connection, holder: Connection, show: Callable[[], None]) -> Callable[[], None]:
    """Return a function that releases our locks as soon as pg_dump has its own.

    Each table then has two locks, and a server has room for a limited number: see max_locks_per_transaction in
    PostgreSQL's documentation.
    """
    ours = {"ours": snapshot.scalar(text("SELECT pg_backend_pid()"))}
    locked = True

    def tick() -> None:
        nonlocal locked
        if locked and holder.scalar(_HAS_LOCKS, ours):
            inventory.unlock(snapshot)
            locked = False
        show()

    return tick


def _dump_roles(target: Settings, holder: Connection, pg_dump: str, made: Path) -> None:
    """Write all roles of the server as SQL, without passwords, for building the server again."""
    pg_dumpall = client_programs.find("pg_dumpall", client_programs.major(pg_dump), tls=connections.uses_tls(holder))
    words = ("--roles-only", "--no-role-passwords", f"--file={made / 'roles.sql'}")
    _require_nothing(client_programs.run(pg_dumpall, target.database_url, *words), "pg_dumpall")
    durable_files.sync(made / "roles.sql")


def _require_nothing(said: str, who: str, locked: Sequence[str] = ()) -> None:
    if said:
        raise UserError(
            f"{who} failed: {client_programs.reason(said)}",
            why=f"Another session works on {', '.join(locked)}, and a parallel dump does not wait." if locked else "",
            do=connections.MORE_LOCKS if "max_locks_per_transaction" in said else "correct that, then run this again",
            state=NOTHING_KEPT,
        )


def _require_space(made: Path, found: Inventory, excluded: Sequence[str]) -> None:
    needed = sum(table.bytes for name, table in found.tables.items() if name not in excluded) // SMALLER
    free = shutil.disk_usage(made).free
    if free < needed and not overrides.accepted("space"):
        raise UserError(
            f"{made.parent} has {free / 1e6:,.0f} MB free, and the backup may need {needed / 1e6:,.0f} MB.",
            do="remove old backups (make backups KEEP=3), or set BACKUP_DIR. Override with ACCEPT=space.",
            state=NOTHING_KEPT,
        )


def _application() -> str:
    return f"alembic-backup {migration_log.who()}"[:63]
