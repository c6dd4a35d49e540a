"""The request of a command to Alembic: one object in `config.attributes`, which runner.py reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column
from sqlalchemy.engine import URL

from scripts.core.migrate.guards import Seen
from scripts.core.migrate.steps import OnStep, Tracer
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Settings

ATTRIBUTE = "request"


@dataclass(frozen=True)
class Compared:
    """What autogenerate compares."""

    schemas: Sequence[str] = ()
    """Schemas besides those that the models name."""
    has_default: Callable[[Column[Any]], bool] = lambda _column: True
    """Whether the default of a column of the models is compared."""


@dataclass(frozen=True)
class AlembicRequest:
    """One command. The defaults are those of `alembic` typed by hand."""

    settings: Settings
    database_url: URL | None = None
    """A database other than that of the settings."""
    on_step: OnStep | None = None
    seen: Seen | None = None
    """The revisions and hazards that a plan has shown."""
    confirmed: Sequence[Loss] | None = None
    """What a downgrade may lose; None: nothing was asked."""
    tracer: Tracer | None = None
    undoes: Sequence[str] = ()
    """For a downgrade, exactly these revisions, newest first, whatever its argument says."""
    process_revision_directives: Callable[..., None] | None = None
    compared: Compared = field(default_factory=Compared)

    @property
    def url(self) -> URL:
        return self.database_url or self.settings.database_url
