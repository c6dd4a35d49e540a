"""The declarative base, the engine and sessions of the application."""

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.orm import DeclarativeBase

from app.settings import AppSettings

# Named constraints can be dropped by a later migration; see "The Importance of Naming Constraints" in Alembic's docs.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
CONNECT_TIMEOUT = 5
"""Seconds. Without it, a health check waits minutes for a host that drops packets."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


def make_engine(settings: AppSettings) -> Engine:
    """Return an engine that detects cut connections and names itself in pg_stat_activity."""
    return create_engine(
        settings.database_url,
        pool_pre_ping=True,
        connect_args={"application_name": "app", "connect_timeout": CONNECT_TIMEOUT},
    )
