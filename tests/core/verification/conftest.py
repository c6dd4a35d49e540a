"""A verification of some gates only, in this process, on a prepared context: nothing is dumped and restored before."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import pytest
from sqlalchemy.engine import URL

import app
from scripts.core import ROOT, env_file, messages, settings
from scripts.core.backups import create
from scripts.core.backups.store import LATEST, Backup
from scripts.core.postgres import scratch
from scripts.core.reports import store
from scripts.core.revisions import history
from scripts.core.settings import Backups, Settings
from scripts.core.verification import release, report_document, run
from scripts.core.verification.context import Case
from tests.conftest import Project


class Verify(Protocol):
    def __call__(
        self, project: Project, *gates: str, backup: str = LATEST, running: str = "", **environment: str
    ) -> list[str]:
        """Verify the project by these gates, and return what was shown."""


@pytest.fixture
def staged(project: Project) -> Project:
    """A project at head with fifty users."""
    project.sql(
        "INSERT INTO users (username, email) SELECT 'u' || n, 'person' || n % 40 || '@example.com'"
        " FROM generate_series(1, 50) n"
    )
    return project


@pytest.fixture(scope="module")
def any_backup(lasting_database: Callable[..., URL], template: str, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """Of another database. A copy of one that was never dumped takes the settings of a database from it."""
    url = lasting_database(template)
    ours = replace(settings.load(), app_env="development", runtime="none", external=False)
    backups = Backups(tmp_path_factory.mktemp("any") / "backups", "")
    target = replace(ours, database_url=url, application_url=url, backups=backups)
    return create.make(target, create.Wanted())


@pytest.fixture
def verify(any_backup: Backup, monkeypatch: pytest.MonkeyPatch) -> Verify:
    """Runs gates as make verify-staging does, and writes its report.

    Unless the gate of the backup is among them, the project's own database stands for the restored one, and is read
    as before every upgrade.
    """

    def verify(project: Project, *gates: str, backup: str = LATEST, running: str = "", **environment: str) -> list[str]:
        shown: list[str] = []
        started, clock = datetime.now(UTC), time.monotonic()
        with monkeypatch.context() as patch, forgotten_application():
            target = settings_in(project, environment, patch)
            with release.tree(running) as tree, scratch.session(target) as server, messages.sent_to(shown.append):
                known = history.load()
                case = Case(target, known, history.head(known), backup, server, tree)
                if "source" not in gates:
                    case.backup, case.pristine, case.at = any_backup, target, project.version
                    case.pending = history.pending(known, case.at, case.wanted)
                    gates = ("before", *gates)
                results = run.run(case, lambda _result: None, [gate for gate in run.ALL if gate.ID in gates])
                facts = report_document.environment(target, server.server)
            store.write(target.reports, report_document.make(case, results, facts, started, time.monotonic() - clock))
        return shown

    return verify


@contextmanager
def forgotten_application() -> Iterator[None]:
    """Leave no module of another checkout's application to later tests."""
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.startswith("app.")]:
            del sys.modules[name]


def settings_in(project: Project, environment: dict[str, str], patch: pytest.MonkeyPatch) -> Settings:
    """Let this process, and what it forks, take the project for its checkout; return its settings there."""
    patch.chdir(project.path)
    patch.delenv("DATABASE_URL")
    for name, value in {**project.variables(), **project.environment, **environment}.items():
        patch.setenv(name, value)
    patch.setattr(sys, "dont_write_bytecode", True)
    patch.setattr(app, "__path__", [str(project.path / "app")])
    patch.setattr(env_file, "ENV_FILE", project.path / ".env")
    for name, module in list(sys.modules.items()):
        if name.startswith("app."):
            patch.delitem(sys.modules, name)
        elif name.split(".")[0] == "scripts" and getattr(module, "ROOT", None) == ROOT:
            patch.setattr(module, "ROOT", project.path)
    return settings.load()
