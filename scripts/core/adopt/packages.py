"""Which folders of a project are its code, and copies of them without secrets."""

import fnmatch
import shlex
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.core.adopt.found import NOT_LOOKED_AT, TESTS, ExistingProject
from scripts.core.errors import UserError

SECRET = (
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "id_rsa*",
    "id_ed25519*",
    ".netrc",
    ".pgpass",
    "secrets",
    ".git*",
    "*.sqlite*",
)
MADE = ("__pycache__", "*.pyc", ".DS_Store", ".*_cache", "*.egg-info", ".coverage", ".idea", ".vscode")
OURS = {"scripts", "tests", "alembic", "docs", "backups", "reports", "secrets", "bin", "lib"}
"""Names of folders that belong to this checkout."""
NOT_CODE = {"setup.py", "conftest.py", "fabfile.py", "noxfile.py", "tasks.py"}
MODULES = "src/"
"""Where modules go that are in no package."""
SOURCE_FOLDERS = ("", "src", "lib", "backend", "server", "api")


@dataclass
class Code:
    folders: list[str] = field(default_factory=list)
    """Packages, as paths from the top of the project."""
    modules: list[str] = field(default_factory=list)
    """Files at the top of the project that are imported by their name."""
    links: list[str] = field(default_factory=list)
    """Links that lead out of the project, which are not copied."""

    @property
    def declared(self) -> list[str]:
        """Return the packages as [tool.app] names them."""
        return [*self.folders, *([MODULES] if self.modules else [])]


def roots(folder: Path) -> list[str]:
    """Return the folders of a project in which Python may find its packages."""
    return [one for one in SOURCE_FOLDERS if (folder / one).is_dir()]


def copy_whole(project: ExistingProject, to: Path) -> list[str]:
    """Copy the project without secrets and without what tools have made. Return the links that lead out of it."""
    links: list[str] = []

    def left_out(place: str, names: list[str]) -> set[str]:
        out = {one for one in names if one in NOT_LOOKED_AT or _is(one, (*SECRET, *MADE))}
        for one in {*names} - out:
            path = Path(place, one)
            if path.is_symlink() and not path.resolve().is_relative_to(project.folder):
                links.append(str(path.relative_to(project.folder)))
                out.add(one)
            elif not (path.is_file() or path.is_dir()):  # a socket, or a link to nothing
                out.add(one)
        return out

    try:
        shutil.copytree(project.folder, to, ignore=left_out, symlinks=True)
    except shutil.Error as error:
        path, _, reason = error.args[0][0]
        do = f"make it readable: chmod a+rX {shlex.quote(path)}"
        raise UserError(f"{path} cannot be copied: {reason.partition(': ')[0]}", do=do) from error
    return sorted(links)


def find(copy: Path, imported: Mapping[str, str], script: Path) -> Code:
    """Return the code of a copied project: what env.py has imported, and the packages at its top.

    Raise UserError if a folder has a name that this checkout needs.
    """
    code = Code()
    for name, file in imported.items():
        path = Path(file).relative_to(copy)
        top = name.partition(".")[0]
        inside = next((place for place, part in enumerate(path.parts[:-1]) if part == top), None)
        if inside is None:
            code.modules += [str(path)] if len(path.parts) == 1 and str(path) not in code.modules else []
        elif (folder := "/".join(path.parts[: inside + 1])) not in code.folders:
            code.folders.append(folder)
    used = {*code.folders}
    for root in roots(copy):
        for one in sorted((copy / root).iterdir()):
            name = str(one.relative_to(copy))
            if _is_package(one) and one.resolve() != script.resolve() and not _has(used, name):
                code.folders.append(name)
    if code.modules:
        every = (one.name for one in sorted(copy.glob("*.py")) if one.name not in NOT_CODE)
        code.modules = [one for one in every if not one.startswith("test")]
    _require_free_names(code, used)
    return code


def _has(folders: Collection[str], name: str) -> bool:
    return any(f"{name}/".startswith(f"{one}/") for one in folders)


def _is_package(folder: Path) -> bool:
    return folder.name not in OURS | TESTS | NOT_LOOKED_AT and (folder / "__init__.py").is_file()


def _require_free_names(code: Code, used: Collection[str]) -> None:
    taken = [one for one in used if one.partition("/")[0] in OURS and one.partition("/")[0] != "lib"]
    if taken:
        raise UserError(
            f"The project's models need the package {taken[0]}, and this environment has a folder of that name.",
            why="Both would lie in the same place.",
            do=f"rename {taken[0]} in the project, or move it into a package",
        )


def copy_code(copy: Path, code: Code, to: Path, without: Collection[Path]) -> None:
    """Copy the code into a prepared checkout. `without`: what is not copied, such as env.py."""
    hidden = {one.resolve() for one in without}

    def left_out(place: str, names: list[str]) -> set[str]:
        return {one for one in names if Path(place, one).resolve() in hidden or _is(one, MADE)}

    for folder in code.folders:
        shutil.copytree(copy / folder, to / folder, ignore=left_out, symlinks=True, dirs_exist_ok=True)
    for one in code.modules:
        (to / MODULES).mkdir(exist_ok=True)
        shutil.copy2(copy / one, to / MODULES / one)


def _is(name: str, patterns: Collection[str]) -> bool:
    if name.endswith((".example", ".sample", ".dist", ".template")):
        return False
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
