"""The one door to other programs: words in, text out. Never a shell."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from scripts.core.errors import UserError


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


def run(words: Sequence[str], *, log: IO[str], user: int | None, group: int | None) -> int:
    """Run as another account (None: as we are) with all output in `log`; returns the exit code.

    A file, not a pipe: a daemon that the program leaves behind would hold a pipe open for ever.
    """
    return subprocess.run(
        words,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        env={"PATH": os.defpath, "LC_ALL": "C"},
        cwd="/",
    ).returncode


def failure(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program to its end; what it said on standard error when it failed, else nothing.

    Raises UserError when it is not there.
    """
    try:
        done = subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
    except FileNotFoundError as error:
        raise UserError(f"{words[0]} is not installed.", do="install PostgreSQL's client programs") from error
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""


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
