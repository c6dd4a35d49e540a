"""Loops over rows: on a copy without rows they do nothing, so the trace does not show what they do."""

import ast
from collections.abc import Collection
from pathlib import Path

from scripts.core.plan.empty_copy import Untried


def idle(path: Path, lines: Collection[int]) -> list[Untried]:
    """Return the loops of a revision file that execute statements, but executed none. `lines` executed one."""
    tree = ast.parse(path.read_bytes())
    downgrade = {node for found in tree.body if _is_downgrade(found) for node in ast.walk(found)}
    return [
        Untried(node.lineno, "This loop found no rows, so what it does is of unknown size.")
        for node in ast.walk(tree)
        if isinstance(node, ast.For | ast.While) and node not in downgrade and _executes(node)
        if not any(node.lineno < line <= (node.end_lineno or 0) for line in lines)
    ]


def _is_downgrade(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "downgrade"


def _executes(loop: ast.For | ast.While) -> bool:
    """Return whether the body calls `execute` of something, or an operation of Alembic."""
    calls = (node.func for part in loop.body for node in ast.walk(part) if isinstance(node, ast.Call))
    return any(
        isinstance(call, ast.Attribute)
        and (
            call.attr in ("execute", "scalar", "scalars")
            or (isinstance(call.value, ast.Name) and call.value.id == "op")
        )
        for call in calls
    )
