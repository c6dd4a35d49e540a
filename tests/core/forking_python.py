"""A python for make targets: a program that has it forked. Starting and importing takes ten times as long."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from tempfile import TemporaryDirectory
from threading import Thread

from tests.core.forked import Command, become
from tests.core.running import FORKS

# Another account gets a Python of its own, and so does a program that is called after the block.
CLIENT = """#!{python} -IS
import os, socket, sys
sent = b"\\0".join(map(os.fsencode, [os.getcwd(), *sys.argv[1:], "", *(f"{{k}}={{v}}" for k, v in os.environ.items())]))
server = socket.socket(socket.AF_UNIX)
if os.geteuid() == {account} and sys.argv[1:2] == ["-m"] and not server.connect_ex({address!r}):
    socket.send_fds(server, [len(sent).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(sent)
    code = server.recv(4)
    if code:
        os._exit(int.from_bytes(code, "big"))
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


@contextmanager
def served() -> Iterator[str]:
    """The text of that program, which works during the block."""
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        address = f"{folder}/python"
        listening.bind(address)
        listening.listen()
        Thread(target=_accept, args=(listening,), daemon=True).start()
        yield CLIENT.format(python=sys.executable, account=os.geteuid(), address=address)
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket) -> None:
    with suppress(OSError):  # the end of the block
        while True:
            Thread(target=_serve, args=(listening.accept()[0],), daemon=True).start()


def _serve(client: socket.socket) -> None:
    with client, suppress(OSError):  # a client that was killed
        size, files, _, _ = socket.recv_fds(client, 4, 3)
        with client.makefile("rb") as sent:
            folder, *rest = map(os.fsdecode, sent.read(int.from_bytes(size, "big")).split(b"\0"))
        words, variables = rest[: rest.index("")], rest[rest.index("") + 1 :]
        passed = [Connection(file) for file in files]
        command = Command(words, folder, dict(line.split("=", 1) for line in variables), passed)
        process = FORKS.Process(target=become, args=(command,))
        process.start()
        for file in passed:
            file.close()
        process.join()
        client.sendall(((process.exitcode or 0) & 0xFF).to_bytes(4, "big"))
