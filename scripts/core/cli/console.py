"""Everything that is printed or asked: for people on a terminal, plain when piped, and copied to LOG_DIR."""

import codecs
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, TextIO

from scripts.core import formatting
from scripts.core.cli.row import Row
from scripts.core.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

_URL_PASSWORD = re.compile(r"(://[^\s:/@]*):\S*@")
_PLAIN = {"✓": "+", "✗": "x", "·": ".", "…": "...", "\N{EN DASH}": "-"}
PLAIN_SIGNS = "plain_signs"
"""How a stream replaces characters that its encoding lacks: our signs by plain ones, others by a question mark."""
SILENCE, TICK = 2.0, 0.2
"""Seconds without a printed line before the time is shown, and between two drawings."""

_logs: list[Path] = []
_live: "list[Live]" = []
"""The rows below what is printed; empty where there is no terminal, or when another program has it."""
_below: list[Callable[[], Sequence[Row]]] = []
_bar: list[Row] = []
_printed_at = [0.0]
_lock = RLock()
"""Held whenever something is printed or drawn."""


def say(text: str = "", style: str = "") -> None:
    """Print a line; `style`: bold, dim, red, green, yellow or nothing."""
    _print(text, style, sys.stdout)


def document(text: str) -> None:
    """Print a text of several lines, in which everything from a database or a file is escaped."""
    _print(text, "", sys.stdout, formatting.printable)


def done(text: str) -> None:
    _print(f"✓ {text}", "green", sys.stdout)


def warn(text: str) -> None:
    _print(f"! {text}", "yellow", sys.stderr)


def fail(error: UserError) -> None:
    """Print the parts of an error, a line each, on standard error."""
    problem, *facts = error.lines()
    _print(f"✗ {problem}", "red", sys.stderr)
    for fact in facts:
        _print(fact, "", sys.stderr)


def facts(pairs: list[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        say(f"{name:<{width}}  {value}")


def bar(done: int, total: int, what: str) -> None:
    """Show on a terminal how many of all are done, until the next line is printed."""
    if total:
        with _lock:
            _bar[:] = [Row("", progress=(done, total, what))]
            _draw()


@contextmanager
def below(rows: Callable[[], Sequence[Row]]) -> Iterator[None]:
    """Keep rows up to date below the output of the block, on a terminal. Remove them after it."""
    if not _is_terminal(sys.stdout):
        yield
        return
    with _lock:
        _below.append(rows)
        _draw()
    try:
        yield
    finally:
        with _lock:
            _below.remove(rows)
            _draw()


def columns() -> int:
    """Return the columns of the terminal; no limit without one."""
    return shutil.get_terminal_size().columns if _is_terminal(sys.stdout) else sys.maxsize


def ask(question: str) -> str:
    """Return what the user typed, or nothing without a terminal."""
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stderr)):
        return ""
    from scripts.core.cli import terminal

    with _lock:  # nothing is drawn meanwhile
        _bar.clear()
        _printed_at[0] = time.monotonic()
        try:
            return terminal.ask(_console(sys.stderr), _clean(question))
        finally:
            _printed_at[0] = time.monotonic()


@contextmanager
def live() -> Iterator[None]:
    """Show the block's progress on a terminal. After two seconds without a line, also show the time."""
    if not _is_terminal(sys.stderr):
        yield
        return
    from scripts.core.cli import terminal

    over, started = Event(), time.monotonic()
    _printed_at[0] = started

    def tick() -> None:
        while not over.wait(TICK):
            with _lock:
                _draw()

    _live.append(terminal.live(lambda: _rows(started)))
    _live[0].start()
    # A child that is forked while that thread prints would get a lock that is never free again.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
    Thread(target=tick, daemon=True).start()
    try:
        yield
    finally:
        over.set()
        hand_over()


def hand_over() -> None:
    """Leave the terminal to another program from now on."""
    with _lock:
        while _live:
            _live.pop().stop()


@contextmanager
def logged(verb: str) -> Iterator[None]:
    """Copy what the block prints to LOG_DIR/<time>-<verb>-<process>.log, when LOG_DIR is set and writable.

    Without a printed line there is no file.
    """
    folder = os.environ.get("LOG_DIR", "")
    if not folder:
        yield
        return
    path = Path(folder) / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{verb}-{os.getpid()}.log"
    _logs.append(path)
    try:
        yield
    finally:
        _logs.clear()


def _print(text: str, style: str, stream: TextIO, clean: Callable[[str], str] = formatting.message) -> None:
    text = _clean(text, clean)
    for log in list(_logs):
        try:
            # UTF-8 whatever the locale is: the work must not end because of its log.
            with log.open("a", encoding="utf-8", errors="replace") as opened:
                print(text, file=opened)
        except OSError as error:
            _logs.remove(log)
            warn(f"no log is kept: {log}: {error.strerror}")
    with _lock:
        _bar.clear()
        _printed_at[0] = time.monotonic()
        try:
            _show(text, style, stream)
        except BrokenPipeError:
            # The reader has gone (`| head`). The work goes on.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _show(text: str, style: str, stream: TextIO) -> None:
    if not _is_terminal(stream):
        print(text, file=stream, flush=True)
        return
    from scripts.core.cli import terminal

    terminal.show(_console(stream), text, style)


def _is_terminal(stream: TextIO) -> bool:
    """Return whether it is one, also behind what rich puts in its place: that of an older rich says that it is none."""
    original: TextIO = getattr(stream, "rich_proxied_file", stream)
    return original.isatty()


def _console(stream: TextIO) -> "Console":
    """Return the console of the rows below, if there are any."""
    from scripts.core.cli import terminal

    return _live[0].console if _live else terminal.console(stream)


def _clean(text: str, clean: Callable[[str], str] = formatting.message) -> str:
    return clean(_URL_PASSWORD.sub(r"\1:***@", text))


def _draw() -> None:
    for display in _live:
        display.refresh()


def _rows(started: float) -> Sequence[Row]:
    now = time.monotonic()
    silence = [Row(f"{now - started:.0f} s", is_running=True)] if now - _printed_at[0] > SILENCE else []
    rows = _below[-1]() if _below else _bar or silence
    return [replace(row, text=_clean(row.text)) for row in rows]


def _encoded(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


codecs.register_error(PLAIN_SIGNS, _encoded)
