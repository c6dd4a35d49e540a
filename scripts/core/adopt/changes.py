"""The changes of a checkout as one list. They are prepared in a folder, applied at once, and undone after a kill."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.core import ROOT, durable_files
from scripts.core.errors import UserError
from scripts.core.unfinished_adoption import FOLDER, JOURNAL

OLD = "old"


@dataclass(frozen=True)
class CheckoutChanges:
    prepared: Path
    """A folder with the new files, by their paths in the checkout."""
    written: list[str]
    removed: list[str]


@contextmanager
def working() -> Iterator[Path]:
    """Yield an empty folder for the preparation, and remove it after the block. Undo what a killed run has begun.

    Raise UserError if another run works here, or if the checkout cannot be written.
    """
    try:
        FOLDER.mkdir(exist_ok=True)
        lock = os.open(FOLDER / "lock", os.O_CREAT | os.O_RDWR)
    except OSError as error:
        raise UserError(
            f"{FOLDER} cannot be made: {error.strerror}",
            why="The changes are prepared on the file system of this checkout.",
            do=f"make {ROOT} writable",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise UserError("Another make adopt works in this checkout.", do="wait until it has ended") from error
    try:
        undo()
        _empty()
        yield FOLDER
    finally:
        if not JOURNAL.exists():
            shutil.rmtree(FOLDER, ignore_errors=True)
        os.close(lock)


def between(prepared: Path, removed: list[str]) -> CheckoutChanges:
    """Return the changes that replace the `removed` files by those that are prepared."""
    names = sorted(str(one.relative_to(prepared)) for one in prepared.rglob("*") if one.is_file() or one.is_symlink())
    written = [one for one in names if not _is_same(prepared / one, ROOT / one)]
    return CheckoutChanges(prepared, written, sorted({*removed} - {*names}))


def apply(changes: CheckoutChanges) -> None:
    """Change the checkout. If this fails or is interrupted, it is as it was before."""
    saved = [one for one in [*changes.written, *changes.removed] if os.path.lexists(ROOT / one)]
    for one in saved:
        _copy(ROOT / one, FOLDER / OLD / one)
    durable_files.write(JOURNAL, json.dumps({"written": changes.written, "saved": saved}))
    try:
        for one in changes.written:
            _copy(changes.prepared / one, ROOT / one)
        for one in changes.removed:
            (ROOT / one).unlink()
        _prune(changes.removed)
    except BaseException:
        undo()
        raise
    JOURNAL.unlink()


def restore() -> bool:
    """Undo the changes of a run that was killed. Return whether there were any. Raise UserError as `working` does."""
    if not JOURNAL.exists():
        return False
    with working():
        return True


def undo() -> None:
    """Undo the changes of a run that did not finish."""
    if not JOURNAL.exists():
        return
    begun = json.loads(JOURNAL.read_text(encoding="utf-8"))
    for one in begun["written"]:
        (ROOT / one).unlink(missing_ok=True)
        (ROOT / one).with_name(durable_files.unfinished(Path(one).name)).unlink(missing_ok=True)
    for one in begun["saved"]:
        _copy(FOLDER / OLD / one, ROOT / one)
    _prune(begun["written"])
    JOURNAL.unlink()


def _copy(source: Path, to: Path) -> None:
    """Replace a file in one step."""
    to.parent.mkdir(parents=True, exist_ok=True)
    new = to.with_name(durable_files.unfinished(to.name))
    shutil.copy2(source, new, follow_symlinks=False)
    new.replace(to)


def _prune(names: list[str]) -> None:
    """Remove the folders that are empty now, and what Python has made there. The revisions' folder stays."""
    for folder in sorted({parent for one in names for parent in Path(one).parents}, reverse=True):
        if folder in (Path(), Path("alembic/versions"), Path("tests/staging")):
            continue
        shutil.rmtree(ROOT / folder / "__pycache__", ignore_errors=True)
        with suppress(OSError):
            (ROOT / folder).rmdir()


def _empty() -> None:
    for one in FOLDER.iterdir():
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        elif one.name != "lock":
            one.unlink()


def _is_same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    return other.is_file() and one.read_bytes() == other.read_bytes()
