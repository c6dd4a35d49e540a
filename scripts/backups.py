"""List the backups, and the databases that restores have kept.

    make backups
    make backups JSON=1                         print one JSON document
    make backups KEEP=5,30d                     show what would be removed: all but the newest 5 and the last 30 days
    make backups KEEP=5,30d CONFIRM=backups     remove them; CONFIRM is the name of the folder

The newest verified backup always stays. After a failed backup nothing is removed.
"""

import json
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scripts.core import overrides, settings
from scripts.core.backups import kept_databases, retention, selection, store
from scripts.core.backups.kept_databases import KeptDatabase
from scripts.core.backups.manifest import Check
from scripts.core.backups.store import Backup, Listing
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.postgres import databases, replacement, system_identifier


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.backups")
    parser.add_argument("--keep", default="", metavar="RULE", help="backups and days that are kept, such as 5,30d")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    arguments = parser.parse_args(argv)

    target = settings.load()
    folder = target.backups.folder
    name = databases.name_of(target.database_url)
    listing = store.list_all(folder)
    if arguments.keep:
        return keep(listing, folder.name, name, target, arguments.keep)
    identity = None
    try:
        with databases.server(target) as server:
            identity = system_identifier.identity(server)
            databases_kept, unfinished = kept_databases.list_all(server, name), replacement.left(server, name)
            doubtful = kept_databases.doubtful(server, name)
    except UserError as error:
        console.warn(error.problem)
        databases_kept, unfinished, doubtful = [], [], []
    if arguments.json:
        console.document(json.dumps(document(listing, databases_kept, identity), indent=2))
    else:
        show(folder, listing, databases_kept, name, identity)
        for doubt in doubtful:
            console.warn(f"{doubt} If it belongs to {name}: {doubt.cure}")
        for made in unfinished:
            console.warn(f"{made}: a database that an interrupted restore or reset left. The next one removes it.")
    return 0


def document(listing: Listing, databases_kept: list[KeptDatabase], identity: str | None) -> dict[str, Any]:
    """Return what --json prints. Programs may rely on these names; "format" grows when one of them changes."""
    return {
        "format": 2,
        "cluster": identity,
        "backups": [row(backup) for backup in listing.backups],
        "no_backups": listing.others,
        "failed": listing.failed,
        "kept_databases": [{"name": one.name, "bytes": one.bytes} for one in databases_kept],
    }


def row(backup: Backup) -> dict[str, Any]:
    found = backup.manifest
    check, after = found.last("quick", "full"), found.last("after")
    return {
        "name": backup.name,
        "database": found.database,
        "cluster": found.cluster,
        "environment": found.environment,
        "label": found.label,
        "created_at": found.created_at,
        "seconds": found.seconds,
        "bytes": found.bytes,
        "rows": found.rows,
        "revision": found.revision,
        "excluded": found.excluded,
        "verified": {"at": check.at, "kind": check.kind, "passed": check.passed} if check else None,
        "after": {"at": after.at, "passed": after.passed} if after else None,
    }


def show(
    folder: Path, listing: Listing, databases_kept: list[KeptDatabase], database: str, identity: str | None
) -> None:
    if not listing.backups:
        console.say(f"There is no backup in {folder} yet: make backup")
    for backup in listing.backups:
        show_backup(backup, selection.whose(backup, database, identity))
    for name, why in listing.others.items():
        console.warn(f"{name}: {why}")
    for name in listing.failed:
        console.warn(f"{name}: left by a failed backup. The next backup removes it.")
    for one in databases_kept:
        console.say(f"Kept by a restore: {one.name}, {one.bytes / 1e6:,.1f} MB")
        console.say(f"  Restore it:  make restore BACKUP={shlex.quote(one.name)}")
        console.say(f"  Drop it:     {kept_databases.drop_command(one.name)}")


def show_backup(backup: Backup, whose: str) -> None:
    found = backup.manifest
    console.say(backup.name, "bold")
    console.say(
        f"  {age(found.created)} old, {found.bytes / 1e6:,.1f} MB, at {', '.join(found.revision) or 'base'},"
        f" took {found.seconds:.1f} s, {verified(backup)}"
    )
    if whose:
        console.say(f"  {whose[0].upper()}{whose[1:]}.")
    after = found.last("after")
    if after and not after.passed:
        console.say(f"  The command in BACKUP_AFTER FAILED: {after.found}")


def verified(backup: Backup) -> str:
    """Return the result and the time of the last check."""
    full, last = backup.manifest.last("full"), backup.manifest.last("quick", "full")
    failed = next((check for check in (last, full) if check and not check.passed), None)
    if failed:
        return f"FAILED its check {ago(failed)}: {failed.found}"
    if full:
        return f"restored in a test {ago(full)}"
    return f"{'read ' + ago(last) + ', ' if last else ''}never restored in a test   (make verify-backup)"


def ago(check: Check) -> str:
    return f"{age(datetime.fromisoformat(check.at))} ago"


def age(then: datetime) -> str:
    """Return the age in the largest unit."""
    seconds = (datetime.now(UTC) - then) / timedelta(seconds=1)
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def keep(listing: Listing, folder: str, database: str, target: settings.Settings, rule: str) -> int:
    """Remove or list this server's backups of this database that the rule does not keep."""
    identity = system_identifier.look(target)
    if identity is None:
        raise UserError(
            "Nothing is removed: the server does not answer.",
            why="Only the server can say which backups are its own.",
            do="make up, then run this again",
        )
    unknown = [one.name for one in listing.backups if one.manifest.is_of(database, None) and not one.manifest.cluster]
    if unknown:
        console.warn(f"Not removed, because the server is unknown: {len(unknown)}, such as {unknown[0]}.")
    return tidy(listing, folder, retention.superfluous(listing, database, identity, rule))


def tidy(listing: Listing, folder: str, superfluous: list[Backup]) -> int:
    """Remove the backups if CONFIRM names the folder. Otherwise only list them."""
    confirmed = overrides.confirmed()
    if confirmed not in ("", folder):
        raise UserError(f"CONFIRM={confirmed} is not the name of the folder.", do=f"CONFIRM={shlex.quote(folder)}")
    for backup in superfluous:
        if confirmed:
            store.remove(backup)
        console.say(f"  {backup.name}  {'removed' if confirmed else 'would be removed'}")
    left = len(listing.backups) - len(superfluous)
    if superfluous and not confirmed:
        console.say(f"{counted(left, 'backup')} would stay. To remove the others: CONFIRM={shlex.quote(folder)}")
    else:
        console.done(f"{counted(len(superfluous), 'backup')} removed; {left} left.")
    return 0


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
