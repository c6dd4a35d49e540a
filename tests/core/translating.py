"""A forwarder in front of a real server, which translates its error messages: as lc_messages does, by no rule."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import BinaryIO

from sqlalchemy.engine import URL

ENCRYPTION = (80877103, 80877104)
"""Codes of the requests for TLS and GSSAPI, which are answered by one byte."""
WORDS = "übersetzt"


@contextmanager
def translating(server: URL) -> Iterator[URL]:
    """The URL under which the server of another speaks another language."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=_accept, args=(listening, server), daemon=True).start()
        yield server.set(host="127.0.0.1", port=listening.getsockname()[1])


def _accept(listening: socket.socket, server: URL) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            Thread(target=_forward, args=(client, server), daemon=True).start()


def _forward(client: socket.socket, server: URL) -> None:
    with suppress(OSError, struct.error), client, socket.create_connection((server.host, server.port or 5432)) as there:
        for one in (client, there):  # else each message waits 40 ms for what would follow it
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = there.makefile("rb")
        while (length := struct.unpack("!i", _exactly(client, 4))[0]) == 8:
            request = _exactly(client, 4)
            there.sendall(struct.pack("!i", length) + request)
            if struct.unpack("!i", request)[0] not in ENCRYPTION:
                break
            client.sendall(answers.read(1))
        else:
            there.sendall(struct.pack("!i", length) + _exactly(client, length - 4))
        Thread(target=_copy, args=(client, there), daemon=True).start()
        _translate(answers, client)


def _exactly(source: socket.socket, count: int) -> bytes:
    return source.recv(count, socket.MSG_WAITALL)


def _copy(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while found := source.recv(65536):
            to.sendall(found)
        to.shutdown(socket.SHUT_WR)


def _translate(answers: BinaryIO, client: socket.socket) -> None:
    """Messages of a type, a length and a body; those of an error have fields that end with a zero."""
    while kind := answers.read(1):
        (length,) = struct.unpack("!i", answers.read(4))
        body = answers.read(length - 4)
        if kind == b"E":
            fields = [b"M" + WORDS.encode() if field[:1] == b"M" else field for field in body.split(b"\0")]
            body = b"\0".join(field for field in fields if field[:1] != b"S")
        client.sendall(kind + struct.pack("!i", len(body) + 4) + body)
