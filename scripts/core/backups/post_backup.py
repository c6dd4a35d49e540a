"""BACKUP_AFTER: the user's own command, which copies a backup to another place."""

import time
from dataclasses import replace

from scripts.core import subprocesses
from scripts.core.backups import manifest
from scripts.core.backups.manifest import Check
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError

AFTER = "after"


def run(backup: Backup, command: str) -> Backup:
    """Run the command with sh and record the result. $1 is the backup's folder, standard input is its manifest.

    Raise UserError if it fails. The backup itself is complete.
    """
    started = time.monotonic()
    text = (backup.path / manifest.FILE).read_text(encoding="utf-8")
    said = subprocesses.failure(["sh", "-c", command, "sh", str(backup.path)], text)
    check = Check(manifest.now(), AFTER, not said, round(time.monotonic() - started, 2), said.rpartition("\n")[2])
    checked = replace(backup, manifest=manifest.add(backup.path, backup.manifest, check))
    if said:
        raise UserError(
            f"BACKUP_AFTER failed: {check.found}",
            why=f"The command was: {command}",
            do="correct the command, then: make backup",
            state=f"the backup {backup.name} is complete and stays here.",
        )
    return checked
