"""Where the data of this checkout are, as `.postgres/place` says. scripts/place.sh explains the file and checks it.

The make targets ask that script first. What is asked here holds for a script or `alembic` that is typed by hand.
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
    """Return the folder of the embedded servers and their logs, which is made when it is not there.

    Raise UserError in a checkout that was copied or moved, and in one whose data belong to another account.
    """
    check()
    home = ROOT / read().get("clusters", ".postgres")
    home.mkdir(parents=True, exist_ok=True)
    if not os.access(home, os.W_OK):
        raise _of_another_account(home)
    return home


def check() -> None:
    """Raise UserError when the record is another checkout's: this one was copied or moved."""
    recorded = read().get("checkout", "")
    with suppress(OSError):
        if not recorded or Path(recorded).samefile(ROOT):
            return
    raise UserError(
        f"This checkout was copied or moved from {recorded}.",
        why="In a copy, commands would work on the database of the original.",
        do="make status   (goes on in a moved checkout, and says what to do in a copy)",
    )


def check_new(accepted: bool) -> None:
    """Raise UserError when a new embedded database would take the place of one that this checkout has, unless that was
    accepted.
    """
    recorded = read()
    embedded, docker = recorded.get("embedded"), recorded.get("docker")
    if accepted or not (embedded or docker):
        return
    if embedded:
        raise UserError(
            f"The data of this checkout's database are gone: there is no {ROOT / embedded}.",
            why="A new, empty database is made on your word only.",
            do="put the folder back. To start empty: make up ACCEPT=new",
        )
    project, _, volume = str(docker).rpartition(" ")
    raise UserError(
        f"This checkout's database is in Docker: volume {volume}, of Compose project {project}.",
        why="RUNTIME=embedded would make another, empty one.",
        do="set RUNTIME=docker in .env. To start empty: make up RUNTIME=embedded ACCEPT=new",
    )


def read() -> dict[str, str]:
    """Return what is recorded, by key; nothing where there is no record."""
    return {match[1]: match[2] for match in map(_LINE.fullmatch, _lines()) if match}


def record_embedded(data: Path) -> None:
    """Write down that the embedded database was made in this folder."""
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
        f"{path} belongs to {owner}, and you are another account.",
        why="The embedded servers run as the account that made their data.",
        do="run the command as root" if owner == "root" else f"run the command as {owner} or root",
    )


def _file() -> Path:
    return ROOT / ".postgres" / "place"
