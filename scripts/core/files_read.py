"""The files of this checkout that the user's code reads while it runs. Its result depends on them."""

import hashlib
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from scripts.core import ROOT, revision_files

LEFT_OUT = (".git", ".venv", "scripts", "alembic.ini")
"""The tool itself, and packages: their versions are known without reading them."""

_open: list[set[str]] = []
"""Where opened files are noted. An audit hook cannot be removed, so it stays and does nothing when this is empty."""
_hooked: list[bool] = []


@contextmanager
def noted() -> Iterator[set[str]]:
    """Yield a set that has, after the block, the paths of the files that were read, from the top of the checkout.

    A module that was imported before the block counts too, because the block may use it. Revision files do not count.
    """
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    opened, found = set[str](), set[str]()
    _open.append(opened)
    try:
        yield found
    finally:
        _open.remove(opened)
        modules = {str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())}
        found |= set(_names(opened | modules, revision_files.source_files()))


def packages() -> list[str]:
    """Return the installed packages with their versions."""
    folders = (Path(folder) for folder in sys.path if folder.endswith("-packages"))
    return sorted(path.name for folder in folders for path in folder.glob("*.dist-info"))


def content(paths: Collection[str]) -> str:
    """Return a hash of these files as they are now."""
    total = hashlib.sha256()
    for path in sorted(paths):
        file = ROOT / path
        total.update(path.encode(errors="surrogateescape") + b"\0")
        total.update(hashlib.sha256(file.read_bytes()).digest() if file.is_file() else b"missing")
    return total.hexdigest()[:24]


def opened(event: str, arguments: tuple[Any, ...]) -> str:
    """Return the path of a file that an event of Python's audit opens for reading, or nothing."""
    if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
        return ""
    path, _mode, flags = arguments
    is_read = not (isinstance(flags, int) and flags & os.O_ACCMODE == os.O_WRONLY)
    return os.path.abspath(os.fsdecode(path)) if is_read else ""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _open and (path := opened(event, arguments)):
        _open[-1].add(path)


def _names(paths: Collection[str], revisions: Collection[str]) -> Iterator[str]:
    """Yield the paths from the top of the checkout of the files that count."""
    below = os.path.join(os.path.realpath(ROOT), "")
    real_folder = cache(os.path.realpath)  # hundreds of modules are in few folders
    for path in paths:
        if not path or path.endswith((".pyc", ".pyo")):
            continue  # compiled: the module counts by its source
        folder, name = os.path.split(os.path.abspath(path))
        real = os.path.realpath(path) if os.path.islink(path) else os.path.join(real_folder(folder), name)
        counts = real.startswith(below) and real not in revisions and os.path.isfile(real)
        if counts and (found := real.removeprefix(below)).partition(os.sep)[0] not in LEFT_OUT:
            yield found
