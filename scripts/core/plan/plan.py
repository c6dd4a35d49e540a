"""What migrate would do: the pending revisions, run on a copy, with the effects and hazards of each."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alembic.script import Script

from scripts.core import git, revision_files
from scripts.core.errors import UserError
from scripts.core.migrate.guards import Seen
from scripts.core.plan import deployed_models, hazards, rehearsal, row_loops, stand_in, suppressions, table_sizes
from scripts.core.plan.empty_copy import Untried
from scripts.core.plan.findings import Finding, Subject, Undone
from scripts.core.plan.rehearsal import Rehearsal
from scripts.core.plan.table_sizes import BLOCK, Weights
from scripts.core.plan.trace import Statement
from scripts.core.postgres import connections, scratch
from scripts.core.revisions import history, naming, sources, sql_lines
from scripts.core.revisions.history import History
from scripts.core.schema import catalog_snapshot
from scripts.core.settings import Settings

FORMAT = 1
STATEMENT = ("sql", "line", "transaction", "seconds", "locks", "rewrites", "scans", "rows_written", "executions")


@dataclass(frozen=True)
class Planned:
    revision: str
    file: str
    others: list[Path]
    """The other files of its source: those that it read, and those beside it."""
    author: str | None
    """Who committed the file; None before the first commit."""
    message: str
    statements: list[Statement]
    findings: list[Finding]
    untried: list[Untried]
    """What a copy without rows did not show."""

    @property
    def seconds(self) -> float:
        return sum(statement.seconds for statement in self.statements)


@dataclass(frozen=True)
class Plan:
    tried_on: str
    """The database that the revisions ran on, as a text."""
    revisions: list[Planned]
    failure: UserError | None
    """Why the last revision failed."""

    @property
    def blocking(self) -> list[Finding]:
        """Return the findings that stop `make lint` and, outside development, a migration."""
        findings = (finding for revision in self.revisions for finding in revision.findings)
        return [finding for finding in findings if finding.severity == BLOCK and not finding.silenced]

    @property
    def seen(self) -> Seen:
        """Return what an upgrade outside development has to know of this plan."""
        revisions = frozenset(revision.revision for revision in self.revisions)
        return Seen(revisions, tuple(finding.id for finding in self.blocking))

    def document(self) -> dict[str, Any]:
        """Return what --json prints. Programs may rely on these names; FORMAT grows when one of them changes.

        {"format": 1, "revisions": [{"revision", "file", "author", "message", "statements": [{"sql", "file", "line",
        "transaction", "seconds", "locks": [{"relation", "mode"}], "rewrites", "scans", "rows_written": {name: n},
        "executions": n}],
        "findings": [{"id", "hazard", "severity": "block|warn|note", "relation", "blocks": "reads|writes|none", "file",
        "line", "message", "instead", "silenced": reason or null}], "untried": [{"file", "line", "text", "needs"}]}]}
        """
        return {"format": FORMAT, "revisions": [_document(revision) for revision in self.revisions]}


NOTHING = Plan("nothing", [], None)


def make(target: Settings, revisions: History, at: Sequence[str], wanted: str) -> Plan:
    """Run the pending revisions up to `wanted` on a copy of the target's schema without rows. Only read the target.

    If the schema cannot be read, a database from the revision files replaces the copy, and every table counts as large.
    Raise UserError without a scratch server.
    """
    pending = history.pending(revisions, at, wanted)
    if not pending:
        return NOTHING
    naming.fetch()  # once, before the child that runs the revisions is forked
    with scratch.session(target) as server:
        copy, tried_on = stand_in.make(server, target, revisions, at)
        weighed = table_sizes.of(target, server.server)
        tried_on += other_version(weighed.major, connections.version(server.server) // 10000)
        ready = [copy]

        def next_copy() -> Settings:
            return ready.pop() if ready else stand_in.make(server, target, revisions, at)[0]

        tried = rehearsal.run(server, revisions, [script.revision for script in pending], wanted, next_copy)
    return Plan(tried_on, planned(pending, tried, weighed), tried.failure)


def other_version(target: int, server: int) -> str:
    """Return words about a scratch server of another major version than the target's."""
    return f" (on PostgreSQL {server}, but the target has {target})" if target and target != server else ""


def planned(scripts: Sequence[Script], tried: Rehearsal, weighed: Weights) -> list[Planned]:
    """Return revisions with their traces and their findings."""
    authors = git.authors([revision_files.shown(script.path) for script in scripts])
    return [_planned(script, tried, weighed, authors) for script in scripts]


def _planned(script: Script, tried: Rehearsal, weighed: Weights, authors: Mapping[str, str]) -> Planned:
    file = revision_files.shown(script.path)
    statements = [statement for statement in tried.trace.statements if statement.revision == script.revision]
    return Planned(
        revision=script.revision,
        file=file,
        others=sources.others(Path(script.path), tried.trace.read),
        author=authors.get(file),
        message=script.doc,
        statements=statements,
        findings=_findings(script, statements, tried, weighed),
        untried=_untried(script, statements, tried),
    )


def _findings(script: Script, statements: list[Statement], tried: Rehearsal, weighed: Weights) -> list[Finding]:
    trace, path = tried.trace, Path(script.path)
    subject = Subject(
        statements=statements,
        before=trace.before.get(script.revision, catalog_snapshot.EMPTY),
        after=trace.after.get(script.revision, catalog_snapshot.EMPTY),
        weights=weighed,
        definitions=trace.definitions,
        mainline=deployed_models.read,
        undone=tried.undone.get(script.revision, Undone()),
        downgrade_line=_line_of(path, "downgrade"),
        commits=trace.commits.get(script.revision, ()),
        sessions=[line for file, line in trace.sessions if Path(file).name == path.name],
        computed=_computed(path),
        final=next(reversed(trace.after.values()), catalog_snapshot.EMPTY),
    )
    return suppressions.apply(hazards.find(subject), suppressions.of(path, sources.others(path, trace.read)))


def _untried(script: Script, statements: list[Statement], tried: Rehearsal) -> list[Untried]:
    """Return what was left out, and the loops whose size depends on rows."""
    found = list(tried.empty.untried.get(script.revision, ()))
    if script.revision in tried.empty.empty and script.revision not in tried.empty.unfinished:
        found += row_loops.idle(Path(script.path), {statement.line for statement in statements})
    return found


def _computed(path: Path) -> list[int]:
    """Return lines with Computed() that leaves out `persisted`."""
    calls = (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call))
    named = (one for one in calls if getattr(one.func, "attr", getattr(one.func, "id", "")) == "Computed")
    return [one.lineno for one in named if len(one.args) < 2 and all(word.arg != "persisted" for word in one.keywords)]


def _line_of(path: Path, function: str) -> int:
    tree = ast.parse(path.read_bytes())
    return next((node.lineno for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function), 1)


def _document(revision: Planned) -> dict[str, Any]:
    def place(line: int) -> dict[str, str]:
        return {"file": sql_lines.file(line, revision.file)}

    return {
        "revision": revision.revision,
        "file": revision.file,
        "author": revision.author,
        "message": revision.message,
        "statements": [
            {name: getattr(one, name) for name in STATEMENT} | place(one.line) for one in revision.statements
        ],
        "findings": [asdict(finding) | place(finding.line) for finding in revision.findings],
        "untried": [asdict(part) | place(part.line) for part in revision.untried],
    }
