"""postmaster.pid, in which PostgreSQL records a running server; see its documentation."""

import os
import socket
from contextlib import suppress
from pathlib import Path


def port(data: Path) -> int:
    """Return the port that the server of a data folder listens on, or 0 if none runs.

    Line 1 is the process, 2 the data folder, 4 the port, 8 the state. The file stays after a power cut, and another
    program may have the port now. In a copied folder it names the server of the original.
    """
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        port = int(lines[3]) if lines[7].strip() == "ready" else 0
        if not _works_in(int(lines[0]), data, lines[1]):
            return 0
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return port
    except (OSError, ValueError, IndexError, OverflowError):
        return 0


def of_deleted(data: Path) -> int:
    """Return the process id of a server that still runs in a folder of this path which was deleted, or 0."""
    gone, found = f"{os.path.realpath(data)} (deleted)", []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(process / "cwd") == gone:
                found.append(int(process.name))
    # The first one has started the others.
    return min(found, default=0)


def _works_in(pid: int, data: Path, named: str) -> bool:
    """Return whether the process lives and works in the folder. If that is not visible, compare the folder's name."""
    with suppress(PermissionError):  # it lives, under another account
        os.kill(pid, 0)
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", data)
    except OSError:
        return named == str(data)
