"""What a person sees on a terminal."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from tests.core.forked import Command, become
from tests.core.running import FORKS

_PART = re.compile(r"\x1b\[(?P<number>\d*)(?:;\d+)*(?P<what>[AKm])|(?P<strange>\x1b.{,8})|(?P<character>.)", re.DOTALL)


def screen(printed: str) -> list[str]:
    """Return the lines, and that of the cursor, on a terminal that is wide and high enough."""
    lines, row, column = [""], 0, 0
    for found in _PART.finditer(printed):
        assert not found["strange"], found["strange"]
        if found["what"] == "A":
            row -= int(found["number"])
            assert row >= 0
        elif found["what"] == "K":
            lines[row] = "" if found["number"] == "2" else lines[row][:column]
        elif found["character"] == "\r":
            column = 0
        elif found["character"] == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif found["character"]:
            lines[row] = f"{lines[row][:column]:<{column}}{found['character']}{lines[row][column + 1 :]}"
            column += 1
    while len(lines) > row + 1 and not lines[-1]:
        del lines[-1]
    return lines


class Terminal:
    """python <words>, in a process that is forked for it, with a person in front of it."""

    def __init__(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], columns: int = 80, rows: int = 24
    ) -> None:
        self._printed = b""
        self._terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        with Connection(theirs) as passed:
            command = Command(words, str(folder), {"TERM": "xterm", **environment}, passed)
            self._process = FORKS.Process(target=become, args=(command,))
            self._process.start()

    @property
    def printed(self) -> str:
        return self._printed.decode(errors="ignore")

    @property
    def lines(self) -> list[str]:
        return screen(self.printed)

    def read_until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.lines
            self._read()

    def write(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def kill(self) -> None:
        self._process.kill()
        self.end()

    def end(self) -> int:
        """Read all that is printed; return the exit code."""
        while self._read():
            pass
        os.close(self._terminal)
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def _read(self) -> bool:
        """Whether there may be more to read."""
        try:
            while select.select([self._terminal], [], [], 0.1)[0]:
                self._printed += os.read(self._terminal, 65536)
        except OSError:
            return False
        return True
