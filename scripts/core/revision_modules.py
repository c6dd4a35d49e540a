"""The modules of revision files. A command reads them several times, and executes each only once until it runs.

Alembic would execute all files again for each of its commands. A revision that runs is executed again: its module may
read the environment, and may keep a state.
"""

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import util
from alembic.runtime.migration import RevisionStep
from alembic.script import Script, ScriptDirectory

_State = tuple[int, int, int]


class _Reused(Script):
    """A revision whose module was executed for an earlier command of this process."""


_known: dict[str, tuple[_State, ModuleType, str]] = {}
"""Each file's state, module and revision."""
_execute = Script._from_path


def _from_path(directory: ScriptDirectory, path: Any) -> Script | None:
    found = os.stat(path)
    state = found.st_mtime_ns, found.st_size, found.st_ino
    known = _known.get(str(path))
    if known and known[0] == state:
        return _Reused(known[1], known[2], path)
    script = _execute(directory, path)
    if script:
        _known[str(path)] = state, script.module, script.revision
    return script


def reuse() -> None:
    """Execute each revision file once from now on, as long as it stays the same."""
    Script._from_path = staticmethod(_from_path)  # type: ignore[method-assign, assignment]


def fresh(step: Any) -> Any:
    """Return Alembic's step with the function of a module that was executed for it."""
    script = getattr(step, "revision", None)
    if not isinstance(script, _Reused):
        return step
    path = Path(script.path)
    script.module = util.load_python_file(path.parent, path.name)
    return RevisionStep(step.revision_map, script, step.is_upgrade)
