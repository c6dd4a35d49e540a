"""The tree of another release, such as the one that runs now: its code and its checks."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.core import git
from scripts.core.errors import USAGE, UserError


@dataclass(frozen=True)
class Release:
    name: str
    path: Path


@contextmanager
def tree(name: str) -> Iterator[Release | None]:
    """The release of this name while the block runs; None without a name.

    It is a folder with its tree, else a commit, tag or branch that git has. Raises UserError when it is neither.
    """
    if not name or Path(name).is_dir():
        yield Release(name, Path(name).resolve()) if name else None
        return
    with tempfile.TemporaryDirectory() as folder:
        if not git.extract(name, Path(folder)):
            raise UserError(
                f"RELEASE={name} is neither a folder nor a commit that git has here.",
                do="give a tag or commit; where there is no git, a folder with that release's tree",
                code=USAGE,
            )
        yield Release(name, Path(folder))
