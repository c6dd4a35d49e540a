"""Shadows: databases built from the revision files alone. They stay on the scratch server as templates."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from alembic.util import to_tuple
from sqlalchemy import Connection

from scripts.core import application, files_read
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.steps import Commits, Excuse, Tracer
from scripts.core.plan import empty_copy, missing_extensions, missing_objects
from scripts.core.plan.empty_copy import EmptyCopy, Make
from scripts.core.postgres import extensions, own_tables, scratch, scratch_extensions, templates, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import history, naming
from scripts.core.revisions.history import History
from scripts.core.settings import Settings

KIND, MOST_SHADOWS = "shadow", 20


@dataclass(frozen=True)
class Shadow:
    name: str
    files: list[str]
    """The files of the checkout that were read while its revisions ran."""


def build(server: Scratch, revisions: History, at: Sequence[str], *, partial: bool = False) -> Settings:
    """Return settings of a new database with the schema of the files up to `at`.

    It is a copy of the shadow of exactly these files, and of the files that were read while they ran. A missing shadow
    is built from the nearest older one. In a `partial` one, a revision whose code needs a row ends early; otherwise it
    fails.
    """
    at = [one for one in at if one != "base"]
    if not at:
        made = scratch.create(server)
        scratch_extensions.make(server, made, scratch_extensions.needed(server))
        return made
    keys = keys_of(server, revisions, partial=partial)
    return templates.copied(server, lambda: _template(server, revisions, keys, at, partial=partial))


def keys_of(server: Scratch, revisions: History, *, partial: bool = False) -> dict[str, str]:
    """Return a key of each revision: of all on which its schema depends, but the files that are read meanwhile."""
    return _keys(revisions, _server(server) + (_left_out(server) if partial else ""))


def _template(server: Scratch, revisions: History, keys: dict[str, str], at: Sequence[str], *, partial: bool) -> str:
    """Return the name of the shadow. Make a missing one."""
    wanted = _key(keys, at)
    existing = templates.find(server, KIND).items()
    usable = dict(filter(None, (_usable(name, files) for name, files in existing)))
    if wanted in usable:
        return usable[wanted].name
    return _make(server, wanted, _nearest(revisions, keys, at, usable), at, partial=partial)


def _make(server: Scratch, key: str, template: Shadow, at: Sequence[str], *, partial: bool) -> str:
    made = scratch.create(server, template.name)
    scratch_extensions.make(server, made, scratch_extensions.needed(server))
    files = sorted({*template.files, *run(server, made, at, partial=partial)})
    name = f"{KIND}_{key}_{files_read.content(files)}"
    return templates.keep(server, made, name, json.dumps(files), MOST_SHADOWS)


def run(server: Scratch, made: Settings, at: Sequence[str], *, partial: bool = False) -> list[str]:
    """Apply everything up to the revisions `at`, and return the files that were read. Raise UserError if one fails."""
    copy = EmptyCopy(missing_extensions.elsewhere(server), missing_extensions.declared(server))
    lacks = copy if partial else EmptyCopy()
    return trial.run(server, made, upgrade, at, partial, lacks, make=missing_objects.maker(server, made))


def upgrade(made: Settings, at: Sequence[str], partial: bool, lacks: EmptyCopy, make: Make) -> list[str]:
    """Do the work of `run` in the child. Leave out statements that need rows, which a shadow does not have."""
    with files_read.noted() as files:
        for revision in at:
            found = EmptyCopy(lacks.elsewhere, [*lacks.lacking])
            alembic_commands.traced(made, revision, lambda _step: None, tracer(make, found, partial=partial))
    return list(files)


def tracer(make: Make, found: EmptyCopy, *, partial: bool) -> Tracer:
    """Return what lets revisions run on a database without rows. `found` gets what was left out."""

    def attach(connection: Connection, revision: Callable[[], str], commits: Commits) -> Excuse | None:
        extensions.tolerate(connection)
        excuse = empty_copy.tracer(make, found)(connection, revision, commits)
        return excuse if partial else None

    return attach


def _usable(name: str, comment: str) -> tuple[str, Shadow] | None:
    """Return the key and the shadow, if the files that were read for it are still the same."""
    _, key, *content = name.split("_")
    if not content or not comment:  # of an earlier version
        return None
    files = json.loads(comment)
    return (key, Shadow(name, files)) if content == [files_read.content(files)] else None


def _nearest(revisions: History, keys: dict[str, str], at: Sequence[str], usable: dict[str, Shadow]) -> Shadow:
    """Return the shadow that lacks the fewest of these revisions."""
    older = (keys[found.revision] for found in revisions.iterate_revisions(tuple(at), "base"))
    return next((usable[key] for key in older if key in usable), Shadow("template0", []))


def _server(server: Scratch) -> str:
    """Return all that the result depends on besides files of the checkout."""
    about = templates.about(server), server.rights.key, repr(naming.fetch())
    extensions = [*scratch_extensions.needed(server), *application.read().extensions]
    return ",".join([*about, *extensions, *files_read.packages()])


def _left_out(server: Scratch) -> str:
    """Return what else a partial shadow depends on: missing extensions, whose statements are left out."""
    elsewhere = missing_extensions.elsewhere(server)
    return f"partial {'any' if elsewhere is None else sorted({*elsewhere} - scratch_extensions.offered(server))}"


@lru_cache(maxsize=2)
def _keys(revisions: History, server: str) -> dict[str, str]:
    """Return a key for the schema at each revision, from its file, env.py, the server, and all earlier revisions.

    The files are read once for a history, whose code was read once too.
    """
    base = server.encode() + own_tables.VERSION.encode() + Path(revisions.dir, "env.py").read_bytes()
    keys: dict[str, str] = {}
    for found in reversed(list(revisions.walk_revisions())):
        needed = [*to_tuple(found.down_revision, ()), *to_tuple(found.dependencies, ())]
        before = sorted(keys[history.script(revisions, one).revision] for one in needed)
        keys[found.revision] = _sum(base, Path(found.path).read_bytes(), *map(str.encode, before))
    return keys


def _key(keys: dict[str, str], at: Sequence[str]) -> str:
    own = [keys[revision] for revision in at]
    return own[0] if len(own) == 1 else _sum(*map(str.encode, sorted(own)))


def _sum(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]
