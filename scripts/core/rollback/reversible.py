"""Whether undoing a revision is possible, by its file alone, and whether it is the better way."""

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

FORWARD = "make revision EMPTY=1 m=…"


def require(script: Script) -> None:
    """Raises UserError for a revision whose downgrade raises NotImplementedError whatever happens, is missing, or does
    nothing where the upgrade does something.
    """
    path = Path(script.path)
    functions = {node.name: node for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.FunctionDef)}
    downgrade, upgrade = functions.get("downgrade"), functions.get("upgrade")
    raised = _raised(downgrade) if downgrade else None
    if raised:
        raise UserError(
            f"{revision_files.shown(path)}, line {raised.lineno}: {ast.unparse(raised)}",
            why=f"Its author knew no way back from revision {script.revision}.",
            do=f"write a new revision that mends what is wrong: {FORWARD}",
        )
    if _is_empty(downgrade) and not _is_empty(upgrade) and (downgrade or not hasattr(script.module, "downgrade")):
        raise UserError(
            f"{revision_files.shown(path)}, line {downgrade.lineno if downgrade else 1}: its downgrade does nothing.",
            why=f"What the upgrade of revision {script.revision} did would stay, and the version would deny it.",
            do=f"write the downgrade, or a new revision that mends what is wrong: {FORWARD};"
            f" or, if nothing has to be undone: make stamp REV={_below(script)}",
        )


def forward_is_better(
    connection: Connection, environment: str, undone: Sequence[Script], losses: Sequence[Loss]
) -> bool:
    """Whether a new revision is the better way: outside development, where something is lost, or where what was applied
    more than a day ago has been in use.
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
    """pass, a docstring, an ellipsis, or a return."""
    plain = isinstance(node, ast.Expr | ast.Return) and (node.value is None or isinstance(node.value, ast.Constant))
    return isinstance(node, ast.Pass) or plain


def _below(script: Script) -> str:
    below = script.down_revision or "base"
    return below if isinstance(below, str) else "<the one before>"
