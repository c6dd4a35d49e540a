"""Databases that a restore has replaced and kept. Their names are the target's name and a time."""

import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from sqlalchemy import Connection, text

from scripts.core.errors import UserError
from scripts.core.postgres import database_names, sql
from scripts.core.postgres.database_names import KEPT_INFIX
from scripts.core.postgres.sql import compose

_NAMES = text("SELECT datname FROM pg_database ORDER BY right(datname, 16)")
_BYTES = text("SELECT pg_database_size(CAST(:name AS name))")
_NAME = re.compile(rf"(?P<beginning>.*){KEPT_INFIX}(?P<when>\d{{8}}T\d{{6}}Z)", re.DOTALL)
OLD = 40
"""Older versions of this code used this many bytes of a name, and no hash."""


@dataclass(frozen=True)
class KeptDatabase:
    name: str
    bytes: int


@dataclass(frozen=True)
class Doubt:
    """A kept database whose name fits several databases."""

    name: str
    owners: list[str]
    new: str
    """The name that assigns it to the target."""

    def __str__(self) -> str:
        return f"{self.name} was kept by a restore of {' or of '.join(self.owners)}; its name does not say which."

    @property
    def cure(self) -> str:
        """Return the command that assigns it to the target."""
        return _psql(compose("ALTER DATABASE {} RENAME TO {}", sql.name(self.name), sql.name(self.new)))


def list_all(server: Connection, database: str) -> list[KeptDatabase]:
    """Return the kept databases of this database, oldest first."""
    return [KeptDatabase(name, server.scalar(_BYTES, {"name": name}) or 0) for name in _look(server, database)[0]]


def doubtful(server: Connection, database: str) -> list[Doubt]:
    """Return the kept databases that may belong to this database or to another."""
    return _look(server, database)[1]


def require_certain(server: Connection, database: str, name: str) -> None:
    """Raise UserError if the kept database of this name may belong to another database."""
    for doubt in doubtful(server, database):
        if doubt.name == name:
            raise UserError(str(doubt), do=f"inspect it. If it belongs to {database}: {doubt.cure}")


def new_name(server: Connection, database: str) -> str:
    """Return an unused name for the database that a restore replaces now."""
    taken = _look(server, database)[0]
    now = datetime.now(UTC)
    names = (_name(database, f"{now + timedelta(seconds=later):%Y%m%dT%H%M%SZ}") for later in count())
    return next(name for name in names if name not in taken)


def commands(kept_name: str, database: str) -> str:
    """Return the name of the database that a command has just replaced, and how to restore it or to drop it."""
    return (
        f"  The database from before is kept as {kept_name}.\n"
        f"  Restore it:  make restore BACKUP={shlex.quote(kept_name)} CONFIRM={shlex.quote(database)}\n"
        f"  Drop it:     {drop_command(kept_name)}"
    )


def inspect_commands(name: str) -> str:
    """Return how to look into a database that a restore made beside the current one, and how to drop it."""
    return f"  Look into it:  make psql, then: \\connect {sql.typed(name)}\n  Drop it:       {drop_command(name)}"


def drop_command(name: str) -> str:
    return _psql(compose("DROP DATABASE {}", sql.name(name)))


def _look(server: Connection, database: str) -> tuple[list[str], list[Doubt]]:
    """Return the kept databases of this database, and those that may be its own.

    Short databases have the same old and new names. For a long one, only an old name may belong to another database.
    """
    names = list(server.scalars(_NAMES))
    own: list[str] = []
    doubts: list[Doubt] = []
    for name in names:
        found = _NAME.fullmatch(name)
        if found and name == _name(database, found["when"]):
            own.append(name)
        elif found and found["beginning"] == database_names.cut(database, OLD):
            owners = sorted({database, *(other for other in names if _may_own(other, found["beginning"]))})
            if owners == [database]:
                own.append(name)
            else:
                doubts.append(Doubt(name, owners, _name(database, found["when"])))
    return own, doubts


def _may_own(database: str, beginning: str) -> bool:
    return database_names.cut(database, OLD) == beginning and not database_names.is_derived(database)


def _name(database: str, when: str) -> str:
    return database_names.derived(database, KEPT_INFIX + when)


def _psql(statement: str) -> str:
    """Return the command that runs the statement, quoted for a shell."""
    return f"make psql c={shlex.quote(statement)}"
