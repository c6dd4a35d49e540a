"""Proving a backup: quick reads all of it, full restores it on the scratch server. What comes out is written down."""

import time
from dataclasses import replace

from scripts.core import scratch
from scripts.core.backups import check, load, manifest
from scripts.core.backups.archive import Backup
from scripts.core.backups.manifest import Check
from scripts.core.backups.progress import Show
from scripts.core.errors import UserError
from scripts.core.mutex import Tell
from scripts.core.settings import Settings

QUICK, FULL = "quick", "full"


def verify(target: Settings, backup: Backup, mode: str, tell: Tell, show: Show) -> Backup:
    """Returns the backup with the check in its manifest. Raises UserError, after having written that down, when it is
    not what was backed up; when the scratch server does not answer there is nothing to write.
    """
    started = time.monotonic()
    found = check.damage(backup) or check.undecodable(backup.dump, backup.manifest.client)
    problem = UserError(f"{backup.name} is damaged: {found}.", do="make backup") if found else None
    if mode == FULL and not problem:
        with scratch.session(target) as server:
            try:
                load.fill(backup, scratch.create(server), tell, show)
            except UserError as error:
                problem = error
    made = Check(
        manifest.now(), mode, not problem, round(time.monotonic() - started, 2), problem.problem if problem else ""
    )
    checked = replace(backup, manifest=manifest.add(backup.path, backup.manifest, made, tell))
    if problem:
        raise problem
    return checked


def require_whole(backup: Backup) -> None:
    """Raises UserError when any file is not what was written."""
    found = check.damage(backup)
    if found:
        raise UserError(f"{backup.name} is damaged: {found}.", do="restore another   (make backups lists them)")
