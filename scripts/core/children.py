"""The process that runs the user's code on throwaway databases: revisions, models and checks.

Each command has one. It is forked before the first connection. It has its own process group, no standard input, and
an environment without the target. Its output is captured. Its results and errors arrive as data.
"""

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import IO, Any, TypeVar

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from scripts.core import ROOT, child_process, messages, redaction
from scripts.core.child_process import (
    ASKED,
    BEGINS,
    EVENT,
    OWN_WORK,
    PROGRESS,
    RAISED,
    RESULT,
    SEND,
    STATE,
    Deadline,
    Request,
    late,
)
from scripts.core.errors import UserError
from scripts.core.formatting import counted

T = TypeVar("T")

TICK, GRACE = 0.2, 5.0
"""Seconds between two checks of the child, and seconds in which a child must end after a request."""
SHOWN, MOST = 20, 1_000_000
"""Lines of the user's output that are shown for each revision, and bytes that are examined."""


class ChildError(RuntimeError):
    """An error of this project in the child, with the child's traceback."""


@dataclass
class Child:
    pid: int
    pipe: Connection
    output: IO[bytes]
    shown: int = 0
    """Bytes of the output that were shown."""
    running: str = ""
    """The file of the running revision, for messages."""
    status: int | None = None
    """The status from os.waitpid; None while the child lives."""

    def call(
        self,
        function: Callable[..., T],
        *arguments: Any,
        environment: Mapping[str, str] | None,
        deadline: Deadline,
        partial: Callable[[T], None] = lambda _result: None,
        **callbacks: Callable[..., Any],
    ) -> T:
        """Run a function of a module in the child and return its result.

        `callbacks` are passed to the function by name. Their calls there are calls here, and their results return
        there. Its messages are sent from here, and its output as messages. Without `environment` the child has that of
        this process. After Ctrl-C the child has some seconds to return its result so far, for `partial`. Raise what the
        function raises. Raise UserError if the child ends or exceeds the deadline.
        """
        self._require_alive()
        self.running = ""
        self.pipe.send(Request(function, arguments, environment, deadline, list(callbacks)))
        until = time.monotonic() + deadline.seconds + GRACE
        try:
            result: T = self._answer(until, deadline, callbacks)
        except KeyboardInterrupt:
            with suppress(UserError, CommandError, DBAPIError, ChildError):
                self._signal(signal.SIGTERM)
                partial(self._answer(time.monotonic() + GRACE, deadline, callbacks))
            self.end()
            raise
        return result

    def end(self) -> None:
        """End the child and all processes that it has started."""
        self.pipe.close()  # an idle child ends
        until = time.monotonic() + GRACE
        while not self._is_gone():
            if time.monotonic() > until:
                self._signal(signal.SIGKILL)
            time.sleep(0.002)

    def _answer(self, until: float, deadline: Deadline, callbacks: Mapping[str, Callable[..., Any]]) -> Any:
        callbacks = {SEND: messages.send, PROGRESS: messages.progress, **callbacks}
        while True:
            kind, content = self._receive(until, deadline)
            if kind in (EVENT, ASKED):
                name, values = content
                result = callbacks[name](*values)
                if kind == ASKED:
                    self.pipe.send(result)
                continue
            if kind == OWN_WORK:
                until += content
                continue
            if kind == BEGINS:
                file, printed = content
                self._show_output(printed)
                self.running = file
                continue
            self._show_output()
            if kind == RESULT:
                return content
            if kind == RAISED:
                error, cause = content
                raise error from cause
            raise ChildError(content)

    def _receive(self, until: float, deadline: Deadline) -> tuple[str, Any]:
        while not self.pipe.poll(TICK):
            if time.monotonic() > until:
                self._signal(signal.SIGKILL)
                self._show_output()
                raise late(self.running, deadline)
            if self._is_gone() and not self.pipe.poll():
                raise self._ended()
        try:
            received: tuple[str, Any] = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            raise self._ended() from None
        return received

    def _ended(self) -> UserError:
        """Return the error for a child that ended without a result."""
        self._show_output()
        self.end()
        code = os.waitstatus_to_exitcode(self.status or 0)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return UserError(
            f"{self.running or 'The code of this project'} ended the process that runs it ({how}).",
            why="Something there calls os._exit() or os.abort(), or a library crashed.",
            do="correct that file",
            state=STATE,
        )

    def _require_alive(self) -> None:
        if self._is_gone():
            raise UserError(
                f"Not run: {self.running or 'the code of this project'} was stopped before.",
                why="One process runs all revisions and checks of a command, and that process has ended.",
                do="correct what stopped it, then run this again",
                state=STATE,
            )

    def _is_gone(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                # Processes that it has started. Now, because later another group may have this number.
                self._signal(signal.SIGKILL)
                self.status = status
        return self.status is not None

    def _signal(self, number: signal.Signals) -> None:
        if self.status is None:
            with suppress(ProcessLookupError, PermissionError):  # macOS, if the group has only zombies
                os.killpg(self.pid, number)

    def _show_output(self, until: int | None = None) -> None:
        """Show what was printed since the last time, or its first `until` bytes, after the name of the running file.

        Words that are not in the revision's file may be contents of rows, so they are left out.
        """
        until = os.fstat(self.output.fileno()).st_size if until is None else until
        # Not by reading the file: the child writes at the same position.
        printed = os.pread(self.output.fileno(), min(MOST, until - self.shown), self.shown)
        self.shown = until
        known = redaction.words(_source(self.running))
        lines = [
            redaction.text(line, known) or redaction.HIDDEN for line in printed.decode(errors="replace").splitlines()
        ]
        if lines:
            more = [f"… and {counted(len(lines) - SHOWN, 'more line')}"] if len(lines) > SHOWN else []
            shown = "".join(f"\n    {line}" for line in [*lines[:SHOWN], *more])
            messages.send(f"{self.running or 'The code of this project'} printed:{shown}")


def _source(file: str) -> str:
    path = ROOT / file
    return path.read_text(errors="replace") if path.is_file() else ""


@contextmanager
def started(hidden: Sequence[str]) -> Iterator[Child]:
    """Fork a child that cannot read the `hidden` files, and end it after the block.

    Fork it before the first connection and thread, because both sides of a fork must not use libpq.
    """
    ours, theirs = multiprocessing.Pipe()
    watched, lifeline = os.pipe()
    with tempfile.TemporaryFile() as output:
        child_process.flush()
        pid = os.fork()
        if pid == 0:
            ours.close()
            os.close(lifeline)
            child_process.serve(theirs, watched, output, hidden)
        with suppress(PermissionError, ProcessLookupError):  # the child has done it, or has ended
            os.setpgid(pid, pid)
        theirs.close()
        os.close(watched)
        child = Child(pid, ours, output)
        try:
            yield child
        finally:
            child.end()
            os.close(lifeline)
