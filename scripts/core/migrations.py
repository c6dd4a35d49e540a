"""The writing door to Alembic: upgrade, downgrade, stamp and new revisions, each checked from a new connection."""

import re
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.operations.ops import MigrationScript
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from scripts.core import history, models, postgres
from scripts.core.errors import UserError
from scripts.core.runner import OnStep
from scripts.core.settings import Settings


def upgrade(settings: Settings, target: str, on_step: OnStep, url: URL | None = None) -> None:
    """Apply everything up to `target` on the target's database or on `url`, one transaction per revision.

    Raises UserError when a revision fails, saying which, where, and what the database is at now.
    """
    _run(settings, lambda config: command.upgrade(config, target), on_step, url)
    _verify(settings, url, target)


def downgrade(settings: Settings, target: str, on_step: OnStep) -> None:
    """Undo everything after `target`, newest first. Raises UserError as `upgrade` does."""
    _run(settings, lambda config: command.downgrade(config, target), on_step, None)
    _verify(settings, None, target)


def stamp(settings: Settings, target: str) -> None:
    """Write down that the schema is that of `target`, running nothing; a revision without a file is overwritten."""
    _run(settings, lambda config: command.stamp(config, target, purge=True), None, None)
    _verify(settings, None, target)


def new_revision(settings: Settings, message: str, *, empty: bool) -> Path | None:
    """Write a revision file: what the models have and the database lacks, or an empty one to fill by hand.

    Returns its path, or None when models and database agree. Raises UserError when a model is not imported.
    """
    models.require_complete()
    made: list[Any] = []

    def drop_if_empty(_context: object, _revision: object, directives: list[MigrationScript]) -> None:
        operations = directives[0].upgrade_ops
        if not empty and operations is not None and operations.is_empty():
            directives.clear()

    def make(config: Config) -> None:
        config.attributes["process_revision_directives"] = drop_if_empty
        # Alembic says "Running post write hook" even when it is asked to be quiet.
        with redirect_stdout(StringIO()):
            made.append(command.revision(config, message, autogenerate=not empty))

    _run(settings, make, None, None)
    return Path(made[0].path) if made[0] else None


def merge(heads: list[str], message: str) -> Path:
    """Write a revision that follows all of `heads`; returns its path. Needs no database."""
    with redirect_stdout(StringIO()):
        made = command.merge(history.config(), heads, message)
    assert made is not None
    return Path(made.path)


def _run(settings: Settings, work: Callable[[Config], None], on_step: OnStep | None, url: URL | None) -> None:
    config = history.config()
    config.cmd_opts = Namespace(quiet=True)
    config.attributes["on_step"] = on_step
    # Always the target that we were given: alembic/env.py would else load the settings of this checkout.
    config.attributes["database_url"] = url or settings.database_url
    try:
        work(config)
    except UserError:
        raise
    except Exception as error:
        place = history.place(error)
        if not place:
            raise
        raise _failed(settings, url, place, error) from error


def _failed(settings: Settings, url: URL | None, place: str, error: Exception) -> UserError:
    """A fault inside a revision file is its author's, told with the statement and PostgreSQL's own words."""
    said = postgres.first_line(error) if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"
    statement = " ".join(str(getattr(error, "statement", "") or "").split())
    if settings.runtime == "embedded" and re.search(r'extension ".*" is not available', said):
        said += " in the embedded PostgreSQL; the one of RUNTIME=docker has all of contrib"
    return UserError(
        f"{place}: {said}",
        why=f"The statement was: {statement}" if statement else "",
        do="correct that file, then run this again",
        state=f"the database is at {_at(_current(settings, url))}; what the failed revision did was rolled back.",
    )


def _verify(settings: Settings, url: URL | None, target: str) -> None:
    """Raises UserError unless a new connection reads the expected version: what was said to be done is done."""
    at = _current(settings, url)
    if target not in (at or ("base",)):
        raise UserError(
            f"The database should be at {target} now, but a new connection reads {_at(at)}.",
            why="Something ran on Alembic's connection before its transaction, so nothing was committed.",
            do="look for SQL in alembic/env.py before context.configure()",
            state=f"the database is at {_at(at)}.",
        )


def _current(settings: Settings, url: URL | None) -> tuple[str, ...]:
    with postgres.connect(settings, url) as connection:
        return history.current(connection)


def _at(revisions: Sequence[str]) -> str:
    return ", ".join(revisions) or "base"
