"""Everything that is printed or asked: for people on a terminal, plain when piped, kept in LOG_DIR when that is set."""

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TextIO

from scripts.core.errors import UserError

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"

_URL_PASSWORD = re.compile(r"(://[^\s:/@]*):\S*@")
# What a message or a name may bring along that would move the cursor or recolour the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SILENCE = 2.0
"""Seconds."""

_log: list[TextIO] = []
_silent_since = [0.0]
_drawn = [False]
"""Whether the terminal's line has something that the next one is to wipe away."""


def say(text: str = "", style: str = "") -> None:
    _print(text, style, sys.stdout)


def done(text: str) -> None:
    _print(f"✓ {text}", GREEN, sys.stdout)


def line(text: str, like: str = "") -> None:
    """A line that a noun has put into words; `like`: bold, dim, red, yellow or nothing."""
    _print(text, {"bold": BOLD, "dim": DIM, "red": RED, "yellow": YELLOW}.get(like, ""), sys.stdout)


def warn(text: str) -> None:
    _print(f"! {text}", YELLOW, sys.stderr)


def fail(error: UserError) -> None:
    """The facts of an error, a line each, on standard error."""
    problem, *facts = error.lines()
    _print(f"✗ {problem}", RED, sys.stderr)
    for fact in facts:
        _print(fact, "", sys.stderr)


def facts(pairs: list[tuple[str, str]]) -> None:
    """Names and values in two columns."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        say(f"{name:<{width}}  {value}")


def bar(done: int, total: int) -> None:
    """How many rows of all are done, on a terminal."""
    if sys.stderr.isatty() and total:
        line = f"[{'#' * (30 * done // total):<30}] {done / total:4.0%} of {total:,} rows"
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        _drawn[0], _silent_since[0] = True, time.monotonic()


def ask(question: str) -> str:
    """What the user typed, or nothing where there is no terminal to ask on."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return ""
    hand_over()
    print(question, end=" ", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    _silent_since[0] = time.monotonic()
    return answer


@contextmanager
def clock() -> Iterator[None]:
    """Shows how many seconds have gone by, on a terminal, whenever nothing was printed for two."""
    over = Event()
    started = _silent_since[0] = time.monotonic()

    def tick() -> None:
        while not over.wait(0.5):
            now = time.monotonic()
            if now - _silent_since[0] > SILENCE:
                print(f"\r\x1b[K… {now - started:.0f} s", end="", file=sys.stderr, flush=True)
                _drawn[0] = True

    if sys.stderr.isatty():
        Thread(target=tick, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def hand_over() -> None:
    """The terminal is somebody else's from now on: the user's, or another program's."""
    _silent_since[0] = float("inf")


@contextmanager
def kept(verb: str) -> Iterator[None]:
    """Keeps what the block prints in LOG_DIR/<time>-<verb>.log too, when LOG_DIR is set and writable."""
    folder = os.environ.get("LOG_DIR", "")
    if not folder:
        yield
        return
    path = Path(folder) / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{verb}-{os.getpid()}.log"
    try:
        log = path.open("x")
    except OSError as error:
        warn(f"no log is kept: {path}: {error.strerror}")
        yield
        return
    with log:
        _log.append(log)
        try:
            yield
        finally:
            _log.remove(log)


def _print(text: str, style: str, stream: TextIO) -> None:
    text = _CONTROL.sub("\ufffd", _URL_PASSWORD.sub(r"\1:***@", text))
    for log in _log:
        print(text, file=log, flush=True)
    if style and stream.isatty() and not os.environ.get("NO_COLOR"):
        text = f"\x1b[{style}m{text}\x1b[0m"
    if _drawn[0]:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    _drawn[0], _silent_since[0] = False, time.monotonic()
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        # Who reads us has gone (`| head`); what we are doing goes on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
