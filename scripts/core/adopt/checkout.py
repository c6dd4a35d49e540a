"""The files of this checkout as they are with the project in it, in a folder of their own."""

import os
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from scripts.core import ROOT, application
from scripts.core.adopt import changes, env_py, example, packages, pyproject
from scripts.core.adopt.adoption import Adoption
from scripts.core.errors import UserError

DOUBLED = 2 * "%"
"""How an ini file has a percent sign."""


def write(adoption: Adoption, copy: Path) -> None:
    """Write the new files into the prepared folder, and list the changes."""
    to = adoption.changes.prepared
    to.mkdir()
    script = adoption.recorded.env.parent
    versions = {path.parent for path in adoption.recorded.revisions.values()}
    code = [copy / one for one in adoption.code.folders]
    packages.copy_code(copy, adoption.code, to, versions if _lies_in(code, script) else [script])
    _write_revisions(adoption, to, versions)
    if len(versions) == 1 and _lies_in(code, script):
        _link(to / min(versions).relative_to(copy), to / "alembic/versions")
    if adoption.carried.text:
        (to / env_py.PACKAGE).mkdir()
        (to / env_py.PACKAGE / "__init__.py").write_text(adoption.carried.text, encoding="utf-8")
    (to / "tests/staging").mkdir(parents=True)
    (to / "tests/staging/.gitkeep").touch()
    for name, text in adoption.resolved.files.items():
        (to / name).write_text(text, encoding="utf-8")
    (to / "pyproject.toml").write_text(_toml(adoption), encoding="utf-8")
    if adoption.options:
        (to / "alembic.ini").write_text(_ini(adoption.options), encoding="utf-8")
    if adoption.variables:
        compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
        (to / "docker-compose.yml").write_text(_compose(compose, adoption.variables), encoding="utf-8")
    adoption.changes = changes.between(to, [str(one.relative_to(ROOT)) for one in example.files()])


def _lies_in(folders: Collection[Path], path: Path) -> bool:
    return any(path.is_relative_to(one) for one in folders)


def _link(place: Path, to: Path) -> None:
    """Let an application that looks for its own revisions, such as the newest one, find them in its package."""
    if place.parent.is_dir() and not place.exists():
        place.symlink_to(os.path.relpath(to, place.parent))


def _write_revisions(adoption: Adoption, to: Path, versions: set[Path]) -> None:
    """Copy the revisions into one folder, and the files beside them. Raise UserError if two have one name."""
    target = to / "alembic/versions"
    target.mkdir(parents=True)
    for folder in sorted(one for one in versions if not is_below(one, versions)):
        for path in sorted(folder.rglob("*")):
            place = target / path.relative_to(folder)
            if not path.is_file() or "__pycache__" in path.parts or path.name == "__init__.py":
                continue
            if place.exists():
                raise UserError(
                    f"Two files of revisions are called {place.relative_to(target)}.",
                    why="Their folders become one folder, alembic/versions/.",
                    do="rename one of them in the project",
                )
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
    script = adoption.recorded.env.parent
    for path in sorted(script.rglob("*")):
        own = {"env.py", "script.py.mako", "README", "README.md", "__init__.py", "alembic.ini"}
        is_version = any(path.is_relative_to(one) for one in versions)
        if path.is_file() and path.name not in own and not is_version and "__pycache__" not in path.parts:
            place = to / "alembic" / path.relative_to(script)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)


def is_below(folder: Path, others: Collection[Path]) -> bool:
    """Return whether a folder is inside of one of the others."""
    return any(one in folder.parents for one in others)


def _toml(adoption: Adoption) -> str:
    text = adoption.resolved.files.get("pyproject.toml") or (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    folders = [*adoption.code.declared, *([env_py.PACKAGE] if adoption.carried.text else [])]
    values: dict[str, str | list[str]] = {
        "metadata": adoption.metadata[0] if len(adoption.metadata) == 1 else adoption.metadata,
        "packages": folders,
        "command": adoption.start.command,
    }
    if adoption.recorded.extensions:
        values["extensions"] = [*dict.fromkeys([*application.read().extensions, *adoption.recorded.extensions])]
    if adoption.recorded.url_variables:
        values["url_variables"] = adoption.recorded.url_variables
    return pyproject.with_checks(pyproject.with_application(text, values), folders)


def _ini(options: Mapping[str, str]) -> str:
    text = (ROOT / "alembic.ini").read_text(encoding="utf-8")
    for name, value in options.items():
        text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
        text = text.replace("[alembic]\n", f"[alembic]\n{name} = {value.replace('%', DOUBLED)}\n", 1)
    return text


def _compose(text: str, names: Mapping[str, str]) -> str:
    """Return the Compose file that passes these variables to the containers."""
    begin = text.index("x-settings: &settings\n") + len("x-settings: &settings\n")
    known = set(re.findall(r"^  (\w+):", text[begin:], re.MULTILINE))
    lines = "".join(f"  {name}:\n" for name in sorted({*names} - known))
    return text[:begin] + lines + text[begin:]
