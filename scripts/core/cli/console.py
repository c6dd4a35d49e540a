"""Everything that is printed or asked: for people on a terminal, plain when piped, kept in LOG_DIR when that is set."""

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, RLock, Thread
from typing import TextIO

from scripts.core.errors import UserError

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
_STYLES = {"bold": BOLD, "dim": DIM, "red": RED, "green": GREEN, "yellow": YELLOW}
Line = tuple[str, str]
"""A text, and its style by name."""

_URL_PASSWORD = re.compile(r"(://[^\s:/@]*):\S*@")
# What a message or a name may bring along that would move the cursor or recolour the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SILENCE = 2.0
"""Seconds."""

_log: list[TextIO] = []
_silent_since = [0.0]
_drawn = [0]
"""Lines below what was printed, which the next one is to wipe away. The cursor stays visible on the line after them, so
that whoever is killed leaves a sane terminal.
"""
_below: list[Callable[[], Sequence[Line]]] = []
_one_at_a_time = RLock()


def say(text: str = "", style: str = "") -> None:
    _print(text, style, sys.stdout)


def done(text: str) -> None:
    _print(f"✓ {text}", GREEN, sys.stdout)


def line(text: str, like: str = "") -> None:
    """A line that a noun has put into words; `like`: bold, dim, red, green, yellow or nothing."""
    _print(text, _STYLES.get(like, ""), sys.stdout)


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


def bar(done: int, total: int, what: str) -> None:
    """How many of all are done, on a terminal."""
    if total:
        _draw([(f"{hashes(done, total, 30)} {done / total:4.0%} of {total:,} {what}", "")])
        _silent_since[0] = time.monotonic()


def hashes(done: int, total: int, width: int) -> str:
    return f"[{'#' * (width * done // total):<{width}}]"


@contextmanager
def below(lines: Callable[[], Sequence[Line]]) -> Iterator[None]:
    """Keeps lines up to date below all that the block prints, on a terminal; they are gone after it."""
    if not sys.stdout.isatty():
        yield
        return
    _below.append(lines)
    _draw(lines())
    try:
        yield
    finally:
        _below.remove(lines)
        _wipe()


def columns() -> int:
    """Of a terminal; as many as anybody wants where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


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
    """Shows how many seconds have gone by, on a terminal, whenever nothing was printed for two; or what is below."""
    over = Event()
    started = _silent_since[0] = time.monotonic()

    def tick() -> None:
        while not over.wait(0.2):
            with _one_at_a_time:
                now = time.monotonic()
                if _below:
                    _draw(_below[-1]())
                elif now - _silent_since[0] > SILENCE:
                    _draw([(f"… {now - started:.0f} s", "")])

    if sys.stderr.isatty():
        Thread(target=tick, daemon=True).start()
    try:
        yield
    finally:
        over.set()
        _wipe()


def hand_over() -> None:
    """The terminal is somebody else's from now on: the user's, or another program's."""
    _silent_since[0] = float("inf")


@contextmanager
def logged(verb: str) -> Iterator[None]:
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
    with _one_at_a_time:
        _wipe()
        try:
            print(_styled(text, style, stream), file=stream, flush=True)
        except BrokenPipeError:
            # Who reads us has gone (`| head`); what we are doing goes on.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        _silent_since[0] = time.monotonic()
        if _below:
            _draw(_below[-1]())


def _styled(text: str, style: str, stream: TextIO) -> str:
    if style and stream.isatty() and not os.environ.get("NO_COLOR"):
        return f"\x1b[{style}m{text}\x1b[0m"
    return text


def _draw(lines: Sequence[Line]) -> None:
    """In place of what was drawn; cut where the terminal ends, because a line that wraps is two to wipe away."""
    if not sys.stderr.isatty():
        return
    columns, height = shutil.get_terminal_size()
    shown = [_styled(text[: columns - 1], _STYLES.get(like, ""), sys.stderr) for text, like in lines[: height - 1]]
    with _one_at_a_time:
        # All in one, and without an empty screen in between: it would flicker.
        text = _up() + "".join(f"{line}\x1b[K\n" for line in shown) + "\x1b[J"
        print(text, end="", file=sys.stderr, flush=True)
        _drawn[0] = len(shown)


def _wipe() -> None:
    with _one_at_a_time:
        if _drawn[0]:
            print(f"{_up()}\x1b[J", end="", file=sys.stderr, flush=True)
        _drawn[0] = 0


def _up() -> str:
    """To where the drawn lines begin."""
    return f"\r\x1b[{_drawn[0]}A" if _drawn[0] else "\r"
