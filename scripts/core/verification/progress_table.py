"""The table of the gates, as a terminal shows it: those that are finished, and below them those that are not."""

import textwrap
import time
from collections.abc import Sequence

from scripts.core.cli import console
from scripts.core.formatting import SYMBOLS, milliseconds
from scripts.core.verification.context import Result

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
STYLES = {"failed": "red", "interrupted": "red", "warned": "yellow", "skipped": "yellow", "not run": "dim"}

SUMMARY, INDENT = 38, 6
"""Where the summaries begin, and the details."""
BAR = 16
"""With its words it fits into 80 columns."""


def finished(result: Result, columns: int) -> list[console.Line]:
    """A gate, and what it has to say, on lines of so many columns."""
    style = STYLES.get(result.status, "")
    row = _row(SYMBOLS[result.status], result.name, result.status, milliseconds(result.seconds), result.summary)
    lines = [(line, style) for line in _wrapped(row, columns, SUMMARY if columns > 2 * SUMMARY else INDENT)]
    for detail in result.details:
        lines += [(line, "dim") for line in _wrapped(" " * INDENT + detail, columns, INDENT)]
    return lines


class Unfinished:
    """The gate that runs, with how far it is, and those that wait."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._since = time.monotonic()
        self._done: tuple[int, int, str] | None = None

    def next(self) -> None:
        """The gate that ran is finished."""
        del self._names[0]
        self._since, self._done = time.monotonic(), None

    def show(self, done: int, total: int, what: str) -> None:
        self._done = (done, total, what) if total else None

    def lines(self) -> list[console.Line]:
        if not self._names:
            return []
        return [self._running(), *((_row("·", name, "waits"), "dim") for name in self._names[1:])]

    def _running(self) -> console.Line:
        seconds = time.monotonic() - self._since
        status, progress = "running", ""
        if self._done:
            done, total, what = self._done
            status, progress = f"{done / total:.0%}", f"{console.hashes(done, total, BAR)} of {total:,} {what}"
        symbol = SPINNER[int(seconds * 5) % len(SPINNER)]
        return _row(symbol, self._names[0], status, f"{seconds:.0f} s", progress), "bold"


def _row(symbol: str, name: str, status: str, seconds: str = "", summary: str = "") -> str:
    return f"{symbol} {name:<13}{status:<12}{seconds:>9}  {summary}".rstrip()


def _wrapped(text: str, columns: int, indent: int) -> list[str]:
    """Never within a word, so that a name can be copied."""
    wrap = textwrap.TextWrapper(
        columns,
        subsequent_indent=" " * indent,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part for line in text.split("\n") for part in wrap.wrap(line) or [""]]
