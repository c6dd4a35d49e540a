"""Temporary folders that the next command removes after a kill, because they hold schemas and code of users."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "alembic-tools-folder-"


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a new folder, and remove it after the block. Remove the folders of killed processes first."""
    for path in left():
        with suppress(OSError):
            shutil.rmtree(path)
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as made:
        yield Path(made)


def left() -> list[Path]:
    """Return the folders of killed processes of this account."""
    return [path for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*") if _is_abandoned(path)]


def _is_abandoned(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return path.stat().st_uid == os.getuid() and not runs(int(path.name.removeprefix(_PREFIX).split("-")[0]))
    return False


def runs(process: int) -> bool:
    """Return whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
