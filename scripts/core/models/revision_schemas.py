"""The schema at each revision, as hashes. They stay on the scratch server, so that the next search needs no migration.

Each revision has a row with what it changes. Names are those of Schema, and definitions are as after a restore.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from alembic.script import Script
from alembic.util import to_tuple
from sqlalchemy import text

from scripts.core import files_read, messages
from scripts.core.errors import UserError
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.steps import Step
from scripts.core.plan import missing_extensions, missing_objects, rehearsal, shadow
from scripts.core.plan.empty_copy import EmptyCopy, Make
from scripts.core.postgres import trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import history
from scripts.core.revisions.history import History
from scripts.core.schema import repeated_reading
from scripts.core.schema.fingerprint import FINGERPRINT_VERSION, Schema
from scripts.core.schema.restored_text import canonical
from scripts.core.settings import Settings

Hashes = dict[str, str]
"""A hash of the definition of each object."""
Changes = dict[str, str | None]
"""What a revision changes; None: the object is gone."""
AT_ONCE = 200
"""Revisions in one call of the child. PLAN_DEADLINE is the limit of each call."""
_ROWS = "revision_schema"
_MAKE = text(
    f"CREATE TABLE IF NOT EXISTS {_ROWS} (key text PRIMARY KEY, files text NOT NULL, content text NOT NULL,"
    " changes text NOT NULL, finished boolean NOT NULL, used date NOT NULL DEFAULT current_date)"
)
_READ = text(f"SELECT key, files, content, changes, finished FROM {_ROWS} WHERE key = ANY(:keys)")
_USED = text(f"UPDATE {_ROWS} SET used = current_date WHERE key = ANY(:keys) AND used < current_date")
_FORGET = text(f"DELETE FROM {_ROWS} WHERE used < current_date - 90")
_KEEP = text(
    f"INSERT INTO {_ROWS} (key, files, content, changes, finished) VALUES (:key, :files, :content, :changes, :finished)"
    " ON CONFLICT (key) DO UPDATE SET (files, content, changes, finished)"
    " = (EXCLUDED.files, EXCLUDED.content, EXCLUDED.changes, EXCLUDED.finished)"
)


@dataclass(frozen=True)
class Ran:
    """What a revision changes on a database without rows."""

    changes: Changes
    finished: bool = True
    """It ended early, because its code needs a row or an extension, if not."""


@dataclass
class Walked:
    """What a call of the child has found."""

    ran: list[Ran] = field(default_factory=list)
    files: Sequence[str] = ()
    failure: UserError | None = None
    """Why the revision after the last one did not run."""


@dataclass(frozen=True)
class Part:
    """How far to upgrade, and how far that is in the chain."""

    wanted: str
    done: int
    total: int
    lacks: EmptyCopy
    """What only the scratch server lacks: see missing_extensions."""


@dataclass
class Known:
    """The schemas that are known."""

    schemas: dict[str, Hashes] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)
    """Revisions that ended early, because they need a row or an extension."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a revision's schema is not known. Those that follow it are missing too, without a reason."""


def hashed(schema: Schema) -> Hashes:
    """Return the hashes of a schema. Extensions do not count: their versions are the server's."""
    found = schema.objects.items()
    return {name: _hash(definition) for name, definition in found if not name.startswith("extension ")}


def read(server: Scratch, revisions: History) -> Known:
    """Return the schema at each revision. Run those that are not stored, and say how far that is."""
    found = shadow.keys_of(server, revisions, partial=True).items()
    keys = {revision: f"{FINGERPRINT_VERSION} {key}" for revision, key in found}
    stored, known = _stored(server, list(keys.values())), Known()
    every = history.oldest_first(revisions)
    for script in every:
        parents = parents_of(script)
        if keys[script.revision] in stored and all(one in known.schemas for one in parents):
            _add(known, script, stored[keys[script.revision]])
        elif script.revision not in {*known.schemas, *known.missing} and all(one in known.schemas for one in parents):
            _run(server, revisions, _chain(script, every, keys, stored), keys, known)
    return known


def parents_of(script: Script) -> list[str]:
    return [*to_tuple(script.down_revision, ()), *to_tuple(script.dependencies, ())]


