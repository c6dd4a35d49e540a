"""Packages that a revision imports and this Python does not have."""

import re
import sys

from sqlalchemy.exc import OperationalError

from scripts.core import ROOT

_LISTS = "requirements.txt", "requirements-dev.txt"


def install(error: BaseException) -> str:
    """Return how to install a missing package. Return nothing for another error or a module of this project."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not name or name in sys.modules or (ROOT / name).exists() or (ROOT / f"{name}.py").exists():
        return ""
    if _is_listed(name):
        return f"make up   (it installs {name}, which this environment lacks)"
    return f"add the package of {name} to pyproject.toml, then: make lock, make up; or correct that import"


def cure(error: BaseException) -> str:
    """Return what to do about a file of the application that cannot be imported."""
    if isinstance(error, OperationalError | ConnectionError):
        return "connect in a function: the models are imported without a database"
    return install(error) or "correct that file"


def _is_listed(name: str) -> bool:
    """Return whether the lists of packages have one of this name. A package may be imported by another one."""
    wanted = re.compile(rf"^{re.sub('[-_.]', '[-_.]', name)}[ =<>!~;@[]", re.MULTILINE | re.IGNORECASE)
    files = (ROOT / one for one in _LISTS)
    return any(wanted.search(path.read_text(encoding="utf-8", errors="replace")) for path in files if path.is_file())
