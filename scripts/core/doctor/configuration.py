"""Checks of the settings, and of files that other programs would read in another way or not at all."""

import shlex
from pathlib import Path

from scripts.core import ROOT, application, env_file, revision_files
from scripts.core.doctor.facts import Facts
from scripts.core.errors import UserError

OTHERS_READ, OTHERS = 0o004, 0o007
"""Modes of accounts that are neither the owner nor in the group."""
FOR_SHELLS = ("Makefile", "scripts/*.sh", "scripts/*.awk", "scripts/*.sql", "scripts/runtimes/*.sh")


def read(facts: Facts) -> str:
    """Return which .env was read, and which settings the environment has overridden."""
    target = facts.target.require()
    in_file = env_file.read(env_file.ENV_FILE).values if env_file.ENV_FILE.is_file() else {}
    over = sorted(name for name, value in in_file.items() if target.values.get(name, value) != value)
    return f"read from {target.source}" + (f"; the environment wins for {', '.join(over)}" if over else "")


def files(_facts: Facts) -> str:
    """Raise UserError if alembic.ini or pyproject.toml cannot be read, or name no folder of revision files."""
    declared = application.read()
    revision_files.require_readable()
    if not revision_files.option("script_location"):
        raise UserError(
            "Neither alembic.ini nor [tool.alembic] in pyproject.toml names script_location.",
            do="git checkout -- alembic.ini",
        )
    return f"alembic.ini and pyproject.toml; the models are {', '.join(declared.metadata)}"


def secrets(facts: Facts) -> str:
    """Raise UserError if other accounts of the machine can read passwords or backups."""
    target = facts.target.known()
    folders = (target.backups.folder, target.reports)
    wrong = {path: "600" for path in (env_file.ENV_FILE,) if path.is_file() and path.stat().st_mode & OTHERS_READ}
    wrong |= {path: "700" for path in folders if path.is_dir() and path.stat().st_mode & OTHERS}
    if wrong:
        raise UserError(
            f"Other accounts of this machine can read {', '.join(map(_shown, wrong))}.",
            do=" && ".join(f"chmod {mode} {shlex.quote(_shown(path))}" for path, mode in wrong.items()),
        )
    return "other accounts can read neither .env nor backups and reports"


def line_ends(_facts: Facts) -> str:
    """Raise UserError if a file that a shell reads has the line ends of Windows."""
    paths = (path for pattern in FOR_SHELLS for path in sorted(ROOT.glob(pattern)))
    wrong = [str(path.relative_to(ROOT)) for path in paths if b"\r" in path.read_bytes()]
    if wrong:
        raise UserError(
            f"Shells cannot read the Windows line ends of {', '.join(wrong)}.",
            do=f"perl -pi -e 's/\\r$//' {shlex.join(wrong)}",
        )
    return "those of Unix"


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
