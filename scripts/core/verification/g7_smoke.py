"""Smoke: the user's own checks in tests/staging/, on a copy of the migrated copy."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from scripts.core import ROOT, clients, postgres, settings, shell
from scripts.core.errors import UserError
from scripts.core.reports.words import counted
from scripts.core.settings import Settings
from scripts.core.verification.case import FAILED, Case, Outcome, clone

ID, NAME, NEEDS = "smoke", "smoke checks", ("migrated",)
FOLDER = ROOT / "tests" / "staging"


def check(case: Case) -> Outcome:
    """Runs every *.sql, which must return no rows, and every *.py, which must exit 0."""
    assert case.migrated
    files = sorted(path for path in FOLDER.glob("*") if path.suffix in (".sql", ".py"))
    if not files:
        return Outcome("there are no checks in tests/staging/")
    copy = clone(case, case.migrated)
    said = {path.name: _sql(copy, path) if path.suffix == ".sql" else _python(copy, path) for path in files}
    failed = [f"{name}: {words}" for name, words in said.items() if words]
    if failed:
        return Outcome(f"{len(failed)} of {counted(len(files), 'check')} failed", failed, FAILED)
    return Outcome(f"{counted(len(files), 'check')} passed")


def _sql(copy: Settings, path: Path) -> str:
    """What is wrong, or nothing. How many rows it returned is told, never which."""
    try:
        with postgres.connect(copy) as connection:
            connection.exec_driver_sql(f"SET statement_timeout = '{settings.limits().statement_timeout}s'")
            found = connection.exec_driver_sql(path.read_text(encoding="utf-8").replace("%", "%%"))
            count = len(found.all()) if found.returns_rows else 0
            return f"returned {counted(count, 'row')}" if count else ""
    except DBAPIError as error:
        return postgres.first_line(error)


def _python(copy: Settings, path: Path) -> str:
    url = copy.database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    # MIGRATION_DATABASE_URL would win over it.
    environment = {"DATABASE_URL": url, "MIGRATION_DATABASE_URL": url, "PYTHONPATH": str(ROOT), "APP_ENV": "test"}
    said = shell.follow([sys.executable, str(path)], environment, _deadline(path, settings.limits().statement_timeout))
    return clients.reason(said) if said else ""


def _deadline(path: Path, seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def tick() -> None:
        if time.monotonic() > end:
            raise UserError(f"{path.name} was still running after {seconds:g} s.", do="STATEMENT_TIMEOUT is the limit")

    return tick
