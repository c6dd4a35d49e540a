"""Shadows: databases built from the revision files alone. They stay on the scratch server as templates."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from alembic.util import to_tuple
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from scripts.core import ROOT, sqlstates
from scripts.core.errors import UserError
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.steps import Commits, Excuse
from scripts.core.plan import empty_copy, missing_roles
from scripts.core.plan.empty_copy import EmptyCopy, MakeRole
from scripts.core.postgres import databases, extensions, scratch, scratch_extensions, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import history
from scripts.core.revisions.history import History
from scripts.core.settings import Settings

MOST_SHADOWS = 20
_SHADOWS = text("SELECT datname FROM pg_database WHERE datname LIKE 'shadow\\_%' ORDER BY oid")
_SERVER = text(
    "SELECT version() || string_agg(name || default_version, ',' ORDER BY name) FROM pg_available_extensions"
)


def build(server: Scratch, revisions: History, at: Sequence[str], *, partial: bool = False) -> Settings:
    """Return settings of a new database with the schema of the files up to `at`.

    It is a copy of the shadow of exactly these files. A missing shadow is built from the nearest older one. In a
    `partial` one, a revision whose code needs a row ends early; otherwise it fails.
    """
    if not at:
        made = scratch.create(server)
        scratch_extensions.make(server, made, scratch_extensions.needed(server))
        return made
    there = ",".join([server.rights.key, *scratch_extensions.needed(server), *(["partial"] if partial else [])])
    keys = _keys(revisions, str(server.server.scalar(_SERVER)) + there)
    wanted = _name(keys, at)
    while True:
        existing = list(server.server.scalars(_SHADOWS))
        try:
            if wanted not in existing:
                _make(server, wanted, _nearest(revisions, keys, at, existing), at, partial=partial)
                for name in existing[: max(0, len(existing) + 1 - MOST_SHADOWS)]:
                    databases.drop(server.server, name)
            return scratch.create(server, wanted)
        except ProgrammingError as error:
            # Another run may have dropped the template meanwhile.
            if sqlstates.of(error) != sqlstates.INVALID_CATALOG_NAME:
                raise


def _make(server: Scratch, name: str, template: str, at: Sequence[str], *, partial: bool) -> None:
    missing = scratch_extensions.needed(server)
    while True:
        made = scratch.create(server, template)
        scratch_extensions.make(server, made, missing)
        try:
            run(server, made, at, partial=partial)
            break
        except UserError as error:
            # An administrator created these extensions where the files were applied, so the administrator does it here.
            extension = extensions.lacking(error.__cause__)
            if not extension or extension in missing or server.rights.extensions is not None:
                raise
            missing.append(extension)
    scratch.keep(server, made, name)


def run(server: Scratch, made: Settings, at: Sequence[str], *, partial: bool = False) -> None:
    """Apply everything up to the revisions `at`. Raise UserError if one fails."""
    trial.run(server, made, upgrade, at, partial, make_role=missing_roles.maker(server))


def upgrade(made: Settings, at: Sequence[str], partial: bool, make_role: MakeRole) -> None:
    """Do the work of `run` in the child. Leave out statements that need rows, which a shadow does not have."""

    def attach(connection: Connection, revision: Callable[[], str], commits: Commits) -> Excuse | None:
        extensions.tolerate(connection)
        excuse = empty_copy.tracer(make_role, EmptyCopy())(connection, revision, commits)
        return excuse if partial else None

    for revision in at:
        alembic_commands.traced(made, revision, lambda _step: None, attach)


def _nearest(revisions: History, keys: dict[str, str], at: Sequence[str], existing: list[str]) -> str:
    """Return the shadow that lacks the fewest of these revisions."""
    older = (f"shadow_{keys[found.revision]}" for found in revisions.iterate_revisions(tuple(at), "base"))
    return next((name for name in older if name in existing), "template0")


def _keys(revisions: History, server: str) -> dict[str, str]:
    """Return a key for the schema at each revision, from its file, env.py, the server, and all earlier revisions."""
    base = server.encode() + (ROOT / "alembic" / "env.py").read_bytes()
    keys: dict[str, str] = {}
    for found in reversed(list(revisions.walk_revisions())):
        needed = [*to_tuple(found.down_revision, ()), *to_tuple(found.dependencies, ())]
        before = sorted(keys[history.script(revisions, one).revision] for one in needed)
        keys[found.revision] = _sum(base, Path(found.path).read_bytes(), *map(str.encode, before))
    return keys


def _name(keys: dict[str, str], at: Sequence[str]) -> str:
    own = [keys[revision] for revision in at]
    return f"shadow_{own[0] if len(own) == 1 else _sum(*map(str.encode, sorted(own)))}"


def _sum(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]
