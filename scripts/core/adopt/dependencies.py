"""What an existing project depends on: its pyproject.toml, its requirements files, or the metadata of its wheel."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence, Set
from configparser import ConfigParser
from dataclasses import dataclass, field, replace
from email import message_from_string
from pathlib import Path
from typing import Any

from scripts.core.adopt.found import ExistingProject
from scripts.core.errors import UserError

REQUIREMENTS = ("requirements.txt", "requirements/base.txt", "requirements/prod.txt", "requirements/production.txt")
OTHERS = (
    *("poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Pipfile", "Pipfile.lock", "environment.yml"),
    *("setup.py", "setup.cfg", "requirements.in"),
)
SAME = {"psycopg2": "psycopg2-binary"}
"""Packages that this environment has under another name."""


@dataclass(frozen=True)
class Dependencies:
    source: str
    """The file that names them; nothing if there is none."""
    requirements: list[str]
    """In the words of the packaging standard: flask>=3."""
    python: str
    """The versions of Python that the project allows; nothing: any."""
    not_read: list[str]
    """Files about packages that were not read."""
    left_out: list[str]
    """Lines that no pyproject.toml can have, and packages that are there under another name."""
    assumed: list[str] = field(default_factory=list)
    """Drivers for PostgreSQL that it imports and does not name: a project may leave the choice to its users."""


def read(project: ExistingProject) -> Dependencies:
    """Return the dependencies of a project. Raise UserError if its pyproject.toml cannot be read."""
    toml = _toml(project.folder)
    declared: dict[str, Any] = toml.get("project", {})
    poetry: dict[str, Any] = toml.get("tool", {}).get("poetry", {}).get("dependencies", {})
    python = str(declared.get("requires-python", ""))
    metadata = next(iter(sorted(project.folder.glob("*.dist-info/METADATA"))), None)
    files = [name for name in REQUIREMENTS if (project.folder / name).is_file()]
    left_out: list[str] = []
    seen: set[Path] = set()
    if "dependencies" in declared:
        source, lines = "pyproject.toml", [str(one) for one in declared["dependencies"]]
    elif poetry:
        source, lines, python = "pyproject.toml", [*_of_poetry(poetry)], _python(poetry.get("python"))
    elif files:
        source, lines = files[0], [*_of_file(project.folder / files[0], left_out, seen)]
    elif metadata:
        source, lines, python = str(metadata.relative_to(project.folder)), *_of_wheel(metadata)
    else:
        source, lines = "", []
    lines += _greenlet({name_of(one) for one in lines})
    renamed = [one for one in lines if name_of(one) in SAME]
    left_out += [f"{name_of(one)}: {SAME[name_of(one)]} is the same here" for one in renamed]
    others = [one for one in (*OTHERS, *files) if (project.folder / one).is_file() and one != source]
    others = [one for one in others if (project.folder / one).resolve() not in seen]
    return Dependencies(source, [one for one in lines if one not in renamed], python, others, left_out)


def _greenlet(names: Set[str]) -> list[str]:
    """Return what SQLAlchemy needs for asyncpg, and from 2.1 on no longer brings along."""
    return ["greenlet"] if "asyncpg" in names and "greenlet" not in names else []


def declared(project: ExistingProject) -> dict[str, Any]:
    """Return what pyproject.toml says about the project: its name, its version, its programs."""
    toml = _toml(project.folder)
    found: dict[str, Any] = toml.get("project") or toml.get("tool", {}).get("poetry") or {}
    return found


def programs(project: ExistingProject) -> list[str]:
    """Return the programs that an installation of the project would have."""
    own = declared(project).get("scripts", {})
    file = next(iter(sorted(project.folder.glob("*.dist-info/entry_points.txt"))), None)
    parser = ConfigParser(interpolation=None, delimiters="=", strict=False)
    parser.read_string(file.read_text(encoding="utf-8", errors="replace") if file else "")
    return sorted({*own, *(parser.options("console_scripts") if parser.has_section("console_scripts") else ())})


def with_driver(found: Dependencies, name: str) -> Dependencies:
    """Return the dependencies with a driver that the project imports."""
    return replace(found, requirements=[*found.requirements, name], assumed=[*found.assumed, name])


def allows(python: str, version: Sequence[int]) -> bool:
    """Return whether the versions of Python that a project allows have this one."""
    return all(_holds(one.strip(), version) for one in python.split(",") if one.strip())


def _holds(word: str, version: Sequence[int]) -> bool:
    found = re.match(r"(>=|<=|==|!=|>|<|~=)\s*(\d+(?:\.\d+)*)", word)
    if not found:
        return True
    given, here = [int(one) for one in found[2].split(".")], list(version)
    if found[1] == "~=":
        return here >= given and here[: len(given) - 1] == given[:-1]
    if word.endswith(".*"):
        here = here[: len(given)]
    else:
        given += [0] * (len(here) - len(given))
    signs = {">=": here >= given, "<=": here <= given, "==": here == given, "!=": here != given}
    return {**signs, ">": here > given, "<": here < given}[found[1]]


def name_of(requirement: str) -> str:
    """Return the normal form of the package's name."""
    found = re.match(r"\s*([\w.-]+)", requirement)
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""


