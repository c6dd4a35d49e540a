"""Files that are on the disk when the function returns, even if the machine crashes then."""

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Replace a file in one step: after a crash it is completely the new one or the old one."""
    new = path.with_name(unfinished(path.name))
    new.write_text(text, encoding="utf-8")
    move(new, path)


def move(new: Path, path: Path) -> None:
    """Give a file its place in one step. It replaces the one that is there."""
    sync(new)
    new.replace(path)
    sync(path.parent)


def unfinished(name: str) -> str:
    """Return the name that a file has while it is written."""
    return f"{name}.new"


def sync(path: Path) -> None:
    """Bring the contents of a file, or the names in a folder, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
