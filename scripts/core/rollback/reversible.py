"""Whether a revision can be undone, judged by its file alone, and whether a new revision is better."""

import ast
from collections.abc import Sequence
from pathlib import Path

from alembic.script import Script
from sqlalchemy import Connection

from scripts.core import revision_files
from scripts.core.errors import UserError
from scripts.core.revisions import migration_log
from scripts.core.rows import data_loss
from scripts.core.rows.data_loss import Loss

FORWARD = 'make revision EMPTY=1 m="…"'


def require(script: Script) -> None:
    """Raise UserError if a revision's downgrade is missing, always raises NotImplementedError, or does nothing.

    A downgrade may do nothing if the upgrade does nothing.
    """
    path = Path(script.path)
    functions = {node.name: node for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.FunctionDef)}
    downgrade, upgrade = functions.get("downgrade"), functions.get("upgrade")
    raised = _raised(downgrade) if downgrade else None
    if raised:
        raise UserError(
            f"{revision_files.shown(path)}, line {raised.lineno}: {ast.unparse(raised)}",
            why=f"Revision {script.revision} is declared irreversible.",
            do=f"write a new revision that corrects the schema: {FORWARD}",
        )
    if _is_empty(downgrade) and not _is_empty(upgrade) and (downgrade or not hasattr(script.module, "downgrade")):
        raise UserError(
            f"{revision_files.shown(path)}, line {downgrade.lineno if downgrade else 1}: its downgrade does nothing.",
            why=f"The changes of revision {script.revision} would stay, but the version would say they are undone.",
            do=f"write the downgrade, or a new revision that corrects the schema: {FORWARD};"
            f" or, if there is nothing to undo: make stamp REV={_below(script)}",
        )


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


def _below(script: Script) -> str:
    below = script.down_revision or "base"
    return below if isinstance(below, str) else "<the revision before it>"