def _add(known: Known, script: Script, ran: Ran) -> None:
    parents, changes = parents_of(script), ran.changes
    known.unfinished += [] if ran.finished else [script.revision]
    schema = dict(known.schemas[parents[0]]) if parents else {}
    schema.update({name: value for name, value in changes.items() if value is not None})
    for name in (name for name, value in changes.items() if value is None):
        schema.pop(name, None)
    known.schemas[script.revision] = schema


def _chain(first: Script, every: Sequence[Script], keys: dict[str, str], stored: dict[str, Ran]) -> list[Script]:
    """Return a revision and those that follow it one by one and are not stored."""
    chain = [first]
    for script in every[every.index(first) + 1 :]:
        if parents_of(script) == [chain[-1].revision] and keys[script.revision] not in stored:
            chain.append(script)
    return chain


def _run(server: Scratch, revisions: History, chain: Sequence[Script], keys: dict[str, str], known: Known) -> None:
    """Run a chain after the revisions that it follows, and keep what each one changes."""
    before = parents_of(chain[0])
    try:
        made = shadow.build(server, revisions, before, partial=True)
    except UserError as error:
        known.missing[chain[0].revision] = error.problem
        return
    make, files = missing_objects.maker(server, made), set[str]()
    lacks = EmptyCopy(missing_extensions.elsewhere(server), missing_extensions.declared(server))
    for start in range(0, len(chain), AT_ONCE):
        part = chain[start : start + AT_ONCE]
        base = known.schemas[parents_of(part[0])[0]] if parents_of(part[0]) else {}
        of = Part(part[-1].revision, start, len(chain), lacks)
        walked: Walked = trial.run(server, made, walk, of, base, make=make)
        files |= {*walked.files}
        done = list(zip(part, walked.ran, strict=False))
        for script, ran in done:
            _add(known, script, ran)
        _keep(server, [(keys[one.revision], ran) for one, ran in done], files)
        if walked.failure:
            known.missing[part[len(done)].revision] = walked.failure.problem
            return


def walk(made: Settings, of: Part, before: Hashes, make: Make) -> Walked:
    """Upgrade in the child, and compare the schema after each revision with the one before."""
    walked, state, found = Walked(), [before], of.lacks
    with rehearsal.observed(made) as observer:

        def on_step(step: Step) -> None:
            after = hashed(repeated_reading.read(observer))
            walked.ran.append(Ran(_changes(state[0], after), step.revision not in found.unfinished))
            state[0] = after
            messages.progress(of.done + len(walked.ran), of.total, "revisions")

        try:
            with files_read.noted() as files:
                alembic_commands.traced(made, of.wanted, on_step, shadow.tracer(make, found, partial=True))
            walked.files = list(files)
        except UserError as error:
            walked.failure = trial.failed(error)
    return walked


def _changes(before: Hashes, after: Hashes) -> Changes:
    gone: Changes = dict.fromkeys(before.keys() - after.keys())
    return gone | {name: value for name, value in after.items() if before.get(name) != value}


def _stored(server: Scratch, keys: Sequence[str]) -> dict[str, Ran]:
    """Return the rows whose files are as they were when the revisions ran."""
    server.server.execute(_MAKE)
    server.server.execute(_USED, {"keys": keys})
    server.server.execute(_FORGET)
    same: Callable[[str], str] = cache(lambda files: files_read.content(json.loads(files)))
    rows = server.server.execute(_READ, {"keys": keys})
    return {
        key: Ran(json.loads(changes), done) for key, files, content, changes, done in rows if same(files) == content
    }


def _keep(server: Scratch, rows: Sequence[tuple[str, Ran]], files: set[str]) -> None:
    every = json.dumps(sorted(files))
    content = files_read.content(files)
    values = [
        {"key": key, "files": every, "content": content, "changes": json.dumps(one.changes), "finished": one.finished}
        for key, one in rows
    ]
    if values:
        server.server.execute(_KEEP, values)


@cache
def _hash(definition: str) -> str:
    return hashlib.blake2b(canonical(definition).encode(errors="surrogateescape"), digest_size=8).hexdigest()


def distances(known: Known, live: Hashes) -> Iterator[tuple[int, str]]:
    """Yield for each revision the number of objects that differ from those of a database."""
    pairs = set(live.items())
    for revision, schema in known.schemas.items():
        both = pairs & schema.items()
        names = live.keys() | schema.keys()
        yield len(names) - len(both), revision
