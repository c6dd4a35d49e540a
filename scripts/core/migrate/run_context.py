"""The conditions under which the steps of one command run."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData
from sqlalchemy.engine import URL

from scripts.core.migrate.steps import Tracer
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Settings


@dataclass(frozen=True)
class Conditions:
    settings: Settings
    url: URL
    application: str
    """The application_name of the migrating session in pg_stat_activity."""
    observer: Connection
    """Another session, in autocommit, that reads the state of the database."""
    overrides: Sequence[str] = ()
    """Ids of the refusals that the user overrode, for the migration log."""
    backup: str = ""
    """The name of the backup from which the database can be restored, for the migration log."""
    confirmed: Sequence[Loss] | None = None
    """What a downgrade may lose; None: nothing was asked."""
    tracer: Tracer | None = None
    foreign_indexes: Sequence[str] = ()
    """Invalid indexes that no revision of this command names. They stay."""
    names: MetaData | None = None
    """Metadata with the application's naming convention."""
