"""The files of another release, such as the running one: its code and its checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.core import git, temporary_folders
from scripts.core.errors import USAGE, UserError


@dataclass(frozen=True)
class Release:
    name: str
    path: Path


@contextmanager
def tree(name: str) -> Iterator[Release | None]:
    """Yield the release of this name; None without a name.

    It is a folder with its files, or a commit, tag or branch of git. Raise UserError if it is neither.
    """
    if not name or Path(name).is_dir():
        yield Release(name, Path(name).resolve()) if name else None
        return
    with temporary_folders.folder() as folder:
        if not git.extract(name, folder):
            raise UserError(
                f"RELEASE={name} is neither a folder nor a commit that git has here.",
                do="name a tag or commit; without git, a folder with that release's files",
                code=USAGE,
            )
        yield Release(name, folder)
