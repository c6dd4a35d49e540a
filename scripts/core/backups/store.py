"""The folder of the backups. A backup gets its name only when it is complete.

A subfolder with a manifest is a backup. While a backup is made, its folder is called `.partial-...` and its maker locks
it. Without that lock the maker was killed or has failed, and the next backup removes the folder.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scripts.core import durable_files, messages
from scripts.core.backups import manifest
from scripts.core.backups.manifest import Manifest
from scripts.core.errors import USAGE, UserError

PARTIAL = ".partial-"
LATEST = "latest"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True)
class Backup:
    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def dump(self) -> Path:
        return self.path / "dump"


@dataclass(frozen=True)
class Listing:
    backups: list[Backup]
    """Oldest first."""
    others: dict[str, str]
    """Other entries of the folder: name, and why it is no backup."""
    failed: list[str]
    """Names of partial folders whose maker has ended."""


def list_all(folder: Path) -> Listing:
    """Return the contents of the folder; nothing if it does not exist."""
    backups, others, failed = [], {}, []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(PARTIAL):
            if _is_abandoned(path):
                failed.append(path.name)
            continue
        if path.is_symlink():
            # Its backup is listed at its own place. Through the link it would be deleted as a second one.
            others[path.name] = f"{path.name} is no backup: it is a symbolic link."
            continue
        try:
            backups.append(Backup(path, manifest.read(path)))
        except UserError as error:
            others[path.name] = error.problem
    return Listing(sorted(backups, key=lambda backup: backup.manifest.created), others, failed)


def require_label(label: str) -> None:
    """Raise UserError for a NAME that cannot be part of a folder's name, or that has another meaning."""
    if label and (label == LATEST or not _LABEL.fullmatch(label)):
        raise UserError(
            f"NAME={label} cannot name a backup.",
            why="It has at most 40 letters, digits, dots, - and _, begins with a letter or digit, and is not 'latest'.",
            do="make backup NAME=feature-x",
            code=USAGE,
        )


@contextmanager
def partial(folder: Path) -> Iterator[Path]:
    """Yield a new folder, locked while the block runs, which `finish` renames.

    If the block fails, the folder stays empty, as a sign that the last run failed. Such folders of earlier runs are
    removed first.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder):
            for path in folder.glob(f"{PARTIAL}*"):
                if _is_abandoned(path):
                    shutil.rmtree(path)
            made = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder))
            claim = os.open(made, os.O_RDONLY)
            fcntl.flock(claim, fcntl.LOCK_EX)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield made
    except BaseException as error:
        for path in made.iterdir() if made.exists() else []:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            raise _unwritable(folder, error) from error
        raise
    finally:
        os.close(claim)


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"{folder} cannot be written: {error.strerror or error}.",
        do="make room there, or correct BACKUP_DIR in .env or the owner of the folder",
        check="disk",
    )


def finish(made: Path, found: Manifest) -> Backup:
    """Write the manifest and give the folder its name. Both are flushed to the disk.

    Its time is never before the newest backup of the database, so that `latest` is the one taken last.
    """
    folder = made.parent
    with _locked(folder):
        others = [backup.manifest for backup in list_all(folder).backups]
        newest = max((other.created for other in others if other.database == found.database), default=None)
        if newest and newest >= found.created:
            if newest - datetime.now(UTC) > timedelta(minutes=1):
                says = f"{newest:%Y-%m-%d %H:%M %Z}"
                messages.send(
                    f"The clock of this machine is behind the newest backup ({says}). The new one is dated after it."
                )
            found = _later(found, newest)
        # The name of another database may look the same in a folder's name.
        while (path := folder / name(found.database, found.created, found.label)).exists():
            found = _later(found, found.created)
        manifest.write(made, found)
        made.rename(path)
        durable_files.sync(folder)
    return Backup(path, found)


def _later(found: Manifest, than: datetime) -> Manifest:
    return replace(found, created_at=(than + timedelta(seconds=1)).isoformat(timespec="seconds"))


def remove(backup: Backup) -> None:
    """Delete a backup. A kill in the middle leaves a folder that is no backup, and that the next one removes.

    This takes a lock, because the next backup would delete the same folder. Raise UserError if it cannot be deleted.
    """
    folder, gone = backup.path.parent, backup.path.with_name(PARTIAL + backup.name)
    try:
        with _locked(folder):
            backup.path.rename(gone)
            shutil.rmtree(gone)
    except OSError as error:
        raise _unwritable(folder, error) from error


def files(path: Path) -> Iterator[str]:
    """Yield everything in a backup except its manifest, by its path: links and empty folders too.

    A partial manifest that a kill left is not listed either.
    """
    for root, folders, names in os.walk(path):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        empty = [""] if not folders and not names else []
        for name in [*names, *links, *empty]:
            found = str((Path(root) / name).relative_to(path))
            if found not in (manifest.FILE, manifest.NEW):
                yield found


def name(database: str, created: datetime, label: str) -> str:
    """Return the name of the folder. Names sort by database, then by time."""
    return "-".join(filter(None, (_stem(database), f"{created:%Y%m%dT%H%M%SZ}", label)))


def time_of(folder: str, database: str, label: str) -> str:
    """Return the time in the name of a folder, if it is a backup of this database with this label (empty: with any).

    Otherwise return nothing.
    """
    ending = f"-{re.escape(label)}" if label else "(-.*)?"
    found = re.fullmatch(rf"{re.escape(_stem(database))}-(\d{{8}}T\d{{6}}Z){ending}", folder)
    return found[1] if found else ""


def _stem(database: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", database)


def _is_abandoned(path: Path) -> bool:
    if path.is_symlink() or not path.is_dir():  # not made here
        return False
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
        finally:
            os.close(descriptor)
    return False


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder, for moments only."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
