"""Checks for what interrupted commands left, and for databases that a restore has kept for long."""

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from scripts.core import ROOT, temporary_folders
from scripts.core.backups import kept_databases, store
from scripts.core.doctor.facts import Facts
from scripts.core.errors import UserError
from scripts.core.formatting import human
from scripts.core.postgres import databases, replacement, scratch_databases

LONG = timedelta(days=30)


def throwaway(facts: Facts) -> str:
    """Raise UserError if killed commands left databases on the scratch server."""
    found = scratch_databases.left(facts.scratch.known())
    if found:
        raise UserError(f"Killed commands left {', '.join(found)} on the scratch server.", do="make diagram")
    return "none on the scratch server"


def unfinished(facts: Facts) -> str:
    """Raise UserError if an interrupted restore or reset left databases on the target's server."""
    with _server(facts) as server:
        found = replacement.left(server, databases.name_of(facts.target.known().database_url))
    if found:
        raise UserError(
            f"An interrupted restore or reset left {', '.join(found)}.",
            do=" && ".join(map(kept_databases.drop_command, found)),
        )
    return "none on the server"


def replaced(facts: Facts) -> str:
    """Raise UserError if restores have kept databases for long, or one whose name does not say whose it is."""
    name = databases.name_of(facts.target.known().database_url)
    with _server(facts) as server:
        kept_ones, doubtful = kept_databases.list_all(server, name), kept_databases.doubtful(server, name)
    for doubt in doubtful:
        raise UserError(str(doubt), do=f"inspect it. If it belongs to {name}: {doubt.cure}")
    old = [one for one in kept_ones if _age(one.name) > LONG]
    if old:
        size = human(sum(one.bytes for one in old))
        raise UserError(
            f"Restores have kept {', '.join(one.name for one in old)} for more than {LONG.days} days ({size}).",
            do=" && ".join(kept_databases.drop_command(one.name) for one in old),
        )
    return ", ".join(f"{one.name} ({human(one.bytes)})" for one in kept_ones) or "none"


def files(facts: Facts) -> str:
    """Raise UserError if killed commands left files or folders."""
    folder = facts.target.known().backups.folder
    made = [*ROOT.glob(".env.new.*"), *ROOT.glob(".postgres/place.new.*"), *temporary_folders.left()]
    made = [*_dead(made), *(folder / name for name in store.list_all(folder).failed)]
    names = [str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path) for path in made]
    if names:
        raise UserError(f"Killed commands left {', '.join(names)}.", do=f"rm -r {shlex.join(names)}")
    return "none"


def _dead(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        number = path.name.rpartition(".")[2]
        if not (number.isdigit() and temporary_folders.runs(int(number))):
            yield path


def _age(name: str) -> timedelta:
    return datetime.now(UTC) - datetime.strptime(name[-16:], "%Y%m%dT%H%M%S%z")


@contextmanager
def _server(facts: Facts) -> Iterator[Connection]:
    """Yield a session on the maintenance database of the target's server."""
    facts.server.known()
    with databases.server(facts.target.known()) as server:
        yield server
