"""Whom the statements of a migration keep out of which table, from when until when."""

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
    """Until the end of its transaction."""

    @property
    def text(self) -> str:
        return f"{self.revision} keeps {BLOCKS[self.mode]} out of {self.relation}"


def bars(case: Case) -> list[BlockingLock]:
    """On tables that the application knows: nobody waits for one that the migration itself has made."""
    there = {was.table.name for was in case.rows.values()}
    return [
        BlockingLock(statement.revision, lock["relation"], lock["mode"], statement.began, statement.held)
        for statement in case.trace.statements
        for lock in statement.locks
        if lock["mode"] in BLOCKS and lock["relation"] in there
    ]


def longest(case: Case) -> BlockingLock | None:
    return max(bars(case), key=lambda bar: bar.seconds, default=None)
