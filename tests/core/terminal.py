"""What a person sees on a terminal."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable

from tests.conftest import Project

_PART = re.compile(r"\x1b\[(?P<number>\d*)(?:;\d+)*(?P<what>[AJKm])|(?P<strange>\x1b.{,8})|(?P<character>.)", re.DOTALL)


def screen(printed: str) -> list[str]:
    """The lines after all of it was printed, on a terminal that is wide and high enough."""
    lines, row, column = [""], 0, 0
    for found in _PART.finditer(printed):
        assert not found["strange"], found["strange"]
        if found["what"] == "A":
            row -= int(found["number"])
            assert row >= 0
        elif found["what"] == "J":
            del lines[row + 1 :]
            lines[row] = lines[row][:column]
        elif found["what"] == "K":
            lines[row] = lines[row][:column]
        elif found["character"] == "\r":
            column = 0
        elif found["character"] == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif found["character"]:
            lines[row] = f"{lines[row][:column]:<{column}}{found['character']}{lines[row][column + 1 :]}"
            column += 1
    return lines


LOG_IN = "import os, sys; os.login_tty(0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


class Terminal:
    """python -m scripts.<verb> with a person in front of it."""

    def __init__(self, project: Project, verb: str) -> None:
        environment = {**project.variables(), **project.environment, "TERM": "xterm"}
        self._printed = b""
        self._terminal, theirs = pty.openpty()
        words = [sys.executable, "-c", LOG_IN, "-m", f"scripts.{verb}"]
        self._process = subprocess.Popen(
            words, cwd=project.path, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)

    @property
    def lines(self) -> list[str]:
        return screen(self._printed.decode(errors="ignore"))

    def read_until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.lines
            self._read()

    def write(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def end(self) -> int:
        """Its exit code."""
        while self._read():
            pass
        return self._process.wait()

    def _read(self) -> bool:
        """Whether there may be more to read."""
        try:
            while select.select([self._terminal], [], [], 0.1)[0]:
                self._printed += os.read(self._terminal, 65536)
        except OSError:
            return False
        return True
