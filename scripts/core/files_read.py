"""The files of this checkout that the user's code reads while it runs. Its result depends on them."""

import hashlib
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
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
        revisions = revision_files.source_files()
        found |= {name for path in opened | modules if (name := _name(path, revisions))}


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


def _name(path: str, revisions: Collection[str]) -> str:
    """Return the path from the top of the checkout, or nothing for a file that does not count."""
    if not path or path.endswith((".pyc", ".pyo")):
        return ""  # compiled: the module counts by its source
    real, root = Path(path).resolve(), ROOT.resolve()
    if str(real) in revisions or not real.is_relative_to(root) or not real.is_file():
        return ""
    name = real.relative_to(root)
    return "" if name.parts[0] in LEFT_OUT else str(name)
