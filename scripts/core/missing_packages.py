"""Packages that a revision imports and this Python does not have."""

import sys

from scripts.core import ROOT


def install(error: BaseException) -> str:
    """Return how to install a missing package. Return nothing for another error or a module of this project."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not name or name in sys.modules or (ROOT / name).exists() or (ROOT / f"{name}.py").exists():
        return ""
    return (
        f"add the package of {name} to requirements.txt and requirements-dev.txt, then make up; or correct that import"
    )
