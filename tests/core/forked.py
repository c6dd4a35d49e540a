"""What commands are forked from: a process that has imported other people's packages, and code that no test changes.

Half of the time of a short command would go into importing that.
"""

import encodings.idna  # noqa: F401
import gc
import importlib
import logging.config  # noqa: F401
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import dotenv.parser  # noqa: F401
import psycopg2.extras  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg2
import sqlalchemy.future
import sqlalchemy.orm  # noqa: F401

from scripts import core
from scripts.core import ROOT

UNCHANGED = Path("app", "settings.py"), Path("scripts", "core")
"""What of the project's code is imported before. A copy with another one imports everything itself."""

for found in pkgutil.walk_packages(core.__path__, f"{core.__name__}."):
    importlib.import_module(found.name)


@dataclass(frozen=True)
class Command:
    """What Python is called with, in a copy of the project or in this checkout."""

    words: Sequence[str]
    """-m MODULE or -c CODE, and its arguments."""
    folder: str
    environment: dict[str, str]
    files: Sequence[str | Connection] | Connection
    """Of standard input, output and error, open or by their paths; or a terminal."""


def become(command: Command) -> None:
    """Go on as this command, in a process that is forked for it."""
    os.chdir(command.folder)
    os.environ.clear()
    os.environ.update(command.environment)
    _open(command.files)
    if Path(command.folder) != ROOT:
        _move(Path(command.folder))
    sys.path[:0] = [command.folder]
    sys.dont_write_bytecode = True
    kind, what, *words = command.words
    sys.argv = [kind, *words]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(what, {"__name__": "__main__"})


def _open(files: Sequence[str | Connection] | Connection) -> None:
    if isinstance(files, Connection):
        os.login_tty(files.fileno())
    else:
        for number, file in enumerate(files):
            opened = os.open(file, os.O_RDWR | os.O_CREAT) if isinstance(file, str) else file.fileno()
            os.dup2(opened, number)
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    # A buffering of 1 is by lines, and of -1 on a terminal only.
    modes = ("r", -1), ("w", -1), ("w", 1)
    streams = [os.fdopen(n, mode, buffering, encoding, closefd=False) for n, (mode, buffering) in enumerate(modes)]
    sys.stdin, sys.stdout, sys.stderr = streams


def _move(folder: Path) -> None:
    """Let what is imported name the copy where it names this checkout, or forget it where the copy has other code."""
    is_unchanged = all(_is_same(folder / part, ROOT / part) for part in UNCHANGED)
    for name in _ours("tests") if is_unchanged else _ours("app", "scripts", "tests"):
        del sys.modules[name]
    if is_unchanged:
        for name_the_copy in PLACES:
            name_the_copy(folder)


def _is_same(copied: Path, original: Path) -> bool:
    return copied.is_symlink() if copied.is_dir() else copied.read_bytes() == original.read_bytes()


def _ours(*packages: str) -> list[str]:
    return [name for name in sys.modules if name.split(".")[0] in packages]


def _places(module: ModuleType) -> Iterator[Callable[[Path], None]]:
    """What writes the path of a copy where the module has that of this checkout."""
    for name, value in vars(module).items():
        if _is_here(value):
            yield partial(_set_path, module, name, value.relative_to(ROOT))
        defaults = value.__defaults__ if isinstance(value, FunctionType) else None
        if defaults and any(map(_is_here, defaults)):
            yield partial(_set_defaults, value, defaults)
    if hasattr(module, "__path__"):
        yield partial(_set_search_path, module, [Path(path).relative_to(ROOT) for path in module.__path__])


def _is_here(value: object) -> bool:
    return isinstance(value, Path) and value.is_relative_to(ROOT)


def _set_path(module: ModuleType, name: str, path: Path, folder: Path) -> None:
    setattr(module, name, folder / path)


def _set_defaults(function: FunctionType, defaults: tuple[Any, ...], folder: Path) -> None:
    function.__defaults__ = tuple(folder / one.relative_to(ROOT) if _is_here(one) else one for one in defaults)


def _set_search_path(module: ModuleType, paths: list[Path], folder: Path) -> None:
    module.__path__ = [str(folder / path) for path in paths]


PLACES = [place for name in _ours("app", "scripts") for place in _places(sys.modules[name])]
"""Sought before the fork: a command would need as long for that as for all else it does to begin."""
gc.freeze()  # A quarter of a fork's time would go into looking through all that for garbage.
