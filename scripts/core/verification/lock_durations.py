"""The locks of a migration that block the application, with their tables and times."""

from dataclasses import dataclass

from scripts.core.postgres.lock_modes import BLOCKS
from scripts.core.verification.context import Case


@dataclass(frozen=True)
class BlockingLock:
    """A lock that keeps the application out."""

    revision: str
    relation: str
    mode: str
    began: float
    """Seconds since the migration began."""
    seconds: float
    """Seconds until the end of its transaction."""

    @property
    def text(self) -> str:
        return f"{self.revision} blocks {BLOCKS[self.mode]} of {self.relation}"


def bars(case: Case) -> list[BlockingLock]:
    """Return the locks on tables that existed before. The application does not wait for new tables."""
    there = {was.table.name for was in case.rows.values()}
    return [
        BlockingLock(statement.revision, lock["relation"], lock["mode"], statement.began, statement.held)
        for statement in case.trace.statements
        for lock in statement.locks
        if lock["mode"] in BLOCKS and lock["relation"] in there
    ]


def longest(case: Case) -> BlockingLock | None:
    return max(bars(case), key=lambda bar: bar.seconds, default=None)
