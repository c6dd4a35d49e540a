"""New revision files until they are proven: they are where only this command finds them, whatever stops it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import util

from scripts.core import durable_files, revision_files
from scripts.core.errors import UserError
from scripts.core.migrate.alembic_commands import New
from scripts.core.revisions import history
from scripts.core.revisions.history import History


@dataclass
class UnprovenFile:
    new: New
    """Its id, and where its files are now."""
    place: Path
    """Where they will be."""
    path: Path | None = None
    """None: there is nothing to write."""
    _written: bytes = b""

    def is_at(self, path: Path | None) -> None:
        """Note the file as it was written."""
        self.path, self._written = path, path.read_bytes() if path else b""

    def require_unedited(self) -> None:
        """Raise UserError, and keep the file, if it has changed since it was written: then another one was tried."""
        if self.path and self.path.read_bytes() != self._written:
            raise UserError(
                f"{revision_files.shown(self.path)} was edited while it was tried.",
                why="What ran up, down and up is not what the file says now.",
                do="make plan",
                state=f"{self.keep()[-1].name} is as you have edited it. Your database was not used.",
            )

    def keep(self) -> list[Path]:
        """Move all files to their place, and return them there. The revision's own is last: it needs the others."""
        found = sorted(self.new.folder.rglob("*.*"), key=lambda path: (path == self.path, path))
        moved = [
            (path, self.place / path.relative_to(self.new.folder)) for path in found if path.suffix in (".py", ".sql")
        ]
        for path, to in moved:
            to.parent.mkdir(parents=True, exist_ok=True)
            durable_files.move(path, to)
        if self.path:
            self.path = moved[-1][1]
        return [to for _, to in moved]

    def remove(self) -> None:
        if self.path:
            self.path.unlink()


@contextmanager
def begun(revisions: History, after: Sequence[str], rev_id: str = "") -> Iterator[UnprovenFile]:
    """Yield a file that will follow the revisions `after`. It is gone after the block unless it is kept."""
    files = [history.script(revisions, one).path for one in after if one != "base"]
    with revision_files.unproven(files) as (folder, place):
        yield UnprovenFile(New(rev_id or util.rev_id(), folder), place)
