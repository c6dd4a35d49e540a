"""Checks of the backups of the target."""

from datetime import UTC, datetime, timedelta

from scripts.core.backups import selection, store
from scripts.core.backups.store import Backup, Listing
from scripts.core.doctor.diagnosis import fact
from scripts.core.doctor.facts import Facts
from scripts.core.errors import UserError
from scripts.core.postgres import databases, environments, system_identifier

OLD, NOT_VERIFIED = timedelta(days=2), timedelta(days=30)
"""Outside development: the age of the newest backup, and the time since one was restored in a test."""


def taken(facts: Facts) -> str:
    """Raise UserError if a backup is damaged, or if the newest one is old outside development."""
    listing, ours = _look(facts)
    damaged = [why for why in listing.others.values() if why.startswith("The manifest of ")]
    if damaged:
        raise UserError(" ".join(damaged), do="make backup; then remove the damaged folder")
    if not ours:
        return _judged(facts, "There is no backup of this database on this server.", "make backup")
    age = datetime.now(UTC) - ours[-1].manifest.taken
    found = f"The newest backup is {age / timedelta(hours=1):.0f} hours old: {ours[-1].name}."
    return _judged(facts, found, "make backup") if age > OLD else found


def verified(facts: Facts) -> str:
    """Raise UserError if the newest backup failed its check, or if none was restored in a test for long."""
    _, ours = _look(facts)
    if not ours:
        return "there is none to verify"
    last = ours[-1].manifest.last("quick", "full")
    if last and not last.passed:
        raise UserError(f"{ours[-1].name} failed its check: {last.found}.", do="make backup")
    checks = [check for backup in ours if (check := backup.manifest.last("full")) and check.passed]
    newest = max((datetime.fromisoformat(check.at) for check in checks), default=None)
    if not newest or datetime.now(UTC) - newest > NOT_VERIFIED:
        days = f"for {NOT_VERIFIED.days} days" if newest else "yet"
        return _judged(facts, f"No backup was restored in a test {days}.", "make verify-backup")
    return f"one was restored in a test on {newest:%Y-%m-%d}"


def _look(facts: Facts) -> tuple[Listing, list[Backup]]:
    target, server = facts.target.known(), facts.server.known()
    listing = store.list_all(target.backups.folder)
    name = databases.name_of(target.database_url)
    return listing, selection.of_database(listing, name, system_identifier.identity(server))


def _judged(facts: Facts, found: str, cure: str) -> str:
    """Return what was found. Outside development, raise it."""
    stored = fact(lambda: environments.read(facts.server.known())).value
    if {facts.target.known().app_env, stored} != {"development"}:
        raise UserError(found, do=cure)
    return found
