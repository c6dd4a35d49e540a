"""The variables of the environment that the application's code reads. Its result may depend on them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.core import application
from scripts.core.settings import TARGET


@contextmanager
def noted() -> Iterator[set[str]]:
    """Yield a set that has, after the block, the names that a file of the application has read.

    Names of the target do not count, because each throwaway database has its own.
    """
    found, environment = set[str](), type(os.environ)
    original = environment.__getitem__

    def read(of: "os._Environ[str]", name: str) -> str:
        frame = sys._getframe(1)
        while frame.f_back and frame.f_code.co_filename.endswith(("os.py", "<frozen os>", "_collections_abc>")):
            frame = frame.f_back
        if application.holds(frame.f_code.co_filename) and not TARGET.fullmatch(str(name)):
            found.add(str(name))
        return original(of, name)

    environment.__getitem__ = read  # type: ignore[method-assign]
    try:
        yield found
    finally:
        environment.__getitem__ = original  # type: ignore[method-assign]
