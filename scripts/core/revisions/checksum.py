"""The text of a revision file: checksums of its bytes and of its code, and the line that runs."""

import ast
import hashlib
import sys
from functools import cache
from pathlib import Path
from types import FrameType

# Fields about layout, or fields of newer Pythons that are empty in code for older ones.
NOT_MEANT = frozenset({"ctx", "kind", "type_comment", "type_ignores", "type_params"})


@cache
def sums(path: Path) -> tuple[str, str]:
    """Return SHA-256 of the bytes and of the normalised source. The second is the same on every Python."""
    content = path.read_bytes()
    return hashlib.sha256(content).hexdigest(), normalised(content)


def normalised(content: bytes) -> str:
    """Return SHA-256 of the normalised source. Raise SyntaxError if it is no Python."""
    return hashlib.sha256(_normal(ast.parse(content)).encode()).hexdigest()


def running() -> tuple[str, int] | None:
    """Return the path and the line of the innermost frame in a revision file, or None if no revision runs."""
    frame: FrameType | None = sys._getframe(1)
    while frame and not is_revision(frame):
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame else None


def line() -> int | None:
    """Return only the line."""
    found = running()
    return found[1] if found else None


def is_revision(frame: FrameType) -> bool:
    """Return whether the code is from a file that Alembic has loaded as a revision."""
    return "down_revision" in frame.f_globals and frame.f_globals.get("__file__") == frame.f_code.co_filename


def _normal(node: object) -> str:
    """Return a text of the syntax tree. ast.dump() prints the same tree differently on other Pythons."""
    if isinstance(node, ast.JoinedStr):
        # Python 3.12.0 and 3.12.1 put empty texts between the parts of an f-string.
        return f"JoinedStr({_normal([part for part in node.values if not _is_empty(part)])})"
    if isinstance(node, ast.AST):
        fields = [f"{name}={_normal(getattr(node, name, None))}" for name in node._fields if name not in NOT_MEANT]
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(_normal(item) for item in node if not _is_docstring(item))}]"
    # repr() prints a character as it is only on a Python that knows it.
    return f"{type(node).__name__}:{node!a}"


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
