"""The one door to other programs: words in, text out. Never a shell."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from pwd import struct_passwd
from typing import IO, NoReturn

from scripts.core.errors import UserError

TICK, GRACE = 0.3, 5.0
"""Seconds between two calls of `follow`, and those that a process group has to end in."""


def output(words: Sequence[str], **options: object) -> str | None:
    """What the program printed, or None when it is not there or failed."""
    try:
        result = subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=True,
            stdin=subprocess.DEVNULL,
            **options,  # type: ignore[call-overload]
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return str(result.stdout)


def run(words: Sequence[str], *, folder: Path, log: IO[str], account: struct_passwd | None, typed: str = "") -> int:
    """Run in `folder` as an account (None: as we are), with all output in `log` and `typed` as input. Return the exit
    code.

    A file, not a pipe: a daemon that the program leaves behind would hold a pipe open for ever.
    """
    return subprocess.run(
        words,
        check=False,
        input=typed,
        text=True,
        stdout=log,
        stderr=subprocess.STDOUT,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        cwd=folder,
    ).returncode


def failure(words: Sequence[str], given: str = "") -> str:
    """Run a program to its end with `given` on its standard input; what it said on standard error when it failed, else
    nothing.
    """
    done = subprocess.run(words, check=False, capture_output=True, text=True, input=given)
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""


def follow(words: Sequence[str], environment: Mapping[str, str], tick: Callable[[], None] = lambda: None) -> str:
    """Run a program to its end, calling `tick` now and then; what it said when it failed, else nothing.

    In a process group of its own, which is ended as a whole when we are interrupted or `tick` raises: pg_dump's workers
    would go on without it. Raises UserError when the program is not there.
    """
    return follow_all([words], environment, tick)


def follow_all(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], tick: Callable[[], None] = lambda: None
) -> str:
    """As `follow`, several programs beside each other; what the first said of those that failed, else nothing."""
    with ExitStack() as stack:
        started = [stack.enter_context(_started(words, environment)) for words in commands]
        while any([_runs(process) for process, _ in started]):
            tick()
        return next(filter(None, (_complaint(process, said) for process, said in started)), "")


def seconds(words: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> float:
    """How long the program took, as a whole process in `folder` with its output thrown away.

    Raises CalledProcessError when it fails: the time of a failure says nothing.
    """
    started = time.monotonic()
    subprocess.run(
        words,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=folder,
        env={**os.environ, **(environment or {})},
    )
    return time.monotonic() - started


def replace(words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Become another program. Raises UserError when it is not there."""
    try:
        os.execvpe(words[0], list(words), {**os.environ, **environment})
    except FileNotFoundError as error:
        raise UserError(f"{words[0]} is not installed.", do="install PostgreSQL's client programs") from error


_Started = tuple["subprocess.Popen[bytes]", IO[str]]


@contextmanager
def _started(words: Sequence[str], environment: Mapping[str, str]) -> Iterator[_Started]:
    """A program, and the file with what it says on standard error; ended after the block."""
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env={**os.environ, **environment},
                process_group=0,
            )
        except FileNotFoundError as error:
            raise UserError(f"{words[0]} is not installed.", do="install PostgreSQL's client programs") from error
        try:
            yield process, said
        finally:
            _end(process)


def _runs(process: "subprocess.Popen[bytes]") -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(TICK)
    return process.returncode is None


def _complaint(process: "subprocess.Popen[bytes]", said: IO[str]) -> str:
    said.seek(0)
    return (said.read().strip() or f"exit code {process.returncode}") if process.returncode else ""


def _end(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM first: pg_dump then cancels its queries, which a server would go on with."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(subprocess.TimeoutExpired):
            if process.poll() is None:
                os.killpg(process.pid, number)
                process.wait(GRACE)
