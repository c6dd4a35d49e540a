"""Write recovered files, and know which of them are not committed yet. A path from a database is not trusted."""

import importlib.util
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scripts.core import ROOT, durable_files, git, revision_files
from scripts.core.errors import UserError

LIST = ".recovered"
"""A file beside the revision files: the names of those that were recovered, one a line."""


@dataclass(frozen=True)
class RecoveredFile:
    name: str
    """Its path from the top of the checkout."""
    content: bytes
    where: str
    """Where it was found, as a text."""

    @property
    def text(self) -> str:
        """Return the content for people. Bytes that are no UTF-8 are shown as escapes."""
        return self.content.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def read_only(files: Iterable[RecoveredFile]) -> str:
    """Return a folder of these files in which none can be written, as in the image of a release; or nothing."""
    places = (ROOT / PurePosixPath(one.name) for one in files)
    folders = (next(parent for parent in place.parents if parent.is_dir()) for place in places if not place.exists())
    return next((str(folder) for folder in folders if not os.access(folder, os.W_OK)), "")


def write(files: Sequence[RecoveredFile]) -> list[str]:
    """Write the files that are not here, byte for byte, and return their names. The revision's own, the first, is last.

    Raise UserError, before anything is written, for a path that leads elsewhere and for another file in its place.
    """
    places = [(one, _place(one, is_own=number == 0)) for number, one in enumerate(files)]
    missing = [(one, place) for one, place in places if not place.exists()]
    _remember(one.name for one, _ in missing)  # first: an interruption must not leave a file that is not listed
    for one, place in reversed(missing):
        place.parent.mkdir(parents=True, exist_ok=True)
        _write(place, one.content)
    return [one.name for one, _ in missing]


def uncommitted() -> list[str]:
    """Return the recovered files that are here and not committed. Without git, that is all of them."""
    listed = [name for path in _lists() if path.is_file() for name in path.read_text("utf-8").splitlines()]
    here = [name for name in dict.fromkeys(listed) if (ROOT / name).is_file()]
    if not here or git.commit() is None:
        return here
    changed = {*git.uncommitted(revision_files.all_folders())}
    return [name for name in here if name in changed]


def lacks_module(name: str) -> bool:
    """Return whether a module, or a module in a package of this checkout, is missing. Import nothing."""
    first, *rest = name.split(".")
    folder = ROOT / first
    if not (folder.is_dir() or folder.with_suffix(".py").is_file()):
        return importlib.util.find_spec(first) is None
    for part in rest:
        folder = folder / part
        if not (folder.is_dir() or list(folder.parent.glob(f"{part}.*"))):
            return True
    return False


def _place(one: RecoveredFile, *, is_own: bool) -> Path:
    """Return where the file belongs. Raise UserError if it may not be written there."""
    path, allowed = PurePosixPath(one.name), revision_files.all_folders()
    parents = [str(parent) for parent in path.parents]
    near = parents[:1] if is_own and not revision_files.are_below() else parents
    is_inside = any(folder in near for folder in (revision_files.folders() if is_own else allowed))
    is_plain = str(path) == one.name and ".." not in path.parts and not path.is_absolute() and one.name.isprintable()
    if not (is_inside and is_plain and (path.suffix == ".py" or not is_own)):
        raise UserError(
            f"{one.name!r} is no path of a file in {allowed[0]}/.",
            why="The database names that path for a file of the revision. Only files there are written.",
            do="get the file from its author",
        )
    place = ROOT / path
    links = [parent for parent in (place, *place.parents) if parent != ROOT and ROOT in parent.parents]
    if linked := [parent for parent in links if parent.is_symlink()]:
        shown = linked[-1].relative_to(ROOT)
        raise UserError(
            f"{shown} is a link, and {one.name} would be written through it.", do=f"replace the link {shown}"
        )
    if place.exists() and not (place.is_file() and place.read_bytes() == one.content):
        raise UserError(
            f"{one.name} exists, with other contents than when the revision was applied.",
            do="rename it, run this again, and compare the two",
        )
    return place


def _write(place: Path, content: bytes) -> None:
    """Write a new file in one step. Raise FileExistsError if there is one meanwhile."""
    new = place.with_name(f".{durable_files.unfinished(place.name)}")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        durable_files.sync(new)
        os.link(new, place, follow_symlinks=False)
    finally:
        new.unlink(missing_ok=True)
    durable_files.sync(place.parent)


def _remember(names: Iterable[str]) -> None:
    path = _lists()[0]
    before = path.read_text("utf-8").splitlines() if path.is_file() else []
    durable_files.write(path, "".join(f"{name}\n" for name in dict.fromkeys([*before, *names])))


def _lists() -> list[Path]:
    return [ROOT / folder / LIST for folder in revision_files.folders()]
