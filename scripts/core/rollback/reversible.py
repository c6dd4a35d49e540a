"""Whether a revision can be undone, judged by its file alone, and whether a new revision is better."""

import ast
import re
from collections.abc import Sequence
from pathlib import Path

from alembic.script import Script
from alembic.util import to_tuple
from sqlalchemy import Connection

from scripts.core import overrides, revision_files
from scripts.core.errors import UserError
from scripts.core.plan import shadow
from scripts.core.postgres import scratch
from scripts.core.revisions import history, migration_log, naming
from scripts.core.rows import data_loss
from scripts.core.rows.data_loss import Loss
from scripts.core.schema import compare, enum_labels
from scripts.core.schema.compare import Difference
from scripts.core.settings import Settings

ID = "irreversible"
_ADD_ANYWAY = re.compile(r"\bADD\s+VALUE\s+(?!IF\s+NOT\s+EXISTS)", re.IGNORECASE)
"""The next upgrade would fail there, because the label exists."""
FORWARD = 'make revision EMPTY=1 m="…"'


def require(script: Script) -> None:
    """Raise UserError if a revision's downgrade always raises NotImplementedError."""
    downgrade = _functions(script).get("downgrade")
    raised = _raised(downgrade) if downgrade else None
    if raised:
        raise UserError(
            f"{revision_files.shown(script.path)}, line {raised.lineno}: {ast.unparse(raised)}",
            why=f"Revision {script.revision} is declared irreversible.",
            do=f"write a new revision that corrects the schema: {FORWARD}",
        )


def without_work(target: Settings, undone: Sequence[Script]) -> list[str]:
    """Return a line for each revision whose downgrade does nothing, though its upgrade does something.

    If its upgrade changed only rows, these stay as they are. So do new labels of enums: PostgreSQL cannot remove them.
    If it changed another object, raise UserError, unless the user has overridden that.
    """
    idle = [script for script in undone if _is_idle(script)]
    if not idle:
        return []
    if overrides.accepted(ID):
        return [f"{script.revision}  its downgrade does nothing, so its changes stay" for script in idle]
    doubts, labels = _doubts(target, idle)
    for script in idle:
        if doubts[script.revision]:
            downgrade = _functions(script).get("downgrade")
            line = downgrade.lineno if downgrade else 1
            raise UserError(
                f"{revision_files.shown(script.path)}, line {line}: its downgrade does nothing.",
                why=f"The changes of revision {script.revision} would stay, but the version would say they are undone:"
                f" {doubts[script.revision]}.",
                do=f"write the downgrade, or a new revision that corrects the schema: {FORWARD}."
                f" Override with ACCEPT={ID}.",
            )
    return [
        f"{script.revision}  {line}"
        for script in idle
        for line in labels.get(script.revision) or ["rows stay as they are"]
    ]


def _doubts(target: Settings, scripts: Sequence[Script]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return what each revision changes in the schema, or why that is not known; nothing if it changes no object.

    Return also a line for each new label that may stay.
    """
    found, labels = dict[str, str](), dict[str, list[str]]()
    revisions = history.load()
    naming.fetch()  # once, before the child that runs the revisions is forked
    try:
        with scratch.session(target) as server:
            for script in scripts:
                below = [*to_tuple(script.down_revision, ()), *to_tuple(script.dependencies, ())]
                before, after = (shadow.build(server, revisions, at) for at in (below, [script.revision]))
                changes = compare.compare(server, before, after)
                others = [one for one in changes if not _only_labels(one, script)]
                found[script.revision] = str(others[0]) if others else ""
                labels[script.revision] = [line for one in changes if one not in others for line in _stay(one)]
    except UserError as error:
        unknown = f"what they are is not known ({error.problem.splitlines()[0]})"
        return {script.revision: found.get(script.revision, unknown) for script in scripts}, {}
    return found, labels


def _only_labels(change: Difference, script: Script) -> bool:
    """Return whether an enum has new labels only, which the next upgrade may meet."""
    is_enum = change.name.startswith("enum ") and change.expected is not None and change.found is not None
    is_added = is_enum and enum_labels.only_adds(str(change.expected), str(change.found))
    return is_added and not _ADD_ANYWAY.search(Path(script.path).read_text())


def _stay(change: Difference) -> list[str]:
    labels = enum_labels.added(str(change.expected), str(change.found))
    return [f"{change.name} keeps the label {label}: PostgreSQL cannot remove it" for label in labels]


def _is_idle(script: Script) -> bool:
    """Return whether the downgrade does nothing or is missing, and the upgrade does something."""
    functions = _functions(script)
    downgrade, is_known = functions.get("downgrade"), "downgrade" in functions
    is_idle = _is_empty(downgrade) and not _is_empty(functions.get("upgrade"))
    return is_idle and (is_known or not hasattr(script.module, "downgrade"))


def _functions(script: Script) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(Path(script.path).read_bytes())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def forward_is_better(
    connection: Connection, environment: str, undone: Sequence[Script], losses: Sequence[Loss]
) -> bool:
    """Return whether a new revision is better than a rollback.

    It is, outside development, if data would be lost or if a revision was applied more than a day ago.
    """
    settled = migration_log.settled(connection, [script.revision for script in undone])
    in_use = settled and data_loss.in_use(connection, losses)
    return environment != "development" or any(loss.count for loss in losses) or in_use


def _raised(function: ast.FunctionDef) -> ast.Raise | None:
    for node in function.body:
        if isinstance(node, ast.Raise) and node.exc:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if ast.unparse(error) == "NotImplementedError":
                return node
    return None


def _is_empty(function: ast.FunctionDef | None) -> bool:
    return all(_is_nothing(node) for node in function.body) if function else True


def _is_nothing(node: ast.stmt) -> bool:
    """Return whether the statement is pass, a docstring, an ellipsis, or a return."""
    plain = isinstance(node, ast.Expr | ast.Return) and (node.value is None or isinstance(node.value, ast.Constant))
    return isinstance(node, ast.Pass) or plain
