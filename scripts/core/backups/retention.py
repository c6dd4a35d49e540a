"""Which backups can be removed: never the newest, never the newest verified one, and none after a failed run."""

import re
from datetime import UTC, datetime, timedelta

from scripts.core.backups import selection
from scripts.core.backups.store import Backup, Listing
from scripts.core.errors import USAGE, UserError


def superfluous(listing: Listing, database: str, cluster: str, rule: str) -> list[Backup]:
    """Return the backups of this database and server that a rule such as `5,30d` does not keep, oldest first.

    Raise UserError for an invalid rule. Also raise it if the last backup or its BACKUP_AFTER has failed, because no
    newer backup then replaces the old ones.
    """
    number, days = _parse(rule)
    if listing.failed:
        raise UserError(
            f"Nothing is removed: the last backup failed and left {listing.failed[-1]}.",
            do="make backup, then run this again",
        )
    ours = selection.of_database(listing, database, cluster)
    after = ours[-1].manifest.last("after") if ours else None
    if after and not after.passed:
        raise UserError(
            f"Nothing is removed: BACKUP_AFTER failed for the last backup, {ours[-1].name}: {after.found}",
            do="correct that command, make backup, then run this again",
        )
    since = datetime.now(UTC) - timedelta(days=days)
    staying = {backup.name for backup in ours[-number:]}
    # Without days, no backup is kept for its age. Its time may be slightly in the future.
    staying |= {backup.name for backup in ours if days and backup.manifest.created >= since}
    staying |= {backup.name for backup in [one for one in ours if _is_proven(one)][-1:]}
    return [backup for backup in ours if backup.name not in staying]


def _parse(rule: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})(?:,(\d{1,4})d)?", rule.replace(" ", ""), re.ASCII)
    if not found or int(found[1]) == 0:
        raise UserError(
            f"KEEP={rule} is not a number of backups with an optional number of days.",
            do="make backups KEEP=5, or KEEP=5,30d",
            code=USAGE,
        )
    return int(found[1]), int(found[2] or 0)


def _is_proven(backup: Backup) -> bool:
    """Return whether its last check was a successful restore."""
    last = backup.manifest.last("quick", "full")
    proven = backup.manifest.last("full")
    return bool(last and last.passed and proven and proven.passed)
