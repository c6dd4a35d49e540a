"""The only module that runs other programs. It never uses a shell."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from pwd import struct_passwd
from typing import IO, NoReturn

from scripts.core.errors import UserError

TICK, GRACE = 0.3, 5.0
"""Seconds between two calls of `follow`, and seconds in which a process group must end."""


def programs() -> dict[str, str]:
    """Return only what a program needs of the environment to find other programs."""
    return {"PATH": os.environ.get("PATH", os.defpath)}


def output(words: Sequence[str], **options: object) -> str | None:
    """Return the program's output, or None if it is missing or failed."""
    try:
        result = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            stdin=subprocess.DEVNULL,
            **options,  # type: ignore[call-overload]
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return str(result.stdout)


@dataclass(frozen=True)
class Said:
    code: int
    """The exit code. 127: there is no such program."""
    text: str
    """The standard output and the error output."""


def captured(words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Said:
    """Run a program in a folder. Return its exit code and what it printed. `environment`: more variables."""
    try:
        done = subprocess.run(
            words,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )
    except (FileNotFoundError, PermissionError):
        return Said(127, f"{words[0]} is not installed")
    return Said(done.returncode, done.stdout)


def content(words: Sequence[str], given: bytes = b"") -> bytes:
    """Run a program with `given` as its input. Return its output byte for byte; nothing if it is missing or failed."""
    try:
        return subprocess.run(words, capture_output=True, check=True, input=given).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""


def run(words: Sequence[str], *, folder: Path, log: IO[str], account: struct_passwd | None, typed: str = "") -> int:
    """Run a program in `folder` as an account (None: our own). Return its exit code.

    All output goes into `log`, and `typed` is the input. The log is a file, because a daemon that the program starts
    would hold a pipe open for ever.
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


def failure(words: Sequence[str], given: str = "", environment: Mapping[str, str] | None = None) -> str:
    """Run a program with `given` as its input. Return its error output if it failed, else nothing."""
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True, input=given, env=environment)
    except (FileNotFoundError, PermissionError):
        return f"{words[0]} is not installed"
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""


def follow(words: Sequence[str], environment: Mapping[str, str], tick: Callable[[], None] = lambda: None) -> str:
    """Run a program and call `tick` repeatedly. Return its error output if it failed, else nothing.

    It runs in its own process group. The group is ended if we are interrupted or `tick` raises, because pg_dump's
    workers would go on otherwise. Raise UserError if the program is missing.
    """
    return follow_all([words], environment, tick)


def follow_all(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], tick: Callable[[], None] = lambda: None
) -> str:
    """Run several programs in parallel, as `follow` does. Return the error output of the first that failed."""
    with ExitStack() as stack:
        running = [stack.enter_context(started(words, environment)) for words in commands]
        while any([_runs(process) for process, _ in running]):
            tick()
        return next(filter(None, (complaint(process, said) for process, said in running)), "")


def seconds(words: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> float:
    """Return how long the program took, as a whole process in `folder` whose output is discarded.

    Raise CalledProcessError if it fails, because then its time means nothing.
    """
    whole, begin = {**os.environ, **(environment or {})}, time.monotonic()
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, cwd=folder, env=whole)
    return time.monotonic() - begin


def replace(
    words: Sequence[str], environment: Mapping[str, str], missing: str = "install PostgreSQL's client programs"
) -> NoReturn:
    """Replace this process by another program. If it is not there, raise UserError that says to do `missing`."""
    try:
        os.execvpe(words[0], list(words), {**os.environ, **environment})
    except (FileNotFoundError, PermissionError) as error:
        raise UserError(f"{words[0]} is not installed.", do=missing) from error


_GUARD = """while read -r line; do group=$line; done
[ -n "${group:-}" ] && kill -s TERM -- "-$group" || exit
for try in 1 2 3 4 5; do sleep 1; kill -s 0 -- "-$group" || exit; done
kill -s KILL -- "-$group" """


@contextmanager
def guard() -> Iterator[Callable[[str], object]]:
    """Yield a function that takes the process group to end if we are killed; an empty text for none.

    A shell reads the groups from a pipe, which ends with us. It has a session of its own, so no signal for us ends it.
    """
    words, quiet = ["sh", "-c", _GUARD], subprocess.DEVNULL
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, text=True, bufsize=1, start_new_session=True
    ) as shell:
        pipe = shell.stdin
        assert pipe
        yield lambda number: pipe.write(f"{number}\n")


@contextmanager
def group(
    words: Sequence[str], environment: Mapping[str, str], note: Callable[[str], object], missing: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a program in a process group of its own, and yield it. End the whole group after the block.

    `note` gets the group's number. If the program is not there, raise UserError that says to do `missing`.
    """
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, env={**os.environ, **environment}, process_group=0)
    except (FileNotFoundError, PermissionError) as error:
        raise UserError(f"{words[0]} is not installed.", do=missing) from error
    note(str(process.pid))
    try:
        yield process
    finally:
        _end_group(process)
        note("")


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End the program and all that it has started. Programs that ignore SIGTERM are killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + GRACE
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
            while time.monotonic() < deadline:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.02)
    process.wait()


_Started = tuple["subprocess.Popen[bytes]", IO[str]]


@contextmanager
def started(words: Sequence[str], environment: Mapping[str, str], *, piped: bool = False) -> Iterator[_Started]:
    """Start a program, and yield it with the file of its error output. End it after the block.

    `piped`: its output comes through a pipe. Otherwise it is discarded.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else subprocess.DEVNULL,
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


def complaint(process: "subprocess.Popen[bytes]", said: IO[str]) -> str:
    """Wait for the program, and return its error output if it failed, else nothing."""
    process.wait()
    said.seek(0)
    return (said.read().strip() or f"exit code {process.returncode}") if process.returncode else ""


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Send SIGTERM first, because pg_dump then cancels its queries. The server would continue them otherwise."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(subprocess.TimeoutExpired):
            if process.poll() is None:
                os.killpg(process.pid, number)
                process.wait(GRACE)
