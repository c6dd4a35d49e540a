"""BACKUP_AFTER: the user's own command, which brings a backup elsewhere."""

import time
from dataclasses import replace

from scripts.core import subprocesses
from scripts.core.backups import manifest
from scripts.core.backups.manifest import Check
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres.advisory_lock import Tell

AFTER = "after"


def run(backup: Backup, command: str, tell: Tell) -> Backup:
    """Run the command by sh, with the backup's folder as $1 and its manifest on standard input; how it went is kept.

    Raises UserError when it fails; the backup itself is whole.
    """
    started = time.monotonic()
    text = (backup.path / manifest.FILE).read_text(encoding="utf-8")
    said = subprocesses.failure(["sh", "-c", command, "sh", str(backup.path)], text)
    check = Check(manifest.now(), AFTER, not said, round(time.monotonic() - started, 2), said.rpartition("\n")[2])
    checked = replace(backup, manifest=manifest.add(backup.path, backup.manifest, check, tell))
    if said:
        raise UserError(
            f"BACKUP_AFTER failed: {check.found}",
            why=f"It was: {command}",
            do="mend it, then: make backup",
            state=f"the backup {backup.name} is whole and stays here.",
        )
    return checked
