"""Files that code on throwaway databases must not read, because they contain the target's passwords.

A process calls `hide`. For a check this file is a program: hidden_files.py CHECK.py FILE... runs CHECK.py without these
files. It imports no module of this project, because a check may run with the files of another release.
"""

import errno
import os
import runpy
import stat
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

REFUSAL = "is not for checks: read os.environ"
Refuse = Callable[[str, str], Exception]
"""Returns the error for a path and the place that opens it."""


def hide(paths: Iterable[str], refuse: Refuse) -> None:
    """Hide these files: os.stat does not find them, and opening one raises the error from `refuse`.

    Libraries that read .env first check whether it exists, and go on without it. This cannot be undone: see
    `sys.addaudithook`. It stops mistakes, not an attacker.
    """
    look = os.stat
    hidden = {identity for path in paths if (identity := _identity(path, look))}
    if not hidden:
        return

    def without(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        found = look(path, *arguments, **options)
        if (found.st_dev, found.st_ino) in hidden:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and not isinstance(arguments[0], int | None) and _identity(arguments[0], look) in hidden:
            raise refuse(os.fsdecode(arguments[0]), _place())

    os.stat = without
    sys.addaudithook(audit)


def _identity(path: Any, look: Callable[..., os.stat_result]) -> tuple[int, int] | None:
    """Return the identity of a regular file. In a container .env is a device, which other code opens too."""
    try:
        found = look(path)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _place() -> str:
    """Return the innermost line outside the standard library and installed packages."""
    frame: FrameType | None = sys._getframe(2)
    libraries = (sys.base_prefix, sys.prefix, os.path.dirname(os.__file__), "<frozen")
    while frame:
        path = frame.f_code.co_filename
        if not path.startswith(libraries):
            return f"{os.path.relpath(path)}, line {frame.f_lineno}"
        frame = frame.f_back
    return "A library"


def _run_check(check: str, *hidden: str) -> None:
    hide(hidden, lambda path, _place: PermissionError(f"{os.path.basename(path)} {REFUSAL}"))
    sys.argv, sys.path[0] = [check], os.path.dirname(check)
    runpy.run_path(check, run_name="__main__")


if __name__ == "__main__":
    _run_check(*sys.argv[1:])