def _toml(folder: Path) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", do="correct that file") from error


def _of_file(path: Path, left_out: list[str], seen: set[Path]) -> Iterator[str]:
    """Yield the requirements of a file, and of the files that it includes. Add all of these to `seen`."""
    seen.add(path.resolve())
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for line in text.splitlines():
        words = re.split(r"(?:^|\s)#", line)[0].strip()
        words = re.split(r"\s--hash=", words)[0].strip()
        included = re.match(r"(?:-r|--requirement)[\s=]*(\S+)", words)
        if included and (inner := (path.parent / included[1]).resolve()) not in seen and inner.is_file():
            yield from _of_file(inner, left_out, seen)
        elif words.startswith(("-", ".", "/", "git+", "http:", "https:", "file:")):
            left_out.append(words)
        elif words:
            yield words


def _of_wheel(metadata: Path) -> tuple[list[str], str]:
    found = message_from_string(metadata.read_text(encoding="utf-8", errors="replace"))
    lines = [str(one) for one in found.get_all("Requires-Dist", [])]
    return [one for one in lines if "extra ==" not in one], str(found.get("Requires-Python", ""))


def _of_poetry(dependencies: Mapping[str, Any]) -> Iterator[str]:
    for name, given in dependencies.items():
        of_one = given if isinstance(given, dict) else {"version": given}
        if name == "python" or of_one.get("optional") or not isinstance(of_one.get("version"), str):
            continue
        extras = f"[{','.join(of_one['extras'])}]" if of_one.get("extras") else ""
        marker = f"; {of_one['markers']}" if of_one.get("markers") else ""
        yield f"{name}{extras}{_python(of_one['version'])}{marker}"


def _python(version: object) -> str:
    """Return a version of Poetry's in the words of the packaging standard: ^1.2 is >=1.2,<2."""
    words = [_comparison(one.strip()) for one in str(version or "*").split(",")]
    return ",".join(one for one in words if one)


def _comparison(word: str) -> str:
    if word == "*":
        return ""
    numbers = re.match(r"([\^~])\s*(\d+(?:\.\d+)*)", word)
    if not numbers:
        return word if word[:1] in "<>=!~" else f"=={word}"
    parts = [int(one) for one in numbers[2].split(".")]
    if numbers[1] == "~":
        changing = min(1, len(parts) - 1)
    else:
        changing = next((place for place, one in enumerate(parts) if one), len(parts) - 1)
    above = [*parts[:changing], parts[changing] + 1]
    return f">={numbers[2]},<{'.'.join(map(str, above))}"
