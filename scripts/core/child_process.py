"""The inside of the child process: it answers calls until its parent closes the pipe."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from threading import Thread
from types import FrameType
from typing import IO, Any, NoReturn

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from scripts.core import ROOT, hidden_files, messages, redaction, revision_files
from scripts.core.errors import LateError, UserError
from scripts.core.user_code import ExitError, contained

RESULT, RAISED, BUG, EVENT, ASKED, BEGINS = "result", "raised", "bug", "event", "asked", "begins"
SEND, PROGRESS, OWN_WORK = "send", "progress", "own work"
"""Kinds of messages from the child."""
REPORTED = 0.1
"""Seconds of our own work that are worth a message to the parent."""
STATE = "it happened on a throwaway database; the target was only read."

_parent: list[Connection] = []
"""The connection to the parent; empty in every other process."""
_running = [""]
"""The file of the running revision."""
_own = [0.0]
"""Seconds of our own work that the parent does not know yet."""


@dataclass(frozen=True)
class Deadline:
    """The time limit of a call, and the reason and the setting for its error."""

    seconds: float
    why: str
    setting: str
    """The variable of .env that changes the limit."""


@dataclass(frozen=True)
class Request:
    function: Callable[..., Any]
    arguments: Sequence[Any]
    environment: Mapping[str, str] | None
    deadline: Deadline
    callbacks: Sequence[str]


def begins(path: str) -> None:
    """Tell the parent which revision's file runs from now on. In any other process, do nothing."""
    if _parent:
        _running[0] = os.path.relpath(path, ROOT) if path else ""
        flush()
        _parent[0].send((BEGINS, (_shown(), os.fstat(sys.stdout.fileno()).st_size)))


def _shown() -> str:
    """Return the file that runs, under the name that it will have if it is not proven yet."""
    shown = revision_files.shown(ROOT / _running[0]) if _running[0] else ""
    return _running[0] if os.path.isabs(shown) else shown


@contextmanager
def own_work() -> Iterator[None]:
    """Do not count the block in the deadline. That is for the user's code, and this is ours."""
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    started = time.monotonic()
    try:
        yield
    finally:
        _own[0] += time.monotonic() - started
        if _parent and _own[0] >= REPORTED:
            _parent[0].send((OWN_WORK, _own[0]))
            _own[0] = 0.0
        if left:
            signal.setitimer(signal.ITIMER_REAL, left)


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def late(what: str, deadline: Deadline) -> LateError:
    """Return the error for code that did not finish in time."""
    return LateError(
        f"{what or 'The code of this project'} was still running after {deadline.seconds:g} s.",
        why=deadline.why,
        do=f"correct it, or raise {deadline.setting} in .env",
        state=STATE,
    )


def interrupted(error: KeyboardInterrupt) -> str:
    """Return the message for an interruption. The parent reads it only if it was not interrupted itself."""
    place = revision_files.place(error) or _shown() or "The code of this project"
    return f"{place}: KeyboardInterrupt would end the whole command"


def serve(pipe: Connection, watched: int, output: IO[bytes], hidden: Sequence[str]) -> NoReturn:
    """Answer calls until the parent closes the pipe. This never returns into the parent's code."""
    leave = os._exit  # the user's code may replace this function
    try:
        os.setpgid(0, 0)
        _redirect(output)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _interrupt)
        Thread(target=_watch, args=(watched,), daemon=True).start()
        hidden_files.hide(hidden, _refuse)
        _parent[:] = [pipe]
        while True:
            answer = _perform(pipe, pipe.recv())
            flush()
            pipe.send(answer)
    except (EOFError, KeyboardInterrupt):
        leave(0)
    except BaseException:
        traceback.print_exc()
    finally:
        leave(1)


def _redirect(output: IO[bytes]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in enumerate((nothing, output.fileno(), output.fileno())):
        os.dup2(source, number)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, errors="replace", closefd=False) for number in (1, 2))


def _perform(pipe: Connection, request: Request) -> tuple[str, Any]:
    """Return the kind of an answer, and its content."""
    if request.environment is not None:
        os.environ.clear()
        os.environ.update(request.environment)
    _running[0] = ""
    callbacks = {name: _asking(pipe, name) for name in request.callbacks}
    try:
        with contained(), _alarm(request.deadline), messages.sent_to(_sending(pipe, SEND), _sending(pipe, PROGRESS)):
            return RESULT, request.function(*request.arguments, **callbacks)
    except KeyboardInterrupt as error:
        return RAISED, (UserError(interrupted(error), state=STATE), None)
    except ExitError as error:
        return RAISED, (UserError(f"The code of this project: {error}.", state=STATE), None)
    except DBAPIError as error:
        # The driver's own description of the error cannot be sent to another process.
        return RAISED, (UserError(f"PostgreSQL: {redaction.message(error)}", state=STATE), _bare(error))
    except CommandError as error:
        return RAISED, (error, _bare(error.__cause__))
    except Exception:
        return BUG, traceback.format_exc()


def _bare(error: BaseException | None) -> BaseException | None:
    """Return the error without parts that cannot leave this process: a statement's rows, a class of the user's file."""
    if isinstance(error, DBAPIError):
        error.params = None
        return error
    return error if isinstance(error, CommandError | NotImplementedError) else None


def _sending(pipe: Connection, name: str) -> Callable[..., None]:
    return lambda *values: pipe.send((EVENT, (name, values)))


def _asking(pipe: Connection, name: str) -> Callable[..., Any]:
    def ask(*values: Any) -> Any:
        with own_work():  # The deadline must not leave the answer in the pipe.
            pipe.send((ASKED, (name, values)))
            return pipe.recv()

    return ask


@contextmanager
def _alarm(deadline: Deadline) -> Iterator[None]:
    """Raise UserError in the block after the deadline. If the code catches that, the parent kills the child."""

    def ring(_number: int, frame: FrameType | None) -> None:
        while frame and not (_running[0] and frame.f_code.co_filename.endswith(_running[0])):
            frame = frame.f_back
        raise late(_shown() + (f", line {frame.f_lineno}," if frame else ""), deadline)

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, deadline.seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _watch(lifeline: int) -> None:
    """Kill the whole group when the parent has ended, for whatever reason."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _refuse(path: str, place: str) -> Exception:
    return UserError(
        f"{place} opens {os.path.relpath(path)}.",
        why="That file contains passwords of the target, and this code runs on a throwaway database.",
        do="read the setting from os.environ, which has the other lines of .env",
        state=STATE,
    )
