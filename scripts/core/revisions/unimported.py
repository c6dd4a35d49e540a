"""The models that the modules of [tool.app].metadata do not import.

A child process imports the models. Its own child imports every other module of the application, and looks at which
tables that makes.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.core import ROOT, application, child_process, children, files_read, messages, variables_read
from scripts.core import settings as configuration
from scripts.core.child_process import Deadline
from scripts.core.children import Child
from scripts.core.errors import LateError, UserError
from scripts.core.postgres import scratch
from scripts.core.revisions import models, naming
from scripts.core.revisions.last_comparison import Reads
from scripts.core.settings import Settings
from scripts.core.user_code import contained

_WHY = "A module of the application does not end when it is imported."


@dataclass(frozen=True)
class Found:
    files: list[str]
    """Files that make a table and that no module of the models imports."""
    failed: list[str]
    """Modules that could not be imported, each with its file, its line and the cause."""
    is_empty: bool
    """Whether the metadata has no tables at all."""


_found: dict[Path, Found] = {}
_reads: list[Reads] = []


def look(settings: Settings) -> Found:
    """Return what the modules of the models do not import. The first call in a process starts a child for that.

    Raise UserError if one of these modules cannot be imported.
    """
    if ROOT not in _found and not application.read().metadata:
        _found[ROOT] = Found([], [], is_empty=True)
    if ROOT not in _found:
        with _imported(settings):
            pass
    return _found[ROOT]


@contextmanager
def imported(settings: Settings) -> Iterator[Child]:
    """Yield a child process that has imported the models. Fork it before the first connection.

    Raise UserError if they cannot be imported, or as `require_none` does.
    """
    _require_any()
    with _imported(settings) as child:
        require_none(settings)
        yield child


def require_none(settings: Settings) -> None:
    """Raise UserError if there are no models, or if one is missing from the metadata.

    Autogenerate would drop its table.
    """
    _require_any()
    found = look(settings)
    for failed in found.failed:
        messages.send(f"Not looked at for models: {failed}")
    if found.files or found.is_empty:
        raise UserError(
            "The metadata has no tables." if found.is_empty else "Some models are not in the metadata.",
            why=f"Not imported by {models.module_files()}: "
            + (", ".join(found.files) or "any file that defines a table"),
            do=f"import them in {models.module_files()}; otherwise autogenerate drops their tables",
            check="models-imported",
        )


def _require_any() -> None:
    if not application.read().metadata:
        raise UserError(f"{models.NONE}.", do=f'make revision m="…" EMPTY=1; or {models.DECLARE}')


@contextmanager
def _imported(settings: Settings) -> Iterator[Child]:
    deadline = Deadline(settings.limits.plan_deadline, _WHY, "PLAN_DEADLINE")
    environment = configuration.without_target(settings) | configuration.nowhere()
    with children.started(scratch.hidden(settings)) as child:
        with messages.sent_to(messages.nowhere):
            child.call(import_models, environment=environment, deadline=deadline)
            if ROOT not in _found:
                _found[ROOT] = child.call(look_further, deadline, environment=environment, deadline=deadline)
        naming.fetch_from(child)
        yield child


def import_models() -> None:
    """Import the models in the child, once more: a revision file may have imported the application before."""
    known = dict(_ours())
    for name, module in known.items():
        _forget(name, module)
    with files_read.noted() as files, variables_read.noted() as variables:
        try:
            models.imported()
        except UserError:
            if not known:
                raise
            # A module may refuse to be imported twice in one process: one that registers something in another package.
            for name, module in _ours():
                _forget(name, module)
            for name, module in known.items():
                _remember(name, module)
            models.imported()
    _reads.append(Reads(files, variables))


def _forget(name: str, module: Any) -> None:
    """Remove a module, also from its package, where `from package import module` would find it."""
    del sys.modules[name]
    package, _, last = name.rpartition(".")
    if package in sys.modules and vars(sys.modules[package]).get(last) is module:
        delattr(sys.modules[package], last)


def _remember(name: str, module: Any) -> None:
    sys.modules[name] = module
    package, _, last = name.rpartition(".")
    if package in sys.modules:
        setattr(sys.modules[package], last, module)


def _ours() -> list[tuple[str, Any]]:
    """Return the modules of the application that are imported, but not its packages."""
    every = ((name, module) for name, module in sys.modules.items() if "." in name)
    return [(name, module) for name, module in every if application.holds(str(getattr(module, "__file__", "")))]


def reads() -> Reads:
    """Return what the models have read in this process while `import_models` imported them."""
    return _reads[-1] if _reads else Reads()


def look_further(deadline: Deadline) -> Found:
    """Import the rest of the application in a child of the child, whose models stay as they are."""
    try:
        with child_process.own_work(), children.started([]) as child:
            files, failed = child.call(everything, environment=None, deadline=deadline)
    except UserError as error:  # a module has ended the process, or does not end itself
        files, failed = [], [error.problem]
    return Found(files, failed, is_empty=not models.imported().tables)


def everything() -> tuple[list[str], list[str]]:
    """Do the work of `look_further`."""
    known, failed = set(models.made()), list[str]()
    for path, name in _modules():
        if name in sys.modules:
            continue
        child_process.begins(str(path))
        try:
            with contained():
                importlib.import_module(name)
        except LateError as error:
            failed.append(error.problem)
            break
        except Exception as error:
            failed.append(f"{_place(error, path)}: {models.cause(error)}")
    made = models.made()
    return sorted({made[table] for table in models.included(table for table in made if table not in known)}), [
        *dict.fromkeys(failed)
    ]


def _modules() -> Iterator[tuple[Path, str]]:
    """Yield the files of the application that can be imported, and their names. A `__main__` is the program itself."""
    for name in application.read().packages:
        folder = application.folder_of_imports(name)
        for path in sorted((ROOT / name).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            if all(part.isidentifier() for part in parts) and parts[-1] != "__main__":
                yield path, ".".join(parts).removesuffix(".__init__")


def _place(error: Exception, path: Path) -> str:
    return models.place(error, str(path.relative_to(ROOT)))
