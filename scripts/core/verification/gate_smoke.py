"""Smoke checks: the user's own checks in tests/staging/, on a copy of the migrated copy."""

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from scripts.core import ROOT, application, hidden_files, redaction, settings, subprocesses
from scripts.core.child_process import Deadline
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.postgres import client_programs, connections, sql, trial
from scripts.core.postgres.sql import Sql
from scripts.core.settings import Settings
from scripts.core.verification.context import FAILED, Case, Outcome, clone

ID, NAME, NEEDS = "smoke", "smoke checks", ("migrated",)
_LIMIT = text("SELECT set_config('statement_timeout', :seconds, false)")
FOLDER = Path("tests") / "staging"


def check(case: Case) -> Outcome:
    """Run every *.sql, which must return no rows, and every *.py, which must exit 0.

    The checks of the running release come first, with its code, because that code will meet the new schema. Then come
    the checks of this checkout.
    """
    said = _run_all(case, case.release.path, f"{case.release.name}: ") if case.release else {}
    said |= _run_all(case, ROOT)
    failed = [f"{name}: {words}" for name, words in said.items() if words]
    if failed:
        return Outcome(f"{len(failed)} of {counted(len(said), 'check')} failed", failed, FAILED)
    return Outcome(f"{counted(len(said), 'check')} passed" if said else f"there are no checks in {FOLDER}/")


def _run_all(case: Case, tree: Path, prefix: str = "") -> dict[str, str]:
    """Return the failure of each check, or nothing for it. They run on a copy of their own."""
    assert case.migrated
    files = sorted(path for path in (tree / FOLDER).glob("*") if path.suffix in (".sql", ".py"))
    if not files:
        return {}
    seconds = case.target.limits.statement_timeout
    said = trial.run(
        *(case.server, clone(case, case.migrated), run_all, files, tree, settings.secret_files(case.target)),
        deadline=Deadline(len(files) * seconds, "A check sleeps, loops or waits.", "STATEMENT_TIMEOUT"),
        statement_timeout=seconds,
    )
    return {prefix + name: words for name, words in said.items()}


def run_all(copy: Settings, files: Sequence[Path], tree: Path, hidden: Sequence[str]) -> dict[str, str]:
    """Return the failure of each check, or nothing for it, in the child."""
    seconds = copy.limits.statement_timeout
    return {
        path.name: _sql(copy, path) if path.suffix == ".sql" else _python(path, tree, hidden, seconds) for path in files
    }


def _sql(copy: Settings, path: Path) -> str:
    """Return what is wrong, or nothing. It says how many rows the check returned, but not which."""
    try:
        with connections.cancellable(copy) as connection:
            connection.execute(_LIMIT, {"seconds": f"{copy.limits.statement_timeout}s"})
            found = sql.run(connection, Sql(path.read_text(encoding="utf-8")))
            count = len(found.all()) if found.returns_rows else 0
            return f"returned {counted(count, 'row')}" if count else ""
    except DBAPIError as error:
        return connections.first_line(error)


def _python(path: Path, tree: Path, hidden: Sequence[str], seconds: float) -> str:
    """Return what is wrong, or nothing. The check finds only the copy in the environment of the child."""
    words = [sys.executable, hidden_files.__file__, str(path), *hidden]
    environment = {"PYTHONPATH": os.pathsep.join(application.search_path(tree)), "APP_ENV": "test"}
    said = subprocesses.follow(words, environment, _deadline(path, seconds))
    # SQLAlchemy's tracebacks end with the statement and a link.
    errors = re.findall(r"^[\w.]+(?:Error|Exception): .+", said, re.MULTILINE)
    if errors:
        return redaction.last_line(errors[-1], f"{path.read_text(encoding='utf-8')} {hidden_files.REFUSAL}")
    return client_programs.reason(said) if said else ""


def _deadline(path: Path, seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def tick() -> None:
        if time.monotonic() > end:
            raise UserError(f"{path.name} was still running after {seconds:g} s.", do="raise STATEMENT_TIMEOUT in .env")

    return tick
