"""Which backup a command means. Without a name it is one of this database on this server."""

from pathlib import Path

from scripts.core.backups import store
from scripts.core.backups.store import Backup, Listing
from scripts.core.errors import USAGE, UserError
from scripts.core.revisions import history
from scripts.core.revisions.history import History


def find(folder: Path, database: str, cluster: str | None, wanted: str) -> Backup:
    """Return the backup of this name or path, or else the newest with this NAME. `latest`: this database's newest.

    A name may select another server's backup, but those of this server come first; None: the server is unknown.
    Raise UserError with the existing backups if none fits.
    """
    listing = store.list_all(folder)
    if wanted in listing.others:
        raise UserError(listing.others[wanted], do="make backups")
    ours = of_database(listing, database, cluster)
    exact = [backup for backup in listing.backups if backup.name == Path(wanted).name]
    found = exact or [backup for backup in ours if wanted in (store.LATEST, backup.manifest.label)]
    found = found or [one for one in of_database(listing, database, None) if one.manifest.label == wanted != ""]
    if damaged := _unreadable(listing, database, wanted, found):
        raise UserError(listing.others[damaged], do="make backups; BACKUP=<name> selects another one")
    if found:
        return found[-1]
    there = ours or listing.backups
    raise UserError(
        f"There is no backup {wanted} of {database} in {folder}."
        if wanted != store.LATEST
        else f"There is no backup of {database} on this server in {folder}.",
        why=f"The newest {'ones' if ours else 'ones of other servers and databases'}:"
        f" {', '.join(backup.name for backup in there[-3:])}."
        if there
        else "",
        do="make backups   (lists them); BACKUP=<name> selects any" if there else "make backup",
        code=USAGE,
    )


def _unreadable(listing: Listing, database: str, wanted: str, found: list[Backup]) -> str | None:
    """Return the newest folder whose name fits better than what was found, but that is no whole backup, or None.

    An older backup in its place would bring back older rows without a word.
    """
    label = "" if wanted == store.LATEST else wanted
    newest = store.time_of(found[-1].name, database, "") if found else ""
    times = {name: store.time_of(name, database, label) for name in listing.others}
    return max((name for name, time in times.items() if time > newest), default=None)


def of_database(listing: Listing, database: str, cluster: str | None) -> list[Backup]:
    """Return the backups of this database on this server, oldest first; None: on any server."""
    return [backup for backup in listing.backups if backup.manifest.is_of(database, cluster)]


def whose(backup: Backup, database: str, cluster: str | None) -> str:
    """Return whose backup it is, as a text, or nothing for a backup of this database on this server."""
    found, words = backup.manifest, []
    if found.database != database:
        words.append(f"of the database {found.database}")
    if found.cluster is None:
        words.append("of an unknown server (an older version made it)")
    elif cluster not in (None, found.cluster):
        words.append("of another server")
    return ", ".join(words)


def fitting(folder: Path, database: str, cluster: str | None, revisions: History) -> list[str]:
    """Return the names of this database's backups at a revision of this checkout, the newest first."""
    ours = of_database(store.list_all(folder), database, cluster)
    return [backup.name for backup in reversed(ours) if not history.unknown(revisions, backup.manifest.revision)]
