"""Where the data of this checkout are, as recorded in `.postgres/place`. scripts/place.sh explains and checks the file.

The make targets call that script first. The checks here are for a script or `alembic` that is typed by hand.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from scripts.core import ROOT
from scripts.core.errors import UserError

_LINE = re.compile(r"([a-z]+)=(.*)")


def folder() -> Path:
    """Return the folder of the embedded servers and their logs, and create it if it is missing.

    Raise UserError in a checkout that was copied or moved, or whose data belong to another account.
    """
    check()
    home = ROOT / read().get("clusters", ".postgres")
    home.mkdir(parents=True, exist_ok=True)
    if not os.access(home, os.W_OK):
        raise _of_another_account(home)
    return home


def check() -> None:
    """Raise UserError if the record belongs to another checkout, so that this one was copied or moved."""
    recorded = read().get("checkout", "")
    with suppress(OSError):
        if not recorded or Path(recorded).samefile(ROOT):
            return
    raise UserError(
        f"This checkout was copied or moved from {recorded}.",
        why="In a copy, commands would change the database of the original.",
        do="make status   (goes on in a moved checkout, and says what to do in a copy)",
        check="place",
    )


def check_new(accepted: bool) -> None:
    """Raise UserError if a new embedded database would replace one that this checkout has, unless that was accepted."""
    recorded = read()
    embedded, docker = recorded.get("embedded"), recorded.get("docker")
    if accepted or not (embedded or docker):
        return
    if embedded:
        raise UserError(
            f"The data of this checkout's database are gone: {ROOT / embedded} does not exist.",
            why="A new, empty database is created only with your consent.",
            do="restore that folder. To start empty: make up ACCEPT=new",
            check="place",
        )
    project, _, volume = str(docker).rpartition(" ")
    raise UserError(
        f"This checkout's database is in Docker: volume {volume}, of Compose project {project}.",
        why="RUNTIME=embedded would create a second, empty database.",
        do="set RUNTIME=docker in .env. To start empty: make up RUNTIME=embedded ACCEPT=new",
        check="place",
    )


def read() -> dict[str, str]:
    """Return the recorded values by key; nothing without a record."""
    return {match[1]: match[2] for match in map(_LINE.fullmatch, _lines()) if match}


def record_embedded(data: Path) -> None:
    """Record that the embedded database was created in this folder."""
    _record("embedded", str(data.relative_to(ROOT) if data.is_relative_to(ROOT) else data))


def _record(key: str, value: str) -> None:
    lines = list(_lines()) or [f"id={secrets.token_hex(8)}", f"checkout={ROOT.resolve()}"]
    lines = [line for line in lines if not line.startswith(f"{key}=")]
    path = _file()
    path.parent.mkdir(exist_ok=True)
    new = path.with_name(f"{path.name}.new.{os.getpid()}")
    new.write_text("\n".join([*lines, f"{key}={value}", ""]))
    new.rename(path)


def _lines() -> Iterator[str]:
    try:
        yield from _file().read_text().splitlines()
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise _of_another_account(_file()) from error


def _of_another_account(path: Path) -> UserError:
    owner = path.owner()
    return UserError(
        f"{path} belongs to {owner}, but you use another account.",
        why="The embedded servers run as the account that created their data.",
        do="run the command as root" if owner == "root" else f"run the command as {owner} or root",
    )


def _file() -> Path:
    return ROOT / ".postgres" / "place"
