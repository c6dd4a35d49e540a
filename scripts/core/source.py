"""Sums of a revision file: of its bytes, and of what it does whatever its layout and comments."""

import ast
import hashlib
from functools import cache
from pathlib import Path

# Fields that say how something is written, or that only newer Pythons have, empty in any code older ones can read.
NOT_MEANT = frozenset({"ctx", "kind", "type_comment", "type_ignores", "type_params"})


@cache
def sums(path: Path) -> tuple[str, str]:
    """SHA-256 of the bytes, and of the normalised source; the second is the same on every Python."""
    content = path.read_bytes()
    tree = ast.parse(content)
    return hashlib.sha256(content).hexdigest(), hashlib.sha256(_normal(tree).encode()).hexdigest()


def differs(path: Path, file_sum: str, source_sum: str) -> bool:
    """Whether the file does something else than one with these sums did."""
    if hashlib.sha256(path.read_bytes()).hexdigest() == file_sum:
        return False
    return sums(path)[1] != source_sum


def _normal(node: object) -> str:
    """A text of the syntax tree. Our own, because ast.dump() prints the same tree differently on different Pythons."""
    if isinstance(node, ast.JoinedStr):
        # Python 3.12.0 and 3.12.1 put empty texts between the parts of a format.
        return f"JoinedStr({_normal([part for part in node.values if not _is_empty(part)])})"
    if isinstance(node, ast.AST):
        fields = [f"{name}={_normal(getattr(node, name, None))}" for name in node._fields if name not in NOT_MEANT]
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(_normal(item) for item in node if not _is_docstring(item))}]"
    # repr() would print a character as it is from the Python on that knows it.
    return f"{type(node).__name__}:{node!a}"


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
