"""The user's code inside our own process: it may fail, but not end the process or change our environment."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

ENDINGS = ("_exit", "execv", "execve")
"""Functions of `os` that end this program at once. The other exec functions call the last two."""


class ExitError(Exception):
    """The user's code tried to end the process."""


class _Ending(BaseException):
    """This is no Exception, so that the user's code does not catch it by accident."""


@contextmanager
def contained(
    environment: Mapping[str, str] | None = None, defaults: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run the user's code in the block, with more variables in its environment; `defaults` only where there are none.

    Raise ExitError, with the traceback of the user's code, for sys.exit(), os._exit() and the like. A KeyboardInterrupt
    passes, because Ctrl-C and SIGTERM raise it. The environment is restored after the block.
    """
    before, originals, process = dict(os.environ), {name: getattr(os, name) for name in ENDINGS}, os.getpid()
    os.environ.update({**(defaults or {}), **before, **(environment or {})})
    for name, original in originals.items():
        setattr(os, name, _refusing(name, original, process))
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        said = str(error) if isinstance(error, _Ending) else _shown(error)
        raise ExitError(f"{said} would end the whole command").with_traceback(error.__traceback__) from None
    finally:
        for name, original in originals.items():
            setattr(os, name, original)
        if dict(os.environ) != before:
            os.environ.clear()
            os.environ.update(before)


def _shown(error: BaseException) -> str:
    """Return the error as Python prints it. Its arguments may be contents of rows, unless they are exit codes."""
    is_code = all(argument is None or type(argument) is int for argument in error.args)
    return repr(error) if is_code else f"{type(error).__name__}(…)"


def _refusing(name: str, original: Any, process: int) -> Any:
    def refuse(*arguments: Any) -> NoReturn:
        if os.getpid() != process:  # in a child that the user's code has forked
            original(*arguments)
        raise _Ending(f"os.{name}()")

    return refuse
