r"""The statements of a script for psql, such as a plain dump. A script is read line by line, in any size.

The rules are those of psqlscan.l in PostgreSQL's source: a semicolon ends a statement outside of quotes, comments,
brackets and BEGIN ATOMIC. The data of a COPY follow its statement, up to a line with \. alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO

AT_ONCE = 1000
"""Lines of data that are passed on together."""

COMPLETE = b"PostgreSQL database dump complete"
"""The end of a plain dump, in a comment."""

_SPACE = re.compile(rb"\s*")
_LETTER = rb"[A-Za-z_\x80-\xff]"
_TOKEN = re.compile(
    rb"--|/\*|[eE]'|'|\"|\$(?:" + _LETTER + rb"[\w\x80-\xff]*)?\$|" + _LETTER + rb"[\w$\x80-\xff]*|[;()\\]"
)
_ESCAPED = re.compile(rb"(?:[^'\\]++|\\.|'')*+'", re.DOTALL)
_COMMENT = re.compile(rb"/\*|\*/")
_META = re.compile(rb"\\\S*")
_ROUTINE = re.compile(rb"CREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\b", re.IGNORECASE)
_BACKSLASHES = re.compile(rb"SET\s+standard_conforming_strings\s*(=|TO)\s*'?off\b", re.IGNORECASE)
RESTRICTION = (rb"\restrict", rb"\unrestrict")
"""pg_dump writes these meta-commands itself. Between them psql refuses all others."""


@dataclass(frozen=True)
class ScriptStatement:
    line: int
    """The line where it begins; for a meta-command, the line where it stands."""
    text: bytes
    r"""Without the semicolon. A meta-command begins with a backslash, and is here without its arguments."""


@dataclass
class Script:
    """A script, and how far it has been read."""

    file: IO[bytes]
    line: int = 0
    read: int = 0
    """Lines and bytes that have been read."""
    is_complete: bool = False
    """Whether the last thing so far is the comment that ends a dump."""
    is_open: bool = False
    """Whether a statement, a quote or data have begun and not ended."""
    _quote: bytes = b""
    """What has begun inside a line and ends in a later one."""
    _depth: int = 0
    """Comments inside comments."""
    _brackets: int = 0
    _blocks: int = 0
    _is_routine: bool = False
    _text: list[bytes] = field(default_factory=list)
    _has_backslashes: bool = False
    _is_dos: bool = False
    _began: int = 0
    """The line in which the open statement begins."""
    _start: int = 0
    """Where it begins in the present line."""

    def statements(self) -> Iterator[ScriptStatement]:
        """Yield each statement. After a COPY ... FROM stdin, the caller reads `rows` before it goes on."""
        while line := self._next():
            at = 0
            while at < len(line):
                if self._quote:
                    at = self._after_quote(line, at)
                elif not self.is_open:
                    self._start = at = self._begin(line, at)
                else:
                    at, found = self._until_quote(line, at)
                    if found and found.text:
                        yield found
            if self.is_open:
                self._text.append(line[self._start :])
                self._start = 0

    def _until_quote(self, line: bytes, at: int) -> tuple[int, ScriptStatement | None]:
        """Read on in a statement. Return how far it was read, and the statement if it has ended.

        It is read up to its end, to a quote or a comment, or to the end of the line.
        """
        for token in _TOKEN.finditer(line, at):
            if token[0] == b"--":
                break
            if self._take(token[0]):
                text = b"".join([*self._text, line[self._start : token.start()]])
                self._reset()
                if token[0] == b"\\":
                    command = _META.match(line, token.start())
                    return len(line), ScriptStatement(self.line, command[0] if command else token[0])
                self._has_backslashes = self._has_backslashes or bool(_BACKSLASHES.match(text))
                return token.end(), ScriptStatement(self._began, text)
            if self._quote:
                return token.end(), None
        return len(line), None

    def rows(self) -> Iterator[bytes]:
        """Yield the data of a COPY, many lines at once. `is_open` stays true if the file ends before they do."""
        self.is_open = True
        lines = iter(self.file.readline, b"\\.\r\n" if self._is_dos else b"\\.\n")
        while piece := list(islice(lines, AT_ONCE)):
            self.line += len(piece)
            if not piece[-1]:
                return
            data = b"".join(piece)
            self.read += len(data)
            yield data.replace(b"\r\n", b"\n") if self._is_dos else data
        self.line += 1
        self.is_open = False

    def _next(self) -> bytes:
        line = self.file.readline()
        if not self.line:
            line, self._is_dos = line.removeprefix(b"\xef\xbb\xbf"), line.endswith(b"\r\n")
        self.line += 1
        self.read += len(line)
        return line.replace(b"\r\n", b"\n") if self._is_dos else line

    def _begin(self, line: bytes, at: int) -> int:
        """Return where the next statement or comment begins, or the end of the line."""
        at = _SPACE.match(line, at).end()  # type: ignore[union-attr]
        if line.startswith(b"--", at):
            self.is_complete = self.is_complete or COMPLETE in line
            return len(line)
        if line.startswith(RESTRICTION, at):
            return len(line)
        if line.startswith(b"/*", at):
            self._quote, self._depth = b"/*", 1
            return at + 2
        if at < len(line):
            self.is_open, self.is_complete, self._began = True, False, self.line
            self._is_routine = bool(_ROUTINE.match(line, at))
        return at

    def _take(self, token: bytes) -> bool:
        """Read a token of a statement. Return whether it ends the statement."""
        if token == b"\\" or (token == b";" and not self._brackets and not self._blocks):
            return True
        if token in (b"(", b")"):
            self._brackets = max(0, self._brackets + (1 if token == b"(" else -1))
        elif token == b"/*":
            self._quote, self._depth = token, 1
        elif token[-1:] == b"'":
            self._quote = b"e'" if self._has_backslashes or len(token) == 2 else token
        elif token[:1] in (b'"', b"$"):
            self._quote = token
        elif self._is_routine:
            self._count_blocks(token.lower())
        return False

    def _count_blocks(self, word: bytes) -> None:
        if word == b"begin" or (word == b"case" and self._blocks):
            self._blocks += 1
        elif word == b"end" and self._blocks:
            self._blocks -= 1

    def _after_quote(self, line: bytes, at: int) -> int:
        """Return where the open quote or comment ends, or the end of the line."""
        if self._quote == b"/*":
            return self._after_comment(line, at)
        if self._quote == b"e'":
            found = _ESCAPED.match(line, at)
            end = found.end() if found else -1
        else:
            # A doubled quote ends one text and begins the next.
            end = line.find(self._quote, at)
            end += len(self._quote) if end >= 0 else 0
        if end < 0:
            return len(line)
        self._quote = b""
        return end

    def _after_comment(self, line: bytes, at: int) -> int:
        for sign in _COMMENT.finditer(line, at):
            self._depth += 1 if sign[0] == b"/*" else -1
            if not self._depth:
                self._quote = b""
                return sign.end()
        return len(line)

    def _reset(self) -> None:
        self.is_open, self._brackets, self._blocks = False, 0, 0
        self._text.clear()
