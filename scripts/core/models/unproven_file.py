"""A new revision file until it is proven. What stops the command before, takes it away again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.util import rev_id

from scripts.core import ROOT, revision_files
from scripts.core.errors import UserError


@dataclass
class UnprovenFile:
    revision: str
    path: Path | None = None
    """None: there is nothing to write."""
    _written: bytes = b""
    _is_kept: bool = False

    @property
    def _is_edited(self) -> bool:
        path = self.path
        return path is not None and (not path.exists() or path.read_bytes() != self._written)

    def is_at(self, path: Path | None) -> None:
        """Note the file as it was written."""
        self.path, self._written = path, path.read_bytes() if path else b""

    def require_unedited(self) -> None:
        """Raise UserError if it has changed since it was written: then another file was tried."""
        if self._is_edited and self.path:
            raise UserError(
                f"{revision_files.shown(self.path)} was edited while it was tried.",
                why="What ran up, down and up is not what the file says now.",
                do="make plan",
                state="the file is as you have edited it. Your database was not used.",
            )

    def keep(self) -> None:
        self._is_kept = True

    def remove(self) -> None:
        """Remove it, also if it is not complete, but not one that is kept or was edited."""
        if not self._is_kept and not self._is_edited:
            for path in (path for folder in revision_files.folders() for path in (ROOT / folder).glob("*.py")):
                if self.revision in path.name:
                    path.unlink()


@contextmanager
def removed() -> Iterator[UnprovenFile]:
    """Yield a file to write. Remove it after the block unless it is kept."""
    file = UnprovenFile(rev_id())
    try:
        yield file
    finally:
        file.remove()
