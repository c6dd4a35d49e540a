"""What alembic/env.py runs, for `make` and for `alembic` typed by hand alike."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData
from sqlalchemy.engine import URL

from scripts.core import history, postgres, settings


@dataclass(frozen=True)
class Step:
    """One revision applied or undone, and how many seconds that took."""

    revision: str
    upgrade: bool
    seconds: float


OnStep = Callable[[Step], None]


def run(metadata: MetaData) -> None:
    """Run the command that Alembic was started with, on the database or as SQL text (`--sql`)."""
    if context.is_offline_mode():
        _offline(metadata)
    else:
        _online(metadata)


def _online(metadata: MetaData) -> None:
    configured = settings.load()
    url: URL = context.config.attributes.get("database_url", configured.database_url)
    with postgres.connect(configured, url, connect_args={"application_name": "alembic"}) as connection:
        # Nothing may be executed on this connection before configure(): Alembic would take the transaction that is
        # then open for ours, run every step, exit 0 and commit nothing.
        context.configure(connection=connection, **_options(metadata))
        try:
            with context.begin_transaction():
                context.run_migrations()
        except (CommandError, RevisionError):
            _explain(connection)
            raise


def _offline(metadata: MetaData) -> None:
    """SQL for somebody else to run: needs no database and no settings."""
    options = _options(metadata)
    context.configure(dialect_name="postgresql", literal_binds=True, dialect_opts={"paramstyle": "named"}, **options)
    with context.begin_transaction():
        context.run_migrations()


def _options(metadata: MetaData) -> dict[str, Any]:
    return {
        "target_metadata": metadata,
        "compare_type": True,
        "compare_server_default": True,
        "transaction_per_migration": True,
        "on_version_apply": _timed(context.config.attributes.get("on_step")),
        "process_revision_directives": context.config.attributes.get("process_revision_directives"),
    }


def _timed(on_step: OnStep | None) -> list[Callable[..., None]]:
    if on_step is None:
        return []
    started = time.monotonic()

    def apply(*, ctx: MigrationContext, step: MigrationInfo, heads: set[str], run_args: dict[str, Any]) -> None:
        nonlocal started
        now = time.monotonic()
        revision = step.up_revision_id
        if revision and not step.is_stamp:
            on_step(Step(revision, step.is_upgrade, now - started))
        started = now

    return [apply]


def _explain(connection: Connection) -> None:
    """Alembic's "Can't locate revision identified by" says neither which side lacks it nor where it is."""
    connection.rollback()
    history.require_known(history.load(), history.current(connection))
