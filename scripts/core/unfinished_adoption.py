"""Changes of `make adopt` that a kill has interrupted. Until they are undone, the files of two projects are mixed."""

from scripts.core import ROOT
from scripts.core.errors import UserError

FOLDER = ROOT / ".adopt"
"""It is on the file system of the checkout. git ignores it."""
JOURNAL = FOLDER / "journal.json"
"""It is there from the first change to the last one."""


def require_none() -> None:
    """Raise UserError if there are such changes."""
    if JOURNAL.exists():
        raise UserError(
            "make adopt is changing this checkout, or was killed meanwhile.",
            why="Some files are those of the new project, and some are still the old ones.",
            do="make adopt, which undoes it",
        )
