"""The steps of an Alembic command. They are computed once and stay the same for all attempts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import Connection

from scripts.core import child_process
from scripts.core.errors import UserError
from scripts.core.postgres import own_tables
from scripts.core.revisions import migration_log, sources
from scripts.core.revisions.sources import Sources


@dataclass(frozen=True)
class Step:
    """One revision that was applied or undone, and its duration in seconds."""

    revision: str
    upgrade: bool
    seconds: float


OnStep = Callable[[Step], None]


@dataclass(frozen=True)
class Commit:
    """A commit by a revision before its end."""

    line: int | None
    """The last line of its file that is known to be before the commit."""
    block: bool
    """An autocommit_block committed."""
    statement: bool
    """A single statement committed by itself."""


Commits = dict[str, list[Commit]]
"""The commits of each revision."""
Excuse = Callable[[Exception], bool]
"""Whether an error of a revision's code ends it early without failing."""
Tracer = Callable[[Connection, Callable[[], str], Commits], Excuse | None]
"""Is given the migrating connection, a function that names the running revision, and the commits of each revision."""


class Steps:
    """The steps of one command. A retry continues from where the database is.

    Alembic would count `-1` again from there, and undo one revision too many.
    """

    def __init__(self, steps: Iterable[Any], start: Sequence[str], on_step: OnStep | None = None) -> None:
        self._steps = list(steps)
        self._on_step = on_step
        self._after: list[set[str]] = [set(start)]
        self.running: MigrationInfo | None = None
        """The step that runs, until its version is written."""
        self.commits: Commits = {}
        """What each revision committed before its end."""
        self._written: Step | None = None

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def infos(self) -> list[MigrationInfo]:
        return [step.info for step in self._steps]

    @property
    def command(self) -> str:
        """Return upgrade, downgrade or stamp."""
        first: MigrationInfo = self._steps[0].info
        return "stamp" if first.is_stamp else "upgrade" if first.is_upgrade else "downgrade"

    @property
    def files(self) -> dict[str, Path]:
        """Return the file of each revision."""
        return {str(one.up_revision_id): Path(getattr(one.up_revision, "path", "")) for one in self.infos}

    @cached_property
    def sources(self) -> Sources:
        """Return the sources as they are before the first step."""
        return sources.load(self.paths)

    @property
    def source(self) -> str:
        """Return the text of the sources of all steps."""
        return self.sources.text

    @property
    def paths(self) -> list[Path]:
        """Return the revision files of all steps."""
        ids = {one for info in self.infos for one in migration_log.recorded(info)}
        scripts = map(self.infos[0].revision_map.get_revision, ids) if ids else ()
        return sorted({Path(one.path) for one in scripts if isinstance(one, Script)})

    @property
    def goal(self) -> set[str]:
        """Return the version after the last step that was run."""
        return self._after[-1]

    @property
    def at_base(self) -> bool:
        """Return whether no revision is applied yet."""
        return not self.goal

    def left(self, at: Sequence[str], command: MigrationContext) -> Iterator[Any]:
        """Yield the steps that a database at `at` still needs, for Alembic to run.

        Alembic asks for the next step after it has committed. Then the step is reported.
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
        """Note that the running step has written its version. Its transaction is not committed yet."""
        step, self.running = self.running, None
        self._after.append(heads)
        if step and step.up_revision_id and not step.is_stamp:
            self._written = Step(step.up_revision_id, step.is_upgrade, seconds)

    @property
    def revision(self) -> str:
        """Return the revision that runs, or nothing."""
        return str(self.running.up_revision_id or "") if self.running else ""

    @property
    def committed_within(self) -> list[Commit]:
        """Return what the running step committed before its end."""
        return self.commits.get(self.revision, []) if self.running else []

    def committed(self, commit: Commit) -> None:
        self.commits.setdefault(self.revision, []).append(commit)

    def _position(self, at: set[str]) -> int:
        for number in reversed(range(len(self._after))):
            if self._after[number] == at:
                return number
        raise UserError(
            f"The database is at {', '.join(sorted(at)) or 'base'} now, which is no step of this command.",
            why=f"Another program changed {own_tables.VERSION} meanwhile.",
            do="make status",
            state="applied revisions stay applied.",
        )
