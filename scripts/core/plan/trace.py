"""What each statement of a revision does: new locks, rewritten files, scanned tables, written rows.

It is read from PostgreSQL and not from the SQL, so loops, helpers and DO blocks are seen too. Empty tables are enough:
a scan counts even if it finds nothing, and a rewrite gives a table another file.
"""

import time
from dataclasses import dataclass, field

from scripts.core.migrate.steps import Commits
from scripts.core.schema.catalog_snapshot import Change, Snapshot, Thing


@dataclass
class Statement:
    """One execution of a cursor by a revision file."""

    revision: str
    sql: str
    line: int
    """The line of the innermost frame in the revision's file."""
    transaction: int
    """Statements with the same number are committed together."""
    seconds: float = 0.0
    locks: list[dict[str, str]] = field(default_factory=list)
    """New locks: relation and mode. Locks on objects of the same transaction are left out."""
    rewrites: list[str] = field(default_factory=list)
    """Tables and indexes that got another file."""
    scans: list[str] = field(default_factory=list)
    rows_written: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    """Changes in the catalogs, of all relations."""
    executions: int = 1
    """How often it was executed, if one line executes many statements of one form. Then all times are added up."""
    alone: bool = False
    """The statement committed by itself (autocommit)."""
    began: float = 0.0
    """Seconds since the trace began. No time here includes the tracing itself."""
    held: float = 0.0
    """Seconds from its start to the end of its transaction: its locks are held so long."""


@dataclass
class Trace:
    statements: list[Statement] = field(default_factory=list)
    before: dict[str, Snapshot] = field(default_factory=dict)
    """The schema before each revision, if the revision executed a statement."""
    after: dict[str, Snapshot] = field(default_factory=dict)
    commits: Commits = field(default_factory=dict)
    """What each revision committed before its end."""
    sessions: list[tuple[str, int]] = field(default_factory=list)
    """File and line at which a revision opened another session."""
    read: dict[str, list[str]] = field(default_factory=dict)
    """The files that each revision's file read, by its path."""
    definitions: dict[Thing, str] = field(default_factory=dict)
    """Definitions of new constraints, indexes and defaults of existing tables."""
    peak: int | None = None
    """The largest size of the database's files after a statement, in bytes; None if it is not measured. During a
    rewrite both the old and the new file count."""
    looking: float = 0.0
    """Seconds that the tracing itself took."""
    start: float = field(default_factory=time.monotonic)

    @property
    def clock(self) -> float:
        """Return the seconds since the trace began, without those of the tracing."""
        return time.monotonic() - self.start - self.looking
