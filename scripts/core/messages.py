"""What core says while it works, and how far it is. The verb that runs decides where that goes.

This is not `logging`: the application's own configuration of it may disable the loggers that it does not name.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scripts.core.formatting import message

Receiver = Callable[[str], None]
Progress = Callable[[int, int, str], None]


def log(text: str) -> None:
    """Send a message where alembic.ini says, for `alembic` typed by hand."""
    logging.getLogger("alembic.runner").info("%s", message(text))


_receivers: list[Receiver] = [log]
_bars: list[Progress] = [lambda _done, _total, _what: None]


def send(text: str) -> None:
    _receivers[-1](text)


def progress(done: int, total: int, what: str) -> None:
    """Say how many are done, how many there are, and of what."""
    _bars[-1](done, total, what)


def nowhere(_text: str) -> None:
    """Receive a message and drop it."""


@contextmanager
def sent_to(receiver: Receiver | None = None, bar: Progress | None = None) -> Iterator[None]:
    """Send what the block says, and its progress, to these functions. Without one it goes where it went before."""
    _receivers.append(receiver or _receivers[-1])
    _bars.append(bar or _bars[-1])
    try:
        yield
    finally:
        _receivers.pop()
        _bars.pop()
