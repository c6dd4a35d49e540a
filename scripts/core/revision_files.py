"""The files in which Alembic looks for revisions, and the places in them from which errors come."""

import configparser
import fcntl
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from scripts.core import ROOT
from scripts.core.errors import USAGE, UserError

_UNREADABLE = (configparser.Error, tomllib.TOMLDecodeError, UnicodeDecodeError)

_UNPROVEN = ".unproven-"
_unproven: dict[Path, Path] = {}
"""Folders of this process with files that are not proven, each with the folder in which these files will be."""


class _Config(Config):
    """Alembic's settings. It finds unproven files too."""

    def get_version_locations_list(self) -> list[str] | None:
        found = super().get_version_locations_list()
        if not _unproven:
            return found
        return [*(found or [f"{self.get_alembic_option('script_location')}/versions"]), *map(str, _unproven)]


def config() -> Config:
    return _Config(ROOT / "alembic.ini", toml_file=ROOT / "pyproject.toml")


@contextmanager
def unproven(after: Sequence[str]) -> Iterator[tuple[Path, Path]]:
    """Yield a folder in which only this process finds revision files, and the one in which they will be.

    `after`: the files of the revisions that they follow. What a killed process has left there is removed. Raise
    UserError if revisions are not written in UTF-8.
    """
    _require_utf_8()
    history = ScriptDirectory.from_config(config())
    places = [Path(folder).resolve() for folder in history._version_locations]
    place = next((one for one in places for path in after if Path(path).resolve().is_relative_to(one)), places[0])
    # Alembic reads every folder below the place if it is recursive. Otherwise only the place itself may be writable.
    parent = Path(history.dir).resolve() if history.recursive_version_locations else place
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_UNPROVEN}*"):
        with suppress(OSError), _locked(left):
            shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=_UNPROVEN, dir=parent))
    with _locked(folder):
        _unproven[folder] = place
        try:
            yield folder, place
        finally:
            del _unproven[folder]
            shutil.rmtree(folder)


def _require_utf_8() -> None:
    """Raise UserError if Alembic would write a revision in another encoding than that of Python's sources."""
    encoding = str(config().get_alembic_option("output_encoding") or "utf-8")
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise UserError(
            f"output_encoding of Alembic's configuration is {encoding}.",
            why="Python reads revision files in UTF-8.",
            do="remove that line",
            code=USAGE,
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, which ends with this process. Raise OSError if another process holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def option(name: str) -> str | None:
    """Return an option of Alembic's, from alembic.ini or [tool.alembic] in pyproject.toml.

    Return None if these cannot be read. Some options are read when a script is imported, before it can print an error.
    """
    try:
        return config().get_alembic_option(name) or None
    except _UNREADABLE:
        return None


def require_readable() -> None:
    """Raise UserError if alembic.ini or pyproject.toml cannot be read."""
    try:
        config().get_alembic_option("script_location")
    except _UNREADABLE as error:
        file = "alembic.ini" if isinstance(error, configparser.Error) else "alembic.ini or pyproject.toml"
        raise UserError(
            f"{file} cannot be read: {' '.join(str(error).split())}",
            do="correct that file",
            code=USAGE,
            check="configuration",
        ) from error


def source_files() -> frozenset[str]:
    """Return the real paths of all files in which Alembic looks for revisions, as set in alembic.ini."""
    found = ScriptDirectory.from_config(config())
    files = (path for folder in found._version_locations for path in Script._list_py_dir(found, folder))
    return frozenset(str(path.resolve()) for path in files)


def home() -> Path:
    """Return Alembic's own folder, which has env.py."""
    return Path(ScriptDirectory.from_config(config()).dir)


def folders() -> list[str]:
    """Return the folders in this checkout in which Alembic looks for revisions, with git's names."""
    return _inside(ScriptDirectory.from_config(config())._version_locations)


def all_folders() -> list[str]:
    """Return Alembic's own folder and those of the revisions, in this checkout, with git's names."""
    found = ScriptDirectory.from_config(config())
    return _inside([Path(found.dir), *found._version_locations])


def are_below() -> bool:
    """Return whether Alembic also looks for revisions in folders of these folders."""
    return bool(ScriptDirectory.from_config(config()).recursive_version_locations)


def _inside(found: Iterable[Path]) -> list[str]:
    proven = {folder.resolve() for folder in found} - {*_unproven}
    return sorted(shown(folder) for folder in proven if folder.is_relative_to(ROOT.resolve()))


def require_sources(paths: Iterable[str]) -> None:
    """Raise UserError for a revision without its source, which Alembic's option `sourceless` allows."""
    if compiled := next((path for path in paths if not path.endswith(".py")), ""):
        raise UserError(
            f"{shown(compiled)} is compiled, and its source is not here.",
            why="The migration log, make plan and make lint read the source of a revision.",
            do="put its .py file back, or remove that file",
        )


def shown(path: Path | str) -> str:
    """Return the path of a file from the top of this checkout, or the whole path of a file elsewhere.

    An unproven file has the path that it will have.
    """
    real, root = Path(path).resolve(), ROOT.resolve()
    for folder, place in _unproven.items():
        if real.is_relative_to(folder):
            real = place / real.relative_to(folder)
    return str(real.relative_to(root) if real.is_relative_to(root) else real)


def place(error: BaseException) -> str:
    """Return file and line of the revision file that an error comes from, or nothing."""
    files = source_files()
    if isinstance(error, SyntaxError) and error.filename in files:
        return f"{shown(error.filename)}, line {error.lineno}"
    trace, found = error.__traceback__, ""
    while trace:
        if trace.tb_frame.f_code.co_filename in files:
            found = f"{shown(trace.tb_frame.f_code.co_filename)}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return found
