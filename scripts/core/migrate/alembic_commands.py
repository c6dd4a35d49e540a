"""The writing door to Alembic: upgrade, downgrade, stamp and new revisions. runner.py makes them safe."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.operations.ops import MigrationScript
from sqlalchemy import Connection
from sqlalchemy.engine import URL

from scripts.core import revision_files
from scripts.core.migrate.guards import Seen
from scripts.core.migrate.steps import Commits, OnStep
from scripts.core.postgres.advisory_lock import Tell
from scripts.core.revisions import models
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Settings

Tracer = Callable[[Connection, Callable[[], str], Commits], None]


def upgrade(settings: Settings, target: str, on_step: OnStep, tell: Tell, url: URL | None = None) -> None:
    """Apply everything up to `target` to the target's database or to `url`. Raise UserError if a step fails."""
    _run(settings, lambda config: command.upgrade(config, target), on_step=on_step, tell=tell, database_url=url)


def upgrade_seen(settings: Settings, target: str, on_step: OnStep, tell: Tell, seen: Seen | None) -> None:
    """Upgrade after a plan that has shown `seen`. Outside development the guards require such a plan."""
    _run(settings, lambda config: command.upgrade(config, target), on_step=on_step, tell=tell, seen=seen)


def traced(settings: Settings, target: str, on_step: OnStep, tell: Tell, trace: Tracer) -> None:
    """Apply everything up to `target` to a throwaway database. Raise UserError as `upgrade` does.

    `trace` gets the migrating connection, a function that names the running revision, and the commits of each revision.
    """
    _run(settings, lambda config: command.upgrade(config, target), on_step=on_step, tell=tell, trace=trace)


def traced_downgrade(settings: Settings, target: str, tell: Tell, trace: Tracer) -> None:
    """Undo everything after `target` on a throwaway database, and call `trace` as `traced` does."""
    _run(settings, lambda config: command.downgrade(config, target), tell=tell, trace=trace, confirmed=[])


def downgrade(settings: Settings, target: str, confirmed: Sequence[Loss], on_step: OnStep, tell: Tell) -> None:
    """Undo everything after `target`, newest first.

    Raise UserError as `upgrade` does, and when more data would be lost now than was `confirmed`.
    """
    _run(
        settings,
        lambda config: command.downgrade(config, target),
        confirmed=confirmed,
        on_step=on_step,
        tell=tell,
    )


def stamp(settings: Settings, target: str, tell: Tell, *, forget: bool) -> None:
    """Record `target` as the schema's revision, and run none. `forget` deletes recorded revisions without a file."""
    _run(settings, lambda config: command.stamp(config, target, purge=forget), tell=tell)


def new_revision(settings: Settings, message: str, *, empty: bool) -> Path | None:
    """Write a revision file with what the models have and the database lacks, or an empty file to write by hand.

    Return its path, or None if models and database agree. Raise UserError if a model is not imported.
    """
    models.require_complete()
    made: list[Any] = []

    def drop_if_empty(_context: object, _revision: object, directives: list[MigrationScript]) -> None:
        operations = directives[0].upgrade_ops
        if not empty and operations is not None and operations.is_empty():
            directives.clear()

    def make(config: Config) -> None:
        # Alembic prints "Running post write hook" even with `quiet`.
        with redirect_stdout(StringIO()):
            made.append(command.revision(config, message, autogenerate=not empty))

    _run(settings, make, process_revision_directives=drop_if_empty)
    return Path(made[0].path) if made[0] else None


def merge(heads: list[str], message: str) -> Path:
    """Write a revision that follows all of `heads`, and return its path. This needs no database."""
    with redirect_stdout(StringIO()):
        made = command.merge(revision_files.config(), heads, message)
    assert made is not None
    return Path(made.path)


def _run(settings: Settings, work: Callable[[Config], None], **attributes: Any) -> None:
    config = revision_files.config()
    config.cmd_opts = Namespace(quiet=True)
    # Without this, alembic/env.py would load the settings of this checkout.
    config.attributes["settings"] = settings
    config.attributes.update({name: value for name, value in attributes.items() if value is not None})
    work(config)
