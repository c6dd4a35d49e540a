"""What must hold before the version of a database is changed. Checked under the mutex, performed elsewhere."""

import os
from pathlib import Path

from sqlalchemy import Connection

from scripts.core import databases, migration_log, window
from scripts.core.conditions import Conditions
from scripts.core.errors import UserError
from scripts.core.mutex import Tell
from scripts.core.settings import Limits, Settings
from scripts.core.steps import Steps

STRICTNESS = ("development", "test", "staging", "production")


def check(conditions: Conditions, steps: Steps, files: dict[str, Path]) -> list[str]:
    """The refusals that had to be overridden. Raises UserError for the first gate that is closed, with the word that
    opens it.
    """
    environment = effective(conditions.settings, databases.mark(conditions.observer))
    overrides = check_edited(conditions.observer, environment, files, conditions.tell)
    if environment != "development" and steps.command != "stamp":
        overrides += _window(conditions.limits)
    return overrides


def effective(settings: Settings, mark: str | None) -> str:
    """The stricter of APP_ENV and the database's mark; no mark counts as production.

    Raises UserError when a development environment is pointed at a database marked as something else.
    """
    marked = mark if mark in STRICTNESS else "production"
    if settings.app_env == "development" and mark and mark != "development":
        raise UserError(
            f"Refusing to touch {settings.database_url.database}: it is marked environment={mark}.",
            why=f"APP_ENV is development. Read from {settings.source}.",
            do=f"point at a development database; or, if this is one: make mark ENV=development"
            f" CONFIRM={settings.database_url.database}",
        )
    return max(settings.app_env, marked, key=STRICTNESS.index)


def accepted(refusal: str) -> bool:
    """Whether the user said ACCEPT=<id>[,<id>] for this refusal."""
    return refusal in os.environ.get("ACCEPT", "").replace(" ", "").split(",")


def check_edited(connection: Connection, environment: str, files: dict[str, Path], tell: Tell) -> list[str]:
    """A revision edited after it was applied is a warning in development; elsewhere raises UserError, unless that is
    overridden; returns whether it was.
    """
    overrides = []
    for revision in migration_log.edited(connection, files):
        what = f"{files[revision].name} was edited after revision {revision} was applied"
        if environment == "development" or accepted("edited"):
            tell(f"{what}; this database has what it did before.")
            overrides = [] if environment == "development" else ["edited"]
            continue
        raise UserError(
            f"{what}.",
            why="The schema here is not what the file says any more, and another database would get another schema.",
            do="put the file back and write a new revision; or, knowing it: ACCEPT=edited",
        )
    return overrides


def _window(limits: Limits) -> list[str]:
    closed = window.closed_until(limits.windows)
    if closed and not accepted("window"):
        raise UserError(
            f"Outside the maintenance window {limits.maintenance_window}.",
            why=f"It opens {closed:%A %Y-%m-%d %H:%M %Z}.",
            do="wait; or, knowing it: ACCEPT=window",
        )
    return ["window"] if closed else []
