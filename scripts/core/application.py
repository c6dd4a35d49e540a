"""What pyproject.toml says about the application, in `[tool.app]`."""

import os
import re
import shlex
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from scripts.core import ROOT
from scripts.core.errors import USAGE, UserError

_OURS = ("alembic", "scripts", "tests")


@dataclass(frozen=True)
class Declaration:
    metadata: tuple[str, ...] = ("app.models:Base.metadata",)
    """The metadata of the models: modules that import every model, each with the name of a MetaData or of its Base.
    Empty: there are no models."""
    command: str = "python -m app"
    """What starts it: a program and its arguments, quoted as in a shell, but without variables and pipes."""
    health: str = ""
    """A command that exits with 0 if the application is well. The scripts check the database themselves."""
    packages: tuple[str, ...] = ("app",)
    """Folders with its code. Python looks for each in the folder above it, and for modules in one that ends in /."""
    url_variables: tuple[str, ...] = ()
    """Variables that get the same URL as DATABASE_URL, because the application reads it there."""
    apt: tuple[str, ...] = ()
    """Packages of Debian in the image. Only the Dockerfile reads them."""
    extensions: tuple[str, ...] = ()
    """Extensions that the superuser creates in the database and in its copies: `name`, or `name SCHEMA schema`."""
    seed: str = "app.seed:seed"
    """A function that adds example rows to a session of SQLAlchemy, and returns how many: its module and its name."""

    @property
    def model_modules(self) -> list[str]:
        """Return the modules that import the models."""
        return list(dict.fromkeys(reference.partition(":")[0] for reference in self.metadata))

    @property
    def schemas_of_extensions(self) -> dict[str, str]:
        """Return the name of each extension, with its schema or nothing."""
        found = (one.split(" SCHEMA ") for one in self.extensions)
        return {name: "".join(schema) for name, *schema in found}

    @property
    def command_words(self) -> list[str]:
        """Return the words of the command. Raise UserError if there are none."""
        if words := _words("command", self.command):
            return words
        raise UserError(
            "The application has no command.",
            why="command in [tool.app] of pyproject.toml is empty.",
            do="write there what starts the application, then: make up",
            code=USAGE,
        )

    @property
    def health_words(self) -> list[str]:
        return _words("health", self.health)


def search_path(root: Path | None = None) -> list[str]:
    """Return the folders in which Python finds the packages of a checkout (default: this one), its top first.

    Raise UserError as `read` does.
    """
    root = root or ROOT
    folders = (folder_of_imports(name, root) for name in read(root).packages)
    return list(dict.fromkeys(map(str, [root, *folders])))


def folder_of_imports(name: str, root: Path | None = None) -> Path:
    """Return the folder in which Python finds one of the `packages`."""
    folder = (root or ROOT) / name
    return folder if name.endswith("/") else folder.parent


def holds(path: str) -> bool:
    """Return whether a file is part of the application."""
    return any(path.startswith(folder) for folder in _folders(ROOT))


@cache
def _folders(root: Path) -> list[str]:
    return [f"{root / name}{os.sep}" for name in read(root).packages]


def extend_search_path() -> None:
    """Let this process import the packages of the application, as revisions may do, and run programs of this Python.

    These are `python`, and programs of packages such as ruff and uvicorn. Raise UserError as `read` does, and for a
    package that is not here.
    """
    if missing := [name for name in read().packages if not (ROOT / name).is_dir()]:
        raise UserError(
            f"packages in [tool.app] of pyproject.toml names {', '.join(missing)}, and there is no such folder.",
            do="correct packages there: the path of each folder, from the top of this checkout",
            code=USAGE,
        )
    own, path = str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)
    if own not in path.split(os.pathsep)[:1]:
        os.environ["PATH"] = os.pathsep.join([own, path])
    sys.path += [folder for folder in search_path() if folder not in sys.path]


def python_path() -> str:
    """Return that for the environment of another Python. Raise UserError as `read` does."""
    return os.pathsep.join(filter(None, [*search_path(), os.environ.get("PYTHONPATH")]))


def read(root: Path | None = None) -> Declaration:
    """Return what a checkout (default: this one) says. Without the file the defaults hold.

    Raise UserError if it cannot be read or understood.
    """
    path = (root or ROOT) / "pyproject.toml"
    if not path.exists():
        return Declaration()
    try:
        return _declaration(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"pyproject.toml cannot be read: {error}.", do="correct that file", code=USAGE) from error


@cache
def _declaration(text: str) -> Declaration:
    """Return what this text of pyproject.toml says. It is asked again for each table of the models."""
    given = tomllib.loads(text).get("tool", {}).get("app", {})
    if faults := [*_faults(given)]:
        raise UserError(
            "[tool.app] in pyproject.toml is not right:" + "".join(f"\n    {fault}" for fault in faults),
            do="correct these lines",
            code=USAGE,
        )
    lists = {field.name for field in fields(Declaration) if isinstance(field.default, tuple)}
    values: dict[str, Any] = {name: tuple(_list(one)) if name in lists else one for name, one in given.items()}
    return Declaration(**values)


def _faults(given: Mapping[str, Any]) -> list[str]:
    known = {field.name for field in fields(Declaration)}
    unknown = [f"{name} is not one of {', '.join(sorted(known))}" for name in given if name not in known]
    return [*unknown, *(fault for field in fields(Declaration) if (fault := _fault(field.name, field.default, given)))]


def _fault(name: str, default: object, given: Mapping[str, Any]) -> str:
    value = given.get(name, default)
    if name == "metadata" and not all(re.fullmatch(r"[\w.]+:[\w.]+", one) for one in _list(value)):
        return f"{name} is not a text, or a list of texts, of the form module:attribute"
    if name == "extensions" and not all(re.fullmatch(r"[^\s\"]+( SCHEMA [^\s\"]+)?", one) for one in _list(value)):
        return f"{name} is not a list of texts of the form name, or name SCHEMA schema"
    if isinstance(default, str):
        return "" if isinstance(value, str) else f"{name} is not a text"
    if name == "packages" and (taken := [one for one in _list(value) if one.rpartition("/")[2] in _OURS]):
        return f"{name} has {taken[0]}: a package of this environment has that name"
    is_list = name == "metadata" or (isinstance(value, list | tuple) and all(isinstance(one, str) for one in value))
    return "" if is_list else f"{name} is not a list of texts"


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def _words(name: str, command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UserError(
            f"{name} in [tool.app] of pyproject.toml cannot be split into words: {error}.",
            do="close its quotes",
            code=USAGE,
        ) from error
