"""What commands are forked from: a process that has imported other people's packages, and code that no test changes.

Half of the time of a short command would go into importing that.
"""

import encodings.idna  # noqa: F401
import gc
import importlib
import os
import pkgutil
import runpy
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import dotenv.parser  # noqa: F401
import psycopg2.extras  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg2  # noqa: F401

from scripts import core
from scripts.core import ROOT

UNCHANGED = Path("app", "settings.py"), Path("scripts", "core")
"""What of the project's code is imported before. A copy with another one imports everything itself."""

for found in pkgutil.walk_packages(core.__path__, f"{core.__name__}."):
    importlib.import_module(found.name)
gc.freeze()  # A quarter of a fork's time would go into looking through all that for garbage.


@dataclass(frozen=True)
class Command:
    """python -m <module>, in a copy of the project."""

    module: str
    words: Sequence[str]
    folder: str
    environment: dict[str, str]
    files: Sequence[str]
    """Of standard input, output and error."""


def become(command: Command) -> None:
    """Go on as this command, in a process that is forked for it."""
    os.chdir(command.folder)
    os.environ.clear()
    os.environ.update(command.environment)
    for number, path in enumerate(command.files):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    _move(Path(command.folder))
    sys.path[:0] = [command.folder]
    sys.dont_write_bytecode = True
    sys.argv = ["-m", *command.words]
    runpy.run_module(command.module, run_name="__main__", alter_sys=True)


def _move(folder: Path) -> None:
    """Let what is imported name the copy where it names this checkout, or forget it where the copy has other code."""
    ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] in ("app", "scripts", "tests")}
    is_unchanged = all(_is_same(folder / part, ROOT / part) for part in UNCHANGED)
    for name, module in ours.items():
        if is_unchanged and name.split(".")[0] != "tests":
            _name_the_copy(module, folder)
        else:
            del sys.modules[name]


def _is_same(copied: Path, original: Path) -> bool:
    return copied.is_symlink() if copied.is_dir() else copied.read_bytes() == original.read_bytes()


def _name_the_copy(module: ModuleType, folder: Path) -> None:
    def moved(value: Any) -> Any:
        return folder / value.relative_to(ROOT) if isinstance(value, Path) and value.is_relative_to(ROOT) else value

    for name, value in list(vars(module).items()):
        setattr(module, name, moved(value))
        if isinstance(value, FunctionType) and value.__defaults__:
            value.__defaults__ = tuple(map(moved, value.__defaults__))
    if hasattr(module, "__path__"):
        module.__path__ = [str(moved(Path(path))) for path in module.__path__]
