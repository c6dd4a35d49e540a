"""The ports of the embedded servers on 127.0.0.1."""

import socket
from pathlib import Path

from scripts.core.errors import UserError
from scripts.core.postgres import pidfile


def any_free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free(port: int, data: Path) -> None:
    """Raise UserError if a server in this data folder could not listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise _taken(port, data) from error


def _taken(port: int, data: Path) -> UserError:
    pid = pidfile.of_deleted(data)
    if pid:
        return UserError(
            f"Port {port} of 127.0.0.1 is taken: a PostgreSQL server still runs in the deleted folder {data}.",
            why=f"The folder was deleted while the server was running. It is process {pid}.",
            do=f"kill -INT {pid}, then run this again",
            state="the data in that folder is gone. Nothing else was changed.",
        )
    return UserError(
        f"Port {port} of 127.0.0.1 is taken by another program.",
        why="The embedded PostgreSQL of this checkout listens on DB_PORT.",
        do="set another DB_PORT in .env, then: make up",
        check="ports",
    )
