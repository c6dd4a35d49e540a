"""The source of a revision: its file, and every file that it reads from the folder of Alembic.

Files beside it whose name begins with its own belong to it too: the downgrade has not read its part yet.
"""

import hashlib
import importlib.util
import os
import sys
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from scripts.core import ROOT, files_read, revision_files
from scripts.core.revisions import checksum

LARGEST = 1024 * 1024
"""Bytes of a file that the database keeps."""

_folders: list[str] = []
"""The folder of Alembic with a slash at its end, and its real path; nothing before the first call of `watch`."""
_read: dict[str, set[str]] = {}
"""What each revision's file has read there in this process."""


@dataclass(frozen=True)
class SourceFile:
    """A file as it was when the command began, or when the revision had read it."""

    name: str
    """Its path from the top of the checkout."""
    content: bytes

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def packed(self) -> bytes | None:
        """Return the compressed content, or None for a large file."""
        if len(self.content) > LARGEST:
            return None
        packer = zlib.compressobj(wbits=12, memLevel=5)  # a larger one takes longer to make than to pack a revision
        return packer.compress(self.content) + packer.flush()


@dataclass(frozen=True)
class Sources:
    """The sources of the revisions of one command."""

    own: dict[Path, SourceFile]
    siblings: dict[Path, list[Path]]

    @property
    def text(self) -> str:
        """Return the text of all files, as far as they are known before they run."""
        others = (other.read_bytes() for found in self.siblings.values() for other in found if other.is_file())
        contents = [*(one.content for one in self.own.values()), *others]
        return "\n".join(content.decode("utf-8", "replace") for content in contents)

    def of(self, path: Path, module: ModuleType | None) -> list[SourceFile]:
        """Return the revision's own file, and then the others that it has by now."""
        others = {*self.siblings.get(path, ()), *read_by(path, module)}
        return [self.own.get(path) or _file(path), *(_file(other) for other in sorted(others) if other.is_file())]


def load(paths: Iterable[Path]) -> Sources:
    """Return the sources of these revision files, before they run."""
    found = list(paths)
    return Sources({path: _file(path) for path in found}, siblings(found))


def watch(folder: str) -> None:
    """Note from now on which files below Alembic's folder each revision reads."""
    if not _folders:
        sys.addaudithook(_audit)  # It cannot be removed.
    _folders[:] = [os.path.join(path, "") for path in (os.path.abspath(folder), os.path.realpath(folder))]


def read_by(path: Path, module: ModuleType | None = None) -> set[Path]:
    """Return the files that a revision has read in this process, and the modules from there that it has names of."""
    if not (_read or module):
        return set()
    named = filter(None, map(_module, vars(module).values())) if module else ()
    files = {str(getattr(one, "__file__", None) or "") for one in named}
    below = {os.path.realpath(file) for file in files if _is_below(file) and file != str(path)}
    found = _read.get(os.path.realpath(path), set()) if _read else set()
    return {Path(file) for file in found | below if file != str(path)}


def all_read() -> dict[str, list[str]]:
    """Return what all revisions have read in this process, as another process needs it."""
    return {revision: sorted(files) for revision, files in _read.items()}


def others(path: Path, read: Mapping[str, Collection[str]]) -> list[Path]:
    """Return the files of a revision's source besides its own. `read`: what `all_read` returned where it ran."""
    found = {*siblings([path]).get(path, ()), *map(Path, read.get(os.path.realpath(path), ()))}
    return sorted(one for one in found if one.is_file())


def sums(files: Iterable[Path]) -> list[tuple[str, str]]:
    """Return the names and checksums of files, as `changed` compares them."""
    return [(one.name, one.sha256) for one in map(_file, files)]


def siblings(paths: Collection[Path]) -> dict[Path, list[Path]]:
    """Return for each revision file the files beside it that begin with its name and a dot, such as its SQL."""
    folders = {folder: _by_beginning(folder) for folder in {path.parent for path in paths}}
    return {path: found for path in paths if (found := folders[path.parent].get(path.stem))}


def changed(path: Path, applied: Iterable[tuple[str, str]]) -> str:
    """Return the first of the files that the revision had besides its own and that is not here now, or nothing.

    `applied`: names and checksums. A file beside the revision's may have got the revision's new name.
    """
    for name, sha256 in applied:
        files = [ROOT / name, *siblings([path]).get(path, ())]
        if not any(file.is_file() and _file(file).sha256 == sha256 for file in files):
            return name
    return ""


def text(path: Path) -> str:
    """Return the text of a revision's source, as far as it is known before it runs."""
    return next(texts([path]))


def texts(paths: Collection[Path]) -> Iterator[str]:
    """Yield the text of each source, as `text` does."""
    found = siblings(paths)
    for path in paths:
        files = [path, *found.get(path, ()), *sorted(read_by(path))]
        yield "\n".join(file.read_bytes().decode("utf-8", "replace") for file in files if file.is_file())


def _file(path: Path) -> SourceFile:
    return SourceFile(f"{_shown(path.parent)}/{path.name}", path.read_bytes())


@cache
def _shown(folder: Path) -> str:
    return revision_files.shown(folder)


def _by_beginning(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    others = (entry for entry in os.scandir(folder) if not entry.name.endswith(".py"))  # not the many revisions
    for entry in sorted(others, key=lambda one: one.name):
        stem, *endings = entry.name.split(".")
        if endings and "py" not in endings and entry.is_file():
            for number in range(len(endings)):
                found.setdefault(".".join([stem, *endings[:number]]), []).append(folder / entry.name)
    return found


def _module(value: object) -> object:
    """Return a module, or the one in which a function or class is."""
    return value if isinstance(value, ModuleType) else sys.modules.get(str(getattr(value, "__module__", "")))


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not (path := files_read.opened(event, arguments)):
        return
    if _is_below(path) and (revision := _running(sys._getframe(1))):
        for one in _source_of(os.path.realpath(path)):
            _read.setdefault(revision, set()).add(one)


def _source_of(path: str) -> Iterator[str]:
    """Yield the file itself, or that of which it is the compiled form."""
    if not path.endswith(".pyc"):
        yield path
    elif os.path.basename(os.path.dirname(path)) == "__pycache__":
        yield importlib.util.source_from_cache(path)


def _running(frame: FrameType | None) -> str:
    """Return the revision file whose code runs, or nothing. At its import it has no down_revision yet."""
    imported = ""
    while frame:
        if checksum.is_revision(frame):
            return os.path.realpath(frame.f_code.co_filename)
        if frame.f_code.co_name == "<module>" and _may_be_revision(frame.f_code.co_filename):
            imported = frame.f_code.co_filename
        frame = frame.f_back
    return os.path.realpath(imported) if imported else ""


def _may_be_revision(file: str) -> bool:
    return _is_below(file) and os.path.basename(file) != "env.py"


def _is_below(file: str) -> bool:
    return file.startswith(tuple(_folders))
