"""Under which the steps of one command are tried."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from scripts.core.postgres.advisory_lock import Tell
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Limits, Settings


@dataclass(frozen=True)
class Conditions:
    settings: Settings
    limits: Limits
    url: URL
    application: str
    """What the migrating session is called in pg_stat_activity."""
    observer: Connection
    """Another session, in autocommit, that asks what is going on."""
    tell: Tell
    overrides: Sequence[str] = ()
    """Refusals that the user overrode, for the log."""
    backup: str = ""
    """The name of the backup that the database could be restored from, for the log."""
    confirmed: Sequence[Loss] | None = None
    """What a downgrade may lose; None: nobody was asked."""
