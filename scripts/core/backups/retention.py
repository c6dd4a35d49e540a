"""Which backups may go: never the newest, never the one that was proven last, and none after a failed run."""

import re
from datetime import UTC, datetime, timedelta

from scripts.core.backups import selection
from scripts.core.backups.store import Backup, Listing
from scripts.core.errors import USAGE, UserError


def superfluous(listing: Listing, database: str, cluster: str, rule: str) -> list[Backup]:
    """The backups of this database of this server that a rule such as `5,30d` does not keep, oldest first.

    Raises UserError for another rule, and when the last backup or its copy elsewhere has failed: then the old ones are
    all there is.
    """
    number, days = _parse(rule)
    if listing.failed:
        raise UserError(
            f"Nothing is removed: the last backup failed and left {listing.failed[-1]}.",
            do="make backup, then this again",
        )
    ours = selection.of_database(listing, database, cluster)
    after = ours[-1].manifest.last("after") if ours else None
    if after and not after.passed:
        raise UserError(
            f"Nothing is removed: BACKUP_AFTER failed for the last backup, {ours[-1].name}: {after.found}",
            do="mend it, make backup, then this again",
        )
    since = datetime.now(UTC) - timedelta(days=days)
    staying = {backup.name for backup in ours[-number:]}
    # Without days none is kept for its time, which may be a moment ahead.
    staying |= {backup.name for backup in ours if days and backup.manifest.created >= since}
    staying |= {backup.name for backup in [one for one in ours if _is_proven(one)][-1:]}
    return [backup for backup in ours if backup.name not in staying]


def _parse(rule: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})(?:,(\d{1,4})d)?", rule.replace(" ", ""), re.ASCII)
    if not found or int(found[1]) == 0:
        raise UserError(
            f"KEEP={rule} is not a number of backups, and of days.",
            do="make backups KEEP=5, or KEEP=5,30d",
            code=USAGE,
        )
    return int(found[1]), int(found[2] or 0)


def _is_proven(backup: Backup) -> bool:
    """Whether its last check was a restore that went well."""
    last = backup.manifest.last("quick", "full")
    proven = backup.manifest.last("full")
    return bool(last and last.passed and proven and proven.passed)
