"""The table of the gates on a terminal: finished gates first, then those that run or wait."""

import textwrap
import time
from collections.abc import Iterator, Sequence

from scripts.core.cli.row import Row
from scripts.core.formatting import SYMBOLS, message, milliseconds
from scripts.core.verification.context import Result

STYLES = {"failed": "red", "interrupted": "red", "warned": "yellow", "skipped": "yellow", "not run": "dim"}

SUMMARY, INDENT = 38, 6
"""The columns at which summaries and details begin."""


def finished(result: Result, columns: int) -> Iterator[tuple[str, str]]:
    """Yield the lines of a gate and of its details, so many columns wide, each with its style."""
    row = _row(result.name, result.status, milliseconds(result.seconds), result.summary)
    for line in _wrapped(f"{SYMBOLS[result.status]} {row}", columns, SUMMARY if columns > 2 * SUMMARY else INDENT):
        yield line, STYLES.get(result.status, "")
    for detail in result.details:
        for line in _wrapped(" " * INDENT + detail, columns, INDENT):
            yield line, "dim"


class Unfinished:
    """The gate that runs, with its progress, and those that wait."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._since = time.monotonic()
        self._progress: tuple[int, int, str] | None = None

    def next(self) -> None:
        """Note that the running gate is finished."""
        del self._names[0]
        self._since, self._progress = time.monotonic(), None

    def show(self, done: int, total: int, what: str) -> None:
        self._progress = (done, total, what) if total else None

    def rows(self) -> list[Row]:
        if not self._names:
            return []
        running = _row(self._names[0], "running", f"{time.monotonic() - self._since:.0f} s")
        waiting = [Row(f"· {_row(name, 'waits')}", "dim") for name in self._names[1:]]
        return [Row(running, "bold", is_running=True, progress=self._progress), *waiting]


def _row(name: str, status: str, seconds: str = "", summary: str = "") -> str:
    return f"{name:<13}{status:<12}{seconds:>9}  {summary}".rstrip()


def _wrapped(text: str, columns: int, indent: int) -> list[str]:
    """Wrap a text, but never within a word, so that a name can be copied."""
    wrap = textwrap.TextWrapper(
        columns,
        subsequent_indent=" " * indent,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part for line in message(text).split("\n") for part in wrap.wrap(line) or [""]]
