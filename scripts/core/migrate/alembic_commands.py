"""The writing door to Alembic: upgrade, downgrade, stamp and new revisions. runner.py makes them safe."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.operations.ops import MigrationScript
from sqlalchemy.engine import URL

from scripts.core import revision_files
from scripts.core.migrate import alembic_log
from scripts.core.migrate.guards import Seen
from scripts.core.migrate.request import ATTRIBUTE, AlembicRequest, Compared
from scripts.core.migrate.steps import OnStep, Tracer
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Settings


def upgrade(settings: Settings, target: str, on_step: OnStep, url: URL | None = None) -> None:
    """Apply everything up to `target` to the target's database or to `url`. Raise UserError if a step fails."""
    request = AlembicRequest(settings, url, on_step)
    _run(request, lambda config: command.upgrade(config, target))


def upgrade_seen(settings: Settings, target: str, on_step: OnStep, seen: Seen | None) -> None:
    """Upgrade after a plan that has shown `seen`. Outside development the guards require such a plan."""
    request = AlembicRequest(settings, None, on_step, seen)
    _run(request, lambda config: command.upgrade(config, target))


def traced(settings: Settings, target: str, on_step: OnStep, tracer: Tracer) -> None:
    """Apply everything up to `target` to a throwaway database. Raise UserError as `upgrade` does.

    `tracer` gets the migrating connection, a function that names the running revision, and each revision's commits.
    """
    request = AlembicRequest(settings, None, on_step, tracer=tracer)
    _run(request, lambda config: command.upgrade(config, target))


def traced_downgrade(settings: Settings, target: str, on_step: OnStep, tracer: Tracer) -> None:
    """Undo everything after `target` on a throwaway database, and call `tracer` as `traced` does."""
    request = AlembicRequest(settings, None, on_step, confirmed=[], tracer=tracer)
    _run(request, lambda config: command.downgrade(config, target))


def downgrade(settings: Settings, target: str, confirmed: Sequence[Loss], on_step: OnStep) -> None:
    """Undo everything after `target`, newest first.

    Raise UserError as `upgrade` does, and when more data would be lost now than was `confirmed`.
    """
    request = AlembicRequest(settings, None, on_step, confirmed=confirmed)
    _run(request, lambda config: command.downgrade(config, target))


def undo(settings: Settings, revisions: Sequence[str], on_step: OnStep, tracer: Tracer | None = None) -> None:
    """Undo exactly these revisions, newest first, on a throwaway database. Where a history forks, no target names them.

    Call `tracer` as `traced` does. Raise UserError as `upgrade` does.
    """
    request = AlembicRequest(settings, None, on_step, confirmed=[], tracer=tracer, undoes=revisions)
    _run(request, lambda config: command.downgrade(config, "base"))


def stamp(settings: Settings, target: str, *, forget: bool) -> None:
    """Record `target` as the schema's revision, and run none. `forget` deletes recorded revisions without a file."""
    request = AlembicRequest(settings)
    _run(request, lambda config: command.stamp(config, target, purge=forget))


@dataclass(frozen=True)
class New:
    """A revision that has no file yet: its id, and the folder of its file."""

    revision: str
    folder: Path


def new_revision(
    settings: Settings,
    message: str,
    new: New,
    add: Callable[[MigrationScript], None] | None = None,
    *,
    compared: Compared | None = None,
) -> Path | None:
    """Write a revision file with what the models have and the database lacks. Without `add`, it is empty.

    `add` completes what autogenerate found in what is `compared`. Return the path of the file, or None if there is
    nothing to write.
    """
    made: list[Any] = []

    def drop_if_empty(_context: object, _revision: object, directives: list[MigrationScript]) -> None:
        if add:
            add(directives[0])
            operations = directives[0].upgrade_ops
            if operations is not None and operations.is_empty():
                directives.clear()

    def make(config: Config) -> None:
        # Alembic prints "Running post write hook" even with `quiet`.
        with redirect_stdout(StringIO()):
            generated = add is not None
            made.append(
                command.revision(
                    config, message, autogenerate=generated, rev_id=new.revision, version_path=str(new.folder)
                )
            )

    request = AlembicRequest(settings, process_revision_directives=drop_if_empty, compared=compared or Compared())
    _run(request, make)
    return Path(made[0].path) if made[0] else None


def merge(heads: Any, message: str, new: New) -> Path:
    """Write a revision that follows all of `heads`, and return its path. This needs no database."""
    with redirect_stdout(StringIO()):
        made: Any = command.revision(
            revision_files.config(), message, head=heads, rev_id=new.revision, version_path=str(new.folder)
        )
    return Path(made.path)


def _run(request: AlembicRequest, work: Callable[[Config], None]) -> None:
    alembic_log.hide_migrations()  # the scripts print each step by themselves
    config = revision_files.config()
    config.cmd_opts = Namespace(quiet=True)
    config.attributes[ATTRIBUTE] = request
    work(config)
