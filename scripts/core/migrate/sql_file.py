"""The code that each revision with SQL files contains, so that it runs without `scripts/`."""

import re
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from alembic import op

# What psql takes as one piece: comments, strings, quoted names, texts between dollar quotes, words, signs.
_PIECE = re.compile(
    r"""\s+|--[^\n]*|/\*|[eE]'(?:[^'\\]|\\.|''|'\s*\n\s*')*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)"""
    r"""|(\$(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?\$).*?(?:\1|\Z)|[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*|.""",
    re.DOTALL,
)
_COMMENT = re.compile(r"/\*|\*/")
_ROUTINE = re.compile(r"create (or replace )?(function|procedure)\b")


def _execute(ending: str) -> None:
    """Execute each statement of the file beside this one. Nothing in it is a parameter."""
    for statement in _statements(Path(__file__).with_suffix(ending).read_text("utf-8-sig")):
        op.execute(sa.text(statement.replace(":", r"\:")))


def _statements(sql: str) -> Iterator[str]:
    """Yield each statement. As in psql, a semicolon ends none in parentheses or in the body of a routine."""
    start, end, parentheses, blocks, words = -1, 0, 0, 0, ""
    while found := _PIECE.match(sql, end):
        begin, piece = end, found[0]
        end = _after_comment(sql, begin) if piece == "/*" else begin + len(piece)
        if piece == ";" and not parentheses and not blocks:
            if start >= 0:
                yield sql[start:begin].rstrip()
            start, words = -1, ""
        elif not piece.isspace() and not piece.startswith(("--", "/*")):
            start = begin if start < 0 else start
            parentheses = max(0, parentheses + (piece == "(") - (piece == ")"))
            words += f"{piece.lower()} " if len(words) < 99 else ""
            if not parentheses and _ROUTINE.match(words):
                opens = piece.lower() == "begin" or (piece.lower() == "case" and blocks)
                blocks = max(0, blocks + bool(opens) - (piece.lower() == "end"))
    if start >= 0:
        yield sql[start:].rstrip()


def _after_comment(sql: str, end: int) -> int:
    """Return where a comment ends. One may be inside another."""
    depth = 0
    for sign in _COMMENT.finditer(sql, end):
        depth += 1 if sign[0] == "/*" else -1
        if not depth:
            return sign.end()
    return len(sql)
