"""What an Alembic command does to the version, worked out once and then followed, however many tries it takes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationInfo

from scripts.core import child_process
from scripts.core.errors import UserError


@dataclass(frozen=True)
class Step:
    """One revision applied or undone, and how many seconds that took."""

    revision: str
    upgrade: bool
    seconds: float


OnStep = Callable[[Step], None]


@dataclass(frozen=True)
class Commit:
    """Something that a revision committed before it was through."""

    line: int | None
    """Of its file; the last that is known to stand before the commit."""
    block: bool
    """It was an autocommit_block."""
    statement: bool
    """It was a statement that committed by itself."""


Commits = dict[str, list[Commit]]
"""Of each revision."""


class Steps:
    """The steps of one command. A retry goes on where the database is: asked again for `-1`, Alembic would count it
    from there and undo a revision too many.
    """

    def __init__(self, steps: Sequence[Any], start: Sequence[str], on_step: OnStep | None = None) -> None:
        self._steps = list(steps)
        self._on_step = on_step
        self._after: list[set[str]] = [set(start)]
        self.running: MigrationInfo | None = None
        """The step that is being run, until its version is written."""
        self.commits: Commits = {}
        """What each revision committed before it was through."""
        self._written: Step | None = None

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def infos(self) -> list[MigrationInfo]:
        return [step.info for step in self._steps]

    @property
    def command(self) -> str:
        """upgrade, downgrade or stamp."""
        first: MigrationInfo = self._steps[0].info
        return "stamp" if first.is_stamp else "upgrade" if first.is_upgrade else "downgrade"

    @property
    def goal(self) -> set[str]:
        """The version after the last step that was run."""
        return self._after[-1]

    def left(self, at: Sequence[str], command: MigrationContext) -> Iterator[Any]:
        """The steps that a database at `at` still needs, for Alembic to run. It asks for the next one, or whether
        there is one, after it has committed: then the step is told of.
        """
        first = 0 if command.purge else self._position(set(at))
        del self._after[first + 1 :]
        for step in self._steps[first:]:
            self.running = step.info
            self.commits.pop(self.revision, None)
            child_process.begins(getattr(step.info.up_revision, "path", ""))
            yield step
            if self._on_step and self._written:
                self._on_step(self._written)

    def applied(self, heads: set[str], seconds: float) -> None:
        """The running step has written its version; its transaction is not committed yet."""
        step, self.running = self.running, None
        self._after.append(heads)
        if step and step.up_revision_id and not step.is_stamp:
            self._written = Step(step.up_revision_id, step.is_upgrade, seconds)

    @property
    def revision(self) -> str:
        """The one that is being run, or nothing."""
        return str(self.running.up_revision_id or "") if self.running else ""

    @property
    def committed_within(self) -> list[Commit]:
        """What the running step committed before it was through."""
        return self.commits.get(self.revision, []) if self.running else []

    def committed(self, commit: Commit) -> None:
        self.commits.setdefault(self.revision, []).append(commit)

    def _position(self, at: set[str]) -> int:
        for number in reversed(range(len(self._after))):
            if self._after[number] == at:
                return number
        raise UserError(
            f"The database is at {', '.join(sorted(at)) or 'base'} now, where this command never put it.",
            why="Somebody else changed alembic_version meanwhile.",
            do="make status",
            state="what was applied before stays applied.",
        )
