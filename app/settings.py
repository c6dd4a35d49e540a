"""The application's settings, from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import URL, make_url


class SettingsError(Exception):
    """A variable is missing or wrong."""


@dataclass(frozen=True)
class AppSettings:
    database_url: URL
    publish_interval: float
    """Seconds between two searches for due posts."""


def load(environ: Mapping[str, str] = os.environ) -> AppSettings:
    """Return the settings. Raise SettingsError if a variable is missing or wrong."""
    if not environ.get("DATABASE_URL"):
        raise SettingsError("DATABASE_URL is not set: start the application with `make app` or `python -m scripts.app`")
    interval = environ.get("PUBLISH_INTERVAL") or "5"
    try:
        seconds = float(interval)
    except ValueError:
        seconds = 0
    if not seconds > 0:
        raise SettingsError(f"PUBLISH_INTERVAL is {interval!r}, not a number above 0")
    # SQLAlchemy 2.1 reads a bare postgresql:// as psycopg 3, and no postgres:// at all.
    return AppSettings(make_url(environ["DATABASE_URL"]).set(drivername="postgresql+psycopg2"), seconds)
