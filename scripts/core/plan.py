"""What migrate would do: the pending revisions, run on a copy and traced."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alembic.script import Script

from scripts.core import ROOT, copies, git, history, migrations, postgres, scratch, trace
from scripts.core.errors import UserError
from scripts.core.history import History
from scripts.core.mutex import Tell
from scripts.core.settings import Settings
from scripts.core.trace import Statement

FORMAT = 1


@dataclass(frozen=True)
class Planned:
    revision: str
    file: str
    author: str | None
    """Who committed it; None before that."""
    message: str
    statements: list[Statement]

    @property
    def seconds(self) -> float:
        return sum(statement.seconds for statement in self.statements)


@dataclass(frozen=True)
class Plan:
    tried_on: str
    """What stood in for the target, in words."""
    revisions: list[Planned]
    failure: UserError | None
    """Why the last of them did not come to its end."""

    def document(self) -> dict[str, Any]:
        """What --json prints. Whoever reads it may rely on the names here; FORMAT grows when one of them changes.

        {"format": 1, "revisions": [{"revision", "file", "author", "message", "statements": [{"revision", "sql", "line",
        "transaction", "seconds", "locks": [{"relation", "mode"}], "rewrites", "scans", "rows_written": {name: n}}]}]}
        """
        return {"format": FORMAT, "revisions": [asdict(revision) for revision in self.revisions]}


def make(target: Settings, revisions: History, at: Sequence[str], wanted: str, tell: Tell) -> Plan:
    """Run what is pending up to `wanted` on a copy of the target's schema, which has no rows. The target is only read.

    Where the schema cannot be read, the revision files stand in for it. Raises UserError without a scratch server.
    """
    pending = history.pending(revisions, at, wanted)
    statements: list[Statement] = []
    failure = None
    with scratch.session(target) as server:
        copy, tried_on = copies.stand_in(server, target, revisions, at, tell)
        with (
            scratch.only(copy),
            postgres.connect(copy, application_name="alembic-trace", isolation_level="AUTOCOMMIT") as observer,
        ):
            try:
                migrations.traced(
                    copy,
                    wanted,
                    tell,
                    lambda connection, revision: trace.attach(connection, observer, revision, statements),
                )
            except UserError as error:
                failure = scratch.failed(error)
    return Plan(tried_on, [_planned(script, statements) for script in pending], failure)


def _planned(script: Script, statements: list[Statement]) -> Planned:
    file = str(Path(script.path).relative_to(ROOT))
    return Planned(
        revision=script.revision,
        file=file,
        author=git.author(file),
        message=script.doc,
        statements=[statement for statement in statements if statement.revision == script.revision],
    )
