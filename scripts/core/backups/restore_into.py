"""Filling an empty database from a backup, and comparing it with the manifest."""

from collections.abc import Callable

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import messages, overrides
from scripts.core.backups import database_properties, hash_partitions, inventory, left_out, progress, schema_file
from scripts.core.backups.inventory import Inventory
from scripts.core.backups.manifest import Manifest
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres import client_programs, connections, databases, sql
from scripts.core.postgres.sql import compose
from scripts.core.postgres.user_tables import EVERY
from scripts.core.schema import fingerprint
from scripts.core.settings import Settings

# The jobs are parallel already. The caller waits for a later commit, and no earlier commit can be missing then.
_QUICKLY = "-c synchronous_commit=off" + (
    " -c max_parallel_maintenance_workers=0" if client_programs.CORES <= client_programs.JOBS else ""
)
# A dump has no extended statistics. ANALYZE of a table with foreign children would read another server.
_WITHOUT_STATISTICS = text(
    f"SELECT format('%I.%I', n.nspname, c.relname) FROM {EVERY} WHERE c.relkind IN ('r', 'm')"
    " AND NOT EXISTS (WITH RECURSIVE below AS (SELECT c.oid UNION ALL SELECT inhrelid FROM pg_inherits JOIN below"
    "  ON inhparent = below.oid) SELECT FROM below JOIN pg_class f USING (oid) WHERE f.relkind = 'f')"
    " AND pg_relation_size(c.oid) > 0 AND (EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = c.oid) OR NOT EXISTS"
    " (SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)) ORDER BY 1"
)
ONLY_A_TRY = "what was restored is dropped, at the latest by the next run; everything else is as it was."


def require_server(backup: Backup, server: int) -> None:
    """Raise UserError if the server is of an older major version than the backup, or no fitting pg_restore is here."""
    if backup.manifest.server // 10000 > server // 10000:
        raise UserError(
            f"{backup.name} is of PostgreSQL {backup.manifest.server // 10000}, but the server is {server // 10000}.",
            why="A dump can only be restored into the same or a newer major version.",
            do="set POSTGRES_IMAGE, or DATABASE_URL, to a newer server",
        )
    client_programs.find("pg_restore", backup.manifest.client)


def require_extensions(backup: Backup, connection: Connection) -> None:
    """Raise UserError if the server lacks an extension of the backup. That is no fault of the backup."""
    there = set(connection.scalars(text("SELECT name FROM pg_available_extensions")))
    missing = [name for name in backup.manifest.extensions if name not in there]
    if missing:
        raise UserError(
            f"{backup.name} cannot be restored: the server lacks the extension {', '.join(missing)}.",
            why="The backed-up database has it, and its objects may need it.",
            do="install it there, or name a server that has it: POSTGRES_IMAGE or DATABASE_URL; for the scratch server"
            " SCRATCH_HOST",
            state=ONLY_A_TRY,
        )


def fill(backup: Backup, into: Settings) -> None:
    """Restore the dump into an empty database, and compare it. The first error ends the restore.

    Roles that the dump names and the server lacks are created first, without a login or any right. roles.sql has their
    definitions. Raise UserError if something fails, or differs from the manifest.
    """
    with connections.connect(into, application_name="alembic-restore", isolation_level="AUTOCOMMIT") as connection:
        require_server(backup, connections.version(connection))
        require_extensions(backup, connection)
        if not overrides.accepted("roles"):
            _make_roles(connection, backup.manifest.roles)
        rows = {name: rows for name, rows in _rows(backup.manifest).items() if rows}
        options = _options(backup, connection)
        _restore(backup, into, connection, options, progress.watch(connection, rows))
    # Before the comparison, because search_path may decide where the version table is.
    with databases.server(into) as server:
        database_properties.apply(server, databases.name_of(into.database_url), backup.manifest.properties)
    _compare(backup, into)


def _options(backup: Backup, connection: Connection) -> list[str]:
    """Return the arguments for pg_restore. They leave out what the server lacks and what belongs to other roles."""
    missing = left_out.missing_tablespaces(connection, left_out.read(backup.path).tablespaces)
    if missing:
        messages.send(f"Tables and indexes are in the default tablespace: this role cannot use {', '.join(missing)}.")
    is_parallel = schema_file.restorable_in_parallel(schema_file.read(backup.path))
    return [
        f"--jobs={_jobs(backup) if is_parallel else 1}",
        # Two databases cannot have the same subscription, and a database with one cannot be dropped.
        "--no-subscriptions",
        *(["--no-tablespaces"] if missing else []),
        *(["--no-owner", "--no-privileges"] if overrides.accepted("roles") else []),
    ]


