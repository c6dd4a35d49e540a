"""Checks of what runs the scripts and the servers: the checkout, git, packages, ports and disks."""

import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import text

from scripts.core import ROOT, place, subprocesses
from scripts.core.doctor import facts as facts_
from scripts.core.doctor.diagnosis import NotCheckedError
from scripts.core.doctor.facts import Facts
from scripts.core.errors import UserError
from scripts.core.formatting import human
from scripts.core.postgres import ports as ports_

ENOUGH = 1024**3
"""Bytes that are free. A backup also needs no more than the database."""
_SIZE = text("SELECT pg_database_size(current_database())")


def on_host(facts: Facts) -> str:
    """Return what only the host can see, as make doctor has found it."""
    raise NotCheckedError(
        "only make doctor sees it, from outside the containers."
        if facts.runtime == "docker"
        else f"RUNTIME is {facts.runtime}."
    )


def data(facts: Facts) -> str:
    """Raise UserError if this checkout is a copy, or if its data is not where it was."""
    target = facts.target.known()
    if target.external:
        return "the database is on another server"
    if target.in_container:
        return on_host(facts)
    place.check()
    folder = facts_.folder_of_clusters() / "target"
    if target.runtime == "embedded" and not (folder / "PG_VERSION").exists():
        place.check_new(accepted=False)
        return "there is no database yet"
    return f"the data is in {folder}" if target.runtime == "embedded" else "this checkout is no copy"


def worktree(_facts: Facts) -> str:
    """Raise UserError if git cannot read this repository, as in a worktree whose repository was moved."""
    if not (ROOT / ".git").exists():
        raise NotCheckedError("this is no git repository.")
    if not shutil.which("git"):
        raise NotCheckedError("git is not installed.")
    said = subprocesses.failure(["git", "-C", str(ROOT), "rev-parse", "--git-dir"])
    if said:
        trusting = f"git config --global --add safe.directory {ROOT}"
        repair = f"git worktree repair {ROOT}   (in the repository itself)"
        raise UserError(
            f"git cannot read this repository: {said.splitlines()[0]}",
            do=trusting if "safe.directory" in said else repair,
        )
    return "git can read this repository" + (", by a worktree" if (ROOT / ".git").is_file() else "")


def packages(_facts: Facts) -> str:
    """Return the versions that the scripts run with."""
    python = ".".join(map(str, sys.version_info[:3]))
    return f"Python {python}, SQLAlchemy {version('sqlalchemy')}, Alembic {version('alembic')}"


def ports(facts: Facts) -> str:
    """Raise UserError if the embedded server cannot listen on DB_PORT."""
    target = facts.target.known()
    if target.external or target.runtime != "embedded":
        return on_host(facts)
    port, data = target.database_url.port or 5432, facts_.folder_of_clusters() / "target"
    if not facts_.port_of(data):
        ports_.require_free(port, data)
        return f"127.0.0.1:{port} is free"
    return f"the database listens on 127.0.0.1:{port}"


def disk(facts: Facts) -> str:
    """Raise UserError if a disk with backups or data has little room."""
    target = facts.target.known()
    size = int(facts.server.value.scalar(_SIZE) or 0) if facts.server.value else 0
    folders = [target.backups.folder, *([facts_.folder_of_clusters()] if target.runtime == "embedded" else [])]
    free = {folder: shutil.disk_usage(next(_existing(folder))).free for folder in folders}
    for folder, room in free.items():
        if room < max(ENOUGH, size):
            raise UserError(
                f"The disk of {folder} has {human(room)} left; the database has {human(size)}.",
                do="make room there; make backups KEEP=5 removes old backups",
            )
    return f"{human(min(free.values()))} are free; the database has {human(size)}"


def _existing(folder: Path) -> Iterator[Path]:
    yield from (path for path in (folder, *folder.parents) if path.is_dir())
