"""Verifying a backup: quick reads all of it, full restores it on the scratch server. The result is recorded."""

import time
from dataclasses import replace

from scripts.core import overrides
from scripts.core.backups import integrity, manifest, restore_into
from scripts.core.backups.manifest import Check
from scripts.core.backups.store import Backup
from scripts.core.errors import NoRoomError, UserError
from scripts.core.postgres import scratch, scratch_extensions, scratch_room
from scripts.core.postgres.scratch import Scratch
from scripts.core.settings import Settings

QUICK, FULL = "quick", "full"


def verify(target: Settings, backup: Backup, mode: str) -> Backup:
    """Return the backup with the check in its manifest.

    If it differs from what was backed up, record that and raise UserError. If the scratch server does not answer, is
    full, or lacks an extension, there is nothing to record.
    """
    started = time.monotonic()
    found = integrity.damage(backup) or integrity.undecodable(backup.dump, backup.manifest.client)
    problem = UserError(f"{backup.name} is damaged: {found}.", do="make backup") if found else None
    if mode == FULL and not problem:
        with scratch.session(target) as server:
            restore_into.require_extensions(backup, server.server)
            try:
                _restore(server, backup)
            except NoRoomError:
                raise
            except UserError as error:
                problem = error
    made = Check(
        manifest.now(), mode, not problem, round(time.monotonic() - started, 2), problem.problem if problem else ""
    )
    checked = replace(backup, manifest=manifest.add(backup.path, backup.manifest, made))
    if problem:
        raise problem
    return checked


def restored(server: Scratch, backup: Backup) -> Settings:
    """Restore the backup on the scratch server, and return settings of the new database. No user code may run there.

    The administrator restores owners and grants. Without them, everything belongs to the migrating role. Raise
    UserError as `restore_into.fill` does.
    """
    encoding = server.rights.encoding
    if overrides.accepted("roles"):
        made = scratch.create(server, encoding=encoding)
    else:
        scratch.require_equal_roles(server)
        scratch.make_roles(server, backup.manifest.roles)
        made = scratch.as_administrator(server, scratch.create(server, bare=True, encoding=encoding))
    _fill(backup, made)
    scratch_extensions.hand_over(server, made)
    return made


def _restore(server: Scratch, backup: Backup) -> None:
    """Restore the backup as `make restore` does: as the migrating role, or with ACCEPT=superuser as a superuser.

    Raise UserError as `make restore` does.
    """
    scratch.require_equal_roles(server)
    made = scratch.create(server, bare=True, encoding=server.rights.encoding)
    administrator = scratch.as_administrator(server, made)
    is_superuser = overrides.accepted("superuser") or server.rights.role.superuser
    _fill(backup, administrator if is_superuser else made)


def _fill(backup: Backup, into: Settings) -> None:
    try:
        restore_into.fill(backup, into)
    except UserError as error:
        raise scratch_room.explained(error) from error


def require_whole(backup: Backup) -> None:
    """Raise UserError if any file differs from what was written."""
    found = integrity.damage(backup)
    if found:
        raise UserError(f"{backup.name} is damaged: {found}.", do="restore another backup   (make backups lists them)")
