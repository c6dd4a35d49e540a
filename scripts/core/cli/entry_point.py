"""How every script starts and ends: help from its docstring, errors for people, exit codes."""

import argparse
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from scripts.core import application, messages, revision_files, sqlstates, unfinished_adoption
from scripts.core.cli import console
from scripts.core.errors import BUG, INTERRUPTED, HalfDoneError, UserError
from scripts.core.postgres import connections

INTERRUPTED_STATE = "each revision, backup and restore is done completely or not at all; see: make status, make backups"

Main = Callable[[Sequence[str] | None], int]


def parser(doc: str | None, module: str) -> argparse.ArgumentParser:
    """Return a parser. Its help is the script's docstring: one sentence, then the make lines."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def run(main: Main, argv: Sequence[str] | None = None, *, needs_files: bool = True) -> int:
    """Run a script and return its exit code: 0 done, 1 no or refused, 2 usage, 3 our bug, 130 interrupted.

    `needs_files`: say what is wrong with pyproject.toml or alembic.ini, instead of running.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot print ✓ must not cause an error in the middle of a migration.
            stream.reconfigure(errors=console.PLAIN_SIGNS)
    with console.logged(Path(sys.argv[0]).stem), console.live(), messages.sent_to(console.warn, console.bar):
        try:
            if needs_files:
                unfinished_adoption.require_none()
                require_files()
            return main(argv)
        except HalfDoneError as error:
            do = "write the committed part so that it can run again (IF NOT EXISTS), then run this again"
            console.fail(UserError("Interrupted.", do=do, state=error.state))
            return INTERRUPTED
        except KeyboardInterrupt:
            console.fail(UserError("Interrupted.", do="run this again", state=INTERRUPTED_STATE))
            return INTERRUPTED
        except Exception as error:
            return _explain(error)


def require_files() -> None:
    """Raise UserError if pyproject.toml or alembic.ini cannot be used."""
    application.extend_search_path()
    revision_files.require_readable()


@contextmanager
def finishing() -> Iterator[None]:
    """Delay an interruption until the end of the block."""
    heard: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: heard.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if heard:
        raise KeyboardInterrupt


def _explain(error: Exception) -> int:
    """Print what happened. Only our own bugs show a traceback."""
    known = _known(error)
    if known:
        console.fail(known)
        return known.code
    traceback.print_exc()
    problem = f"This is a bug in the scripts: {type(error).__name__}."
    console.fail(UserError(problem, do="report it with the lines above", state="unknown; see: make status"))
    return BUG


def _known(error: Exception) -> UserError | None:
    if isinstance(error, UserError):
        return error
    if isinstance(error, CommandError):
        return UserError(f"Alembic: {error}", state="see: make status")
    if isinstance(error, DBAPIError):
        lacks_right = sqlstates.of(error) == sqlstates.INSUFFICIENT_PRIVILEGE
        return UserError(
            f"PostgreSQL: {connections.first_line(error)}",
            do="set MIGRATION_DATABASE_URL in .env to a login of the role that owns the tables" if lacks_right else "",
            state="see: make status",
            check="version-table" if lacks_right else "",
        )
    return None


def _terminate(*_: object) -> None:
    raise KeyboardInterrupt
