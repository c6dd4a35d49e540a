"""The folder of the backups: made under a partial name, renamed when whole, listed, found by name.

A folder in it is a backup when it has a manifest. One that is being made is called `.partial-...` and locked by its
maker; without that lock its maker is dead or has failed, and the next backup removes it.
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

from scripts.core.backups import manifest
from scripts.core.backups.manifest import Manifest
from scripts.core.errors import USAGE, UserError
from scripts.core.postgres.advisory_lock import Tell

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
    """What else lies in the folder: name, and why it is no backup."""
    failed: list[str]
    """Names of partial folders whose maker is gone."""


def list_all(folder: Path) -> Listing:
    """What is in the folder; nothing where there is none."""
    backups, others, failed = [], {}, []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(PARTIAL):
            if _is_abandoned(path):
                failed.append(path.name)
            continue
        try:
            backups.append(Backup(path, manifest.read(path)))
        except UserError as error:
            others[path.name] = error.problem
    return Listing(sorted(backups, key=lambda backup: backup.manifest.created), others, failed)


def require_label(label: str) -> None:
    """Raises UserError for a NAME that cannot be a part of a folder's name, or that means something else."""
    if label and (label == LATEST or not _LABEL.fullmatch(label)):
        raise UserError(
            f"NAME={label} cannot name a backup.",
            why="It takes up to 40 letters, digits, dots, - and _, the first a letter or digit, and is not 'latest'.",
            do="make backup NAME=feature-x",
            code=USAGE,
        )


@contextmanager
def partial(folder: Path) -> Iterator[Path]:
    """A new folder, locked while the block runs, to be renamed by `finish`. If the block fails it is left empty, as a
    sign that the last run failed. What earlier runs left so is removed first.
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
        f"{folder} cannot be written: {error.strerror}.",
        do="make room there, or correct BACKUP_DIR in .env, or who owns the folder",
    )


def finish(made: Path, found: Manifest, tell: Tell) -> Backup:
    """Write the manifest and give the folder its name; both are on the disk afterwards.

    Its time is never before that of the database's newest backup, so that `latest` is the one taken last.
    """
    folder = made.parent
    with _locked(folder):
        others = [backup.manifest for backup in list_all(folder).backups]
        newest = max((other.created for other in others if other.database == found.database), default=None)
        if newest and newest >= found.created:
            if newest - datetime.now(UTC) > timedelta(minutes=1):
                tell(f"The clock of this machine is behind the newest backup, which says {newest:%Y-%m-%d %H:%M %Z}.")
            found = _later(found, newest)
        # Another database's name may look the same in a folder's name.
        while (path := folder / name(found.database, found.created, found.label)).exists():
            found = _later(found, found.created)
        manifest.write(made, found)
        made.rename(path)
        manifest.sync(folder)
    return Backup(path, found)


def _later(found: Manifest, than: datetime) -> Manifest:
    return replace(found, created_at=(than + timedelta(seconds=1)).isoformat(timespec="seconds"))


def remove(backup: Backup) -> None:
    """Delete a backup; what a kill in the middle leaves is no backup, and abandoned.

    Alone, or the next backup would delete what is abandoned at the same time. Raises UserError when it cannot.
    """
    folder, gone = backup.path.parent, backup.path.with_name(PARTIAL + backup.name)
    try:
        with _locked(folder):
            backup.path.rename(gone)
            shutil.rmtree(gone)
    except OSError as error:
        raise _unwritable(folder, error) from error


def files(path: Path) -> Iterator[str]:
    """Everything under a backup but its manifest, by its path there: links and empty folders too.

    Nor is it a manifest of which a kill left a part.
    """
    for root, folders, names in os.walk(path):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        empty = [""] if not folders and not names else []
        for name in [*names, *links, *empty]:
            found = str((Path(root) / name).relative_to(path))
            if found not in (manifest.FILE, manifest.NEW):
                yield found


def name(database: str, created: datetime, label: str) -> str:
    """Sorts by database, then time."""
    database = re.sub(r"[^A-Za-z0-9_-]", "_", database)
    return "-".join(filter(None, (database, f"{created:%Y%m%dT%H%M%SZ}", label)))


def _is_abandoned(path: Path) -> bool:
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
    """Alone in the folder, for moments only."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
