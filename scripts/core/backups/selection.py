"""Which backup is meant. What is chosen without its name is of this database, and of this server."""

from pathlib import Path

from scripts.core.backups import store
from scripts.core.backups.store import Backup, Listing
from scripts.core.errors import USAGE, UserError
from scripts.core.revisions import history
from scripts.core.revisions.history import History


def find(folder: Path, database: str, cluster: str | None, wanted: str) -> Backup:
    """The backup of this name or path; else the newest whose NAME was this; `latest`: the newest of this database.

    By name it may be another server's, and those of this one come first; None: the server does not say which it is.
    Raises UserError when there is none, naming what there is.
    """
    listing = store.list_all(folder)
    if wanted in listing.others:
        raise UserError(listing.others[wanted], do="make backups")
    ours = of_database(listing, database, cluster)
    exact = [backup for backup in listing.backups if backup.name == Path(wanted).name]
    found = exact or [backup for backup in ours if wanted in (store.LATEST, backup.manifest.label)]
    found = found or [one for one in of_database(listing, database, None) if one.manifest.label == wanted != ""]
    if found:
        return found[-1]
    there = ours or listing.backups
    raise UserError(
        f"There is no backup {wanted} of {database} in {folder}."
        if wanted != store.LATEST
        else f"There is no backup of {database} in {folder}, as far as this server's are meant.",
        why=f"The newest {'are' if ours else 'of other servers and databases are'}"
        f" {', '.join(backup.name for backup in there[-3:])}."
        if there
        else "",
        do="make backups   (lists them); BACKUP=<name> takes any" if there else "make backup",
        code=USAGE,
    )


def of_database(listing: Listing, database: str, cluster: str | None) -> list[Backup]:
    """Return the backups of this database of this server, oldest first; None: of any server."""
    return [backup for backup in listing.backups if backup.manifest.is_of(database, cluster)]


def whose(backup: Backup, database: str, cluster: str | None) -> str:
    """Return in words whose backup it is, or nothing for one of this database of this server."""
    found, words = backup.manifest, []
    if found.database != database:
        words.append(f"of the database {found.database}")
    if found.cluster is None:
        words.append("of a server that it does not name, because an older version made it")
    elif cluster not in (None, found.cluster):
        words.append("of another server")
    return ", ".join(words)


def fitting(folder: Path, database: str, cluster: str | None, revisions: History) -> list[str]:
    """The names of this database's backups that are at a revision of this checkout, the newest first."""
    ours = of_database(store.list_all(folder), database, cluster)
    return [backup.name for backup in reversed(ours) if not history.unknown(revisions, backup.manifest.revision)]