def _restore(
    backup: Backup, into: Settings, connection: Connection, options: list[str], tick: Callable[[], None]
) -> None:
    words = ("--exit-on-error", *options, str(backup.dump))
    tls = connections.uses_tls(connection)
    pg_restore, vacuumdb = (
        client_programs.find(name, backup.manifest.client, tls=tls) for name in ("pg_restore", "vacuumdb")
    )
    said = client_programs.run(pg_restore, into.database_url, *words, tick=tick, options=_QUICKLY)
    said = said or analyze(connection, into, vacuumdb, _jobs(backup))
    if said:
        raise UserError(
            f"{backup.name} cannot be restored: {client_programs.reason(said)}",
            do="correct that, then run this again. If rights are missing, ACCEPT=superuser restores as the server's"
            " superuser, and ACCEPT=roles without owners and grants.",
            state=ONLY_A_TRY,
        )


def analyze(connection: Connection, into: Settings, vacuumdb: str, jobs: int) -> str:
    """Compute the planner's statistics of the tables without any. Return vacuumdb's error message, or nothing.

    A dump of PostgreSQL 18 may have them. An older dump has none.
    """
    missing = [f"--table={table}" for table in connection.scalars(_WITHOUT_STATISTICS)]
    if not missing:
        return ""
    return client_programs.run(vacuumdb, into.database_url, "--analyze-only", f"--jobs={jobs}", *missing)


def _jobs(backup: Backup) -> int:
    return client_programs.jobs(sum(table.bytes for table in backup.manifest.tables.values()))


def _make_roles(connection: Connection, roles: list[str]) -> None:
    there = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    missing = [role for role in roles if role not in there]
    try:
        for role in missing:
            sql.run(connection, compose("CREATE ROLE {} NOLOGIN", sql.name(role)))
    except DBAPIError as error:
        raise UserError(
            f"The server lacks the roles {', '.join(missing)}, which the backup names.",
            why=connections.first_line(error),
            do="have a superuser create them. To restore without owners and grants: ACCEPT=roles",
        ) from error


def _compare(backup: Backup, into: Settings) -> None:
    """Raise UserError unless the database has the schema, rows, large objects and revision of the backup."""
    with inventory.snapshot(into, "alembic-restore") as connection:
        found, found_schema = inventory.read(connection), fingerprint.read(connection)
        roots, heirs = hash_partitions.roots(connection), inventory.heirs(connection)
    saved = schema_file.read(backup.path)
    if overrides.accepted("roles"):
        saved, found_schema = saved.structure, found_schema.structure
    changes = schema_file.changes(saved, found_schema)
    if backup.manifest.fingerprint_version != fingerprint.FINGERPRINT_VERSION:
        # Another version reads and prints definitions differently. Missing objects have the same names in both.
        changes = [one for one in changes if one.kind == "structure" and one.found is None]
        messages.send(f"{backup.name} is of another version of these scripts: definitions and grants are not compared.")
    differences = [str(one) for one in changes] + _differences(backup.manifest, found, roots, heirs)
    if differences:
        raise UserError(
            f"{backup.name} was restored, but the result differs from what was backed up:"
            + "".join(f"\n    {one}" for one in differences),
            do="restore another backup (make backups). If rights are missing, restore as a superuser: ACCEPT=superuser",
            state=ONLY_A_TRY,
        )
    left_out.send_all(left_out.read(backup.path).objects | schema_file.undumped(saved))


def _differences(manifest: Manifest, found: Inventory, roots: dict[str, str], heirs: dict[str, list[str]]) -> list[str]:
    """Return differences in rows and other counts. Missing tables are differences of the schema."""
    expected = {name: rows for name, rows in _rows(manifest).items() if name in found.tables}
    own = {name: found.tables[name].rows for name in expected}
    now = dict(own)
    for name, below in heirs.items():
        # Older backups also counted the rows of inheriting tables.
        whole = own.get(name, 0) + sum(own.get(heir, 0) for heir in below)
        if expected.get(name) == whole:
            now[name] = whole
    pairs = {
        **{f"rows of {name}": counts for name, counts in _together(expected, now, roots).items()},
        "large objects": (manifest.large_objects, found.large_objects),
        "revision": (manifest.revision, found.revision),
    }
    return [f"{name}: {is_}, expected {was}" for name, (was, is_) in pairs.items() if was != is_]


def _together(expected: dict[str, int], now: dict[str, int], roots: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Return expected and found rows of each table. All hash partitions of a table are counted together."""
    pairs: dict[str, tuple[int, int]] = {}
    for name, rows in expected.items():
        was, is_ = pairs.get(roots.get(name, name), (0, 0))
        pairs[roots.get(name, name)] = (was + rows, is_ + now[name])
    return pairs


def _rows(manifest: Manifest) -> dict[str, int]:
    """Return the rows that each table has after a restore."""
    return {name: 0 if name in manifest.excluded else table.rows for name, table in manifest.tables.items()}
