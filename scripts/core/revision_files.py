"""The files in which Alembic looks for revisions, and the places in them from which errors come."""

from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from scripts.core import ROOT


def config() -> Config:
    return Config(ROOT / "alembic.ini", toml_file=ROOT / "pyproject.toml")


def option(name: str) -> str | None:
    """Return an option of Alembic's, from alembic.ini or [tool.alembic] in pyproject.toml."""
    return config().get_alembic_option(name) or None


def source_files() -> frozenset[str]:
    """Return the real paths of all files in which Alembic looks for revisions, as set in alembic.ini."""
    found = ScriptDirectory.from_config(config())
    files = (path for folder in found._version_locations for path in Script._list_py_dir(found, folder))
    return frozenset(str(path.resolve()) for path in files)


def folders() -> list[str]:
    """Return the folders in this checkout in which Alembic looks for revisions, with git's names."""
    found = (folder.resolve() for folder in ScriptDirectory.from_config(config())._version_locations)
    return [shown(folder) for folder in found if folder.is_relative_to(ROOT.resolve())]


def shown(path: Path | str) -> str:
    """Return the path of a file from the top of this checkout, or the whole path of a file elsewhere."""
    real, root = Path(path).resolve(), ROOT.resolve()
    return str(real.relative_to(root) if real.is_relative_to(root) else real)


def place(error: BaseException) -> str:
    """Return file and line of the revision file that an error comes from, or nothing."""
    files = source_files()
    if isinstance(error, SyntaxError) and error.filename in files:
        return f"{shown(error.filename)}, line {error.lineno}"
    trace, found = error.__traceback__, ""
    while trace:
        if trace.tb_frame.f_code.co_filename in files:
            found = f"{shown(trace.tb_frame.f_code.co_filename)}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return found
