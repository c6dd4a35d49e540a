"""What the gates of one verification share. Each gate leaves its results for later ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from alembic.script import Script

from scripts.core import messages, overrides
from scripts.core.backups import database_properties
from scripts.core.backups.store import Backup
from scripts.core.plan.plan import Planned
from scripts.core.plan.table_sizes import Weights
from scripts.core.plan.trace import Trace
from scripts.core.postgres import databases, scratch
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions.history import History
from scripts.core.rows.content_hash import Contents
from scripts.core.schema.compare import Difference
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings
from scripts.core.verification.release import Release

PASSED, WARNED, FAILED = "passed", "warned", "failed"
SKIPPED, NOT_RUN, INTERRUPTED = "skipped", "not run", "interrupted"
RANK = (PASSED, SKIPPED, NOT_RUN, WARNED, FAILED, INTERRUPTED)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a gate."""

    summary: str
    details: Sequence[str] = ()
    status: str = PASSED


@dataclass(frozen=True)
class Result:
    """The outcome of a gate, and its duration in seconds."""

    id: str
    name: str
    status: str
    seconds: float
    summary: str
    details: Sequence[str] = ()


@dataclass(frozen=True)
class Timed:
    """A revision that was applied to the real rows."""

    revision: str
    seconds: float
    grew: int
    """Bytes that the database's files have grown by."""
    wal: int
    """Bytes that it wrote to the write-ahead log."""


@dataclass(frozen=True)
class TableVerdict:
    """The comparison of a table's rows."""

    table: str
    before: int | None
    """Rows; None for a table that did not exist."""
    after: int | None
    verdict: str
    """unchanged, new, written, converted, dropped or changed."""
    note: str = ""
    compared: int | None = None
    """Rows whose contents were compared; None for a new or dropped table."""


@dataclass
class Case:
    target: Settings
    revisions: History
    wanted: str
    """The revision up to which it upgrades."""
    wanted_backup: str
    server: Scratch
    release: Release | None = None
    """The running release. The migrated copy has to pass its checks too."""
    backup: Backup | None = None
    at: list[str] = field(default_factory=list)
    """The backup's revision."""
    pending: list[Script] = field(default_factory=list)
    pristine: Settings | None = None
    """A database restored from the backup. It is never changed, and every experiment gets a copy of it."""
    cluster: str | None = None
    """The identity of the target's server; None if it does not answer."""
    schema: Schema | None = None
    """The schema before the migration."""
    rows: dict[int, Contents] = field(default_factory=dict)
    """The rows of each table before the migration, by its number."""
    weights: Weights | None = None
    trace: Trace = field(default_factory=lambda: Trace(peak=0))
    timed: list[Timed] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    migrated: Settings | None = None
    """A copy on which every pending revision was applied."""
    migrated_schema: Schema | None = None
    changes: list[Difference] = field(default_factory=list)
    """The changes of the schema by the migration."""
    comparisons: list[TableVerdict] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    """Names and values for the real run, from the estimate."""


def clone(case: Case, source: Settings) -> Settings:
    """Return a copy of a database, with those settings of a database that no template passes on."""
    assert case.backup
    made = scratch.create(case.server, databases.name_of(source.database_url))
    name = databases.name_of(made.database_url)
    with messages.sent_to(messages.nowhere):
        database_properties.apply(case.server.server, name, case.backup.manifest.properties)
    return made


def as_administrator(case: Case, copy: Settings) -> Settings:
    """Return a copy with a login that reads all of it, whatever rights the migration grants and revokes."""
    return scratch.as_administrator(case.server, copy)


def refused(id_: str, outcome: Outcome) -> Outcome:
    """Return a failure, or a warning if the user said ACCEPT=<id>."""
    if not overrides.accepted(id_):
        return Outcome(outcome.summary, [*outcome.details, f"Override with ACCEPT={id_}."], FAILED)
    return Outcome(f"{outcome.summary} (ACCEPT={id_})", outcome.details, WARNED)
