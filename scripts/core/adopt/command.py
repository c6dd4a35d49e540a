"""The command that starts a project's application, as its own files say it."""

import json
import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.core.adopt import compose_file

_APPLICATION = re.compile(
    r"^(app|application|api|server)\s*(?::[^=\n]+)?=\s*(FastAPI|Starlette|Flask|Litestar|Quart)\(", re.MULTILINE
)
_FACTORY = re.compile(r"^def (create_app|make_app)\(", re.MULTILINE)
FILES = ("main", "app", "server", "wsgi", "asgi", "api", "application", "__init__")
"""Modules that have an application, without .py."""
DEEP = 3
"""Folders below the package in which they are searched."""
SHELL = re.compile(r"[|&;<>$`]")
_MODULE = re.compile(r"(?:-m )([\w.]+)|(?<![\w/.:-])([A-Za-z_][\w.]*):[A-Za-z_]\w*(?:\(\))?(?= |$)")
"""What a command imports: `python -m shop`, `uvicorn shop.main:app`."""


@dataclass(frozen=True)
class Start:
    command: str = ""
    where: str = ""
    maybe: str = ""
    """What the files say, if this cannot start it here."""


def find(folder: Path, packages: list[str], python: Path, scripts: Collection[str]) -> Start:
    """Return the command, if a file says it and its program and its modules are there.

    `packages`: as [tool.app] names them. `python`: that which has the project's packages. `scripts`: the programs of
    the project's own.
    """
    installed = next(iter((python.parents[1] / "lib").glob("python*/site-packages")), folder)
    tops = {Path(one).name for one in packages} | {path.stem for path in folder.glob("*.py")}
    maybe = ""
    for command, where in _found(folder, packages, scripts):
        if _is_plain(command) and _is_there(command, python, installed, tops) and _has_files(command, folder):
            return Start(command, where)
        maybe = maybe or f"{where}: {command}"
    return Start(maybe=maybe or ", ".join(scripts))


def flask_application(folder: Path) -> str:
    """Return the application of Flask at the top of a project, as `flask --app` names it; nothing if there is none."""
    packages = [one.parent.name for one in sorted(folder.glob("*/__init__.py"))]
    every = (shlex.split(start) for package in packages for start, _ in _of_code(folder, package, ()))
    return next((words[2] for words in every if words[0] == "flask"), "")


def moved(start: str, modules: Collection[str], to: str) -> str:
    """Return the command with the new places of files at the top of the project."""
    return shlex.join(f"{to}{word}" if word in modules else word for word in shlex.split(start))


def _found(folder: Path, packages: list[str], scripts: Collection[str]) -> Iterator[tuple[str, str]]:
    procfile = folder / "Procfile"
    if procfile.is_file() and (web := re.search(r"^web:\s*(.+)$", _text(procfile), re.MULTILINE)):
        yield web[1].strip(), "Procfile"
    dockerfile = folder / "Dockerfile"
    if dockerfile.is_file():
        yield from ((command, "Dockerfile") for command in _of_image(_text(dockerfile)))
    compose = compose_file.read(folder)
    yield from ((one.command, f"{compose.name}, {one.name}") for one in compose.services if one.serves)
    for package in packages:
        yield from _of_code(folder, package.rstrip("/"), scripts)


def _of_image(text: str) -> Iterator[str]:
    for given in reversed(re.findall(r"^CMD\s+(\[.*\])\s*$", text, re.MULTILINE)):
        try:
            yield shlex.join(str(one) for one in json.loads(given))
        except ValueError:
            continue
    yield from reversed(re.findall(r"^CMD\s+([^\[\s].*)$", text, re.MULTILINE))


def _of_code(folder: Path, package: str, scripts: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield a command for each application of a known framework in the package.

    A package with programs of its own is a command line: without a word it only prints its help.
    """
    top = (folder / package).parent
    every = sorted((folder / package).rglob("*.py"))
    files = [one for one in every if one.stem in FILES and len(one.relative_to(folder / package).parts) <= DEEP]
    for path in sorted(files, key=lambda one: (len(one.parts), FILES.index(one.stem))):
        module = ".".join(path.relative_to(top).with_suffix("").parts).removesuffix(".__init__")
        text = _text(path)
        where = str(path.relative_to(folder))
        if made := _APPLICATION.search(text):
            if made[2] == "Flask":
                yield f"flask --app {module}:{made[1]} run --host 0.0.0.0 --port 8000", where
            else:
                yield f"uvicorn {module}:{made[1]} --host 0.0.0.0 --port 8000", where
        elif "Flask(" in text and (factory := _FACTORY.search(text)):
            yield f"flask --app {module}:{factory[1]} run --host 0.0.0.0 --port 8000", where
    if (folder / package / "__main__.py").is_file() and not scripts:
        yield f"python -m {package.rpartition('/')[2]}", f"{package}/__main__.py"


def _is_plain(command: str) -> bool:
    """Return whether a command needs no shell, and starts no migration."""
    return not SHELL.search(command) and "alembic" not in command and not command.startswith(("sh ", "bash ", "./"))


def _is_there(command: str, python: Path, installed: Path, tops: Collection[str]) -> bool:
    """Return whether the program and the modules of a command are there."""
    program = command.split(" ", maxsplit=1)[0]
    is_python = re.fullmatch(r"python[\d.]*", program)
    modules = {(one[1] or one[2]).partition(".")[0] for one in _MODULE.finditer(command)}
    has = all(one in tops or (installed / one).is_dir() or (installed / f"{one}.py").is_file() for one in modules)
    return has and bool(is_python or (python.parent / program).is_file())


def _has_files(command: str, folder: Path) -> bool:
    return all((folder / one).is_file() for one in command.split() if one.endswith(".py"))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
