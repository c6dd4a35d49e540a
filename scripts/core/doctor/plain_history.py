"""The revision files, read in a child process: a file may import the application, never end, or end the process."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap

from scripts.core import revision_files
from scripts.core.revisions import history
from scripts.core.revisions.history import History

READ = ("revision", "down_revision", "branch_labels", "depends_on", "__doc__")
"""What Alembic needs of a file."""

Plain = tuple[str, dict[str, Any]]


def read() -> list[Plain]:
    """Return the path of each file and what it assigns. Raise UserError as `history.load` does."""
    found = history.load().walk_revisions()
    return [(script.path, {name: getattr(script.module, name, None) for name in READ}) for script in found]


def rebuilt(files: Sequence[Plain]) -> History:
    """Return the history as `history.load` does, without importing a file."""
    scripts = [Script(_module(assigned), str(assigned["revision"]), path) for path, assigned in files]
    made = ScriptDirectory.from_config(revision_files.config())
    made.revision_map = RevisionMap(lambda: scripts)
    return made


def _module(assigned: dict[str, Any]) -> ModuleType:
    module = ModuleType(str(assigned["revision"]), assigned["__doc__"])
    vars(module).update(assigned)
    return module
