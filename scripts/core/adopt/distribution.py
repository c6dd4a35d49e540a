"""The metadata that an installation of the project would have: its code may ask for its own version."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.core.adopt import dependencies
from scripts.core.adopt.found import ExistingProject

FOLDER = "distribution/"
"""Its place, among the packages of [tool.app]: Python searches in it."""
FILES = ("METADATA", "entry_points.txt")
NOT_FOUND = "PackageNotFoundError"


def of_wheel(copy: Path) -> None:
    """Move the metadata of an unpacked wheel to its place in the copy of the project."""
    for there in sorted(copy.glob("*.dist-info")):
        place = copy / FOLDER / there.name
        place.mkdir(parents=True)
        for name in FILES:
            if (there / name).is_file():
                shutil.copy2(there / name, place / name)


def made(project: ExistingProject, copy: Path, error: Mapping[str, Any]) -> bool:
    """Return whether an error asks for the project's own metadata, and these are in its copy only now."""
    own = dependencies.declared(project)
    name, version, folder = str(own.get("name", "")), str(own.get("version", "0")), copy / FOLDER
    asked = str(error.get("missing", "")) if NOT_FOUND in error.get("words", "") else ""
    if not asked or dependencies.name_of(asked) != dependencies.name_of(name) or folder.exists():
        return False
    place = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (place / "entry_points.txt").write_text("\n".join(_entry_points(own)), encoding="utf-8")
    return True


def _entry_points(own: Mapping[str, Any]) -> Iterator[str]:
    groups = {"console_scripts": own.get("scripts", {}), **own.get("entry-points", {})}
    for group, entries in groups.items():
        yield f"[{group}]"
        yield from (f"{name} = {value}" for name, value in entries.items() if isinstance(value, str))
