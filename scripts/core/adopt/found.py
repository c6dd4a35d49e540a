"""What an existing project has: its Alembic configuration, its dependencies, and its settings. It is only read."""

import os
import shlex
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.util import CommandError

from scripts.core import ROOT
from scripts.core.errors import USAGE, UserError

NOT_LOOKED_AT = {
    ".git",
    ".venv",
    "venv",
    "env",
    "node_modules",
    "__pycache__",
    "site-packages",
    ".tox",
    ".nox",
    "build",
}
TESTS = {"tests", "test", "docs", "doc", "examples"}
FILES_OF_A_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", ".git")
DEEP = 6
"""Folders below the top in which an alembic.ini is searched."""
SECTION = "alembic"


@dataclass(frozen=True)
class ExistingProject:
    folder: Path
    ini: Path | None
    """None: [tool.alembic] of its pyproject.toml has the configuration."""
    section: str = SECTION

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def configuration(self) -> str:
        """Return the file with Alembic's configuration, from the project's folder."""
        return str(self.ini.relative_to(self.folder)) if self.ini else "pyproject.toml"

    @property
    def folder_of_configuration(self) -> Path:
        return self.ini.parent if self.ini else self.folder

    @property
    def is_of_flask(self) -> bool:
        """Return whether Flask-Migrate runs the revisions: its alembic.ini lies beside env.py, and names no folder."""
        if not self.ini or not (env := self.ini.with_name("env.py")).is_file() or self.option("script_location"):
            return False
        return "current_app" in env.read_text(encoding="utf-8", errors="replace")

    def option(self, name: str) -> str:
        """Return an option of Alembic's, or nothing. Raise UserError if the file cannot be read."""
        try:
            toml = self.folder / "pyproject.toml"
            config = Config(
                str(self.ini) if self.ini else None,
                toml_file=str(toml) if toml.is_file() else None,
                ini_section=self.section,
            )
            value = config.get_alembic_option(name) or ""
            return " ".join(map(str, value)) if isinstance(value, list) else str(value)
        except (CommandError, IniError, ValueError, OSError) as error:
            raise UserError(f"{self.configuration} cannot be read: {error}", do="correct that file") from error


def find(given: str, name: str = "") -> ExistingProject:
    """Return the project that PROJECT= names: its folder, or its alembic.ini. `name`: the section of its configuration.

    Raise UserError if there is none, if it lies in this checkout, or if it has several Alembic environments.
    """
    path = Path(given).expanduser()
    if not path.exists():
        raise UserError(f"PROJECT={given} does not exist.", do="name the folder of the project", code=USAGE)
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise UserError(f"PROJECT={given} cannot be read.", do=f"chmod a+rX {shlex.quote(given)}", code=USAGE)
    path = path.resolve()
    folder = _top(path)
    for one in (path, folder):
        _require_elsewhere(one)
    _require_one_package(folder)
    ini = _configuration(path) if path.is_dir() else _named(path)
    return ExistingProject(folder, ini, _section(ini, name, given))


def _top(path: Path) -> Path:
    """Return the folder of the project that has this file, package or folder of env.py. scripts/runtimes/docker.sh has
    the same rule."""
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and not any((path / one).exists() for one in ("__init__.py", "env.py")):
        return path
    return next((one for one in (folder, *folder.parents) if _is_top(one)), folder)


def _is_top(folder: Path) -> bool:
    return any((folder / name).exists() for name in FILES_OF_A_PROJECT) or bool(_installed(folder))


def _installed(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.dist-info"))


def _require_one_package(folder: Path) -> None:
    several = _installed(folder)
    if len(several) > 1:
        raise UserError(
            f"{folder} has {len(several)} installed packages.",
            why="A project has a folder of its own.",
            do="install one of them elsewhere: pip install --no-deps --target ../project NAME",
            code=USAGE,
        )


def _named(file: Path) -> Path | None:
    """Return the alembic.ini that PROJECT names, or None for pyproject.toml. Raise UserError if it is neither."""
    if file.name == "pyproject.toml":
        return _configuration(file.parent)
    if not _is_configuration(file):
        raise UserError(f"{file} is no configuration of Alembic.", do="name its folder, or its alembic.ini", code=USAGE)
    return file


def _require_elsewhere(folder: Path) -> None:
    root = ROOT.resolve()
    if folder.is_relative_to(root) or root.is_relative_to(folder):
        where = "" if folder == root else "inside " if folder.is_relative_to(root) else "around "
        raise UserError(
            f"{folder} is {where}this checkout.",
            why="The project is copied, and its own folder is never changed.",
            do="name a project elsewhere: make adopt PROJECT=../project. To check what is here: make adopt",
            code=USAGE,
        )


def _configuration(folder: Path) -> Path | None:
    """Return the only alembic.ini, or None for [tool.alembic]. Raise UserError if there are none or several."""
    if (folder / "alembic.ini").is_file():
        return folder / "alembic.ini"
    found = [one for one in _files(folder) if _is_configuration(one)]
    if len(found) == 1:
        return found[0]
    if not found and _has_table(folder / "pyproject.toml"):
        return None
    if found:
        raise UserError(
            f"{folder.name} has {len(found)} Alembic environments:" + "".join(f"\n    {one}" for one in found),
            why="One checkout has one database, and one history.",
            do=f"name one of them: make adopt PROJECT={found[0]}",
            code=USAGE,
        )
    raise UserError(
        f"There is no Alembic configuration in {folder}.",
        why="A project is adopted by its alembic.ini, or by [tool.alembic] in its pyproject.toml.",
        do="name its alembic.ini: PROJECT=../project/path/alembic.ini. A project without Alembic: docs/adopt.md",
        code=USAGE,
    )


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        inner = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted({*folders} - NOT_LOOKED_AT - TESTS) if inner < DEEP else []
        yield from (Path(place, one) for one in sorted(files) if one.endswith(".ini"))


def _is_configuration(path: Path) -> bool:
    return path.name == "alembic.ini" or "script_location" in path.read_text(encoding="utf-8", errors="replace")


def _has_table(toml: Path) -> bool:
    return toml.is_file() and "[tool.alembic]" in toml.read_text(encoding="utf-8", errors="replace")


def _section(ini: Path | None, name: str, given: str) -> str:
    """Return the section with the configuration. Raise UserError if there are several and none is named."""
    if ini is None:
        return SECTION
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(ini.read_text(encoding="utf-8-sig"))
    except (IniError, ValueError, OSError) as error:
        raise UserError(f"{ini} cannot be read: {error}", do="correct that file") from error
    several = [one for one in parser.sections() if parser.has_option(one, "script_location")]
    if name and name not in several:
        raise UserError(f"NAME={name} is not one of {', '.join(several)}, in {ini}.", do="correct NAME", code=USAGE)
    if name or len(several) < 2:
        return name or (several[0] if several else SECTION)
    raise UserError(
        f"{ini.name} has {len(several)} Alembic environments: {', '.join(several)}.",
        why="One checkout has one database, and one history.",
        do=f"name one of them: make adopt PROJECT={given} NAME={several[0]}",
        code=USAGE,
    )
