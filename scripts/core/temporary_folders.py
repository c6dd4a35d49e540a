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
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        with suppress(OSError, ValueError):
            if left.stat().st_uid == os.getuid() and not runs(int(left.name.removeprefix(_PREFIX).split("-")[0])):
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as made:
        yield Path(made)


def runs(process: int) -> bool:
    """Return whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
