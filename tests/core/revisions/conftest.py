"""A folder of revision files, which this process takes for the checkout's."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.config import Config

from scripts.core import ROOT, revision_files
from tests.core.revisions.applying import new_process

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the alembic folder, which this process takes for the checkout's."""
    shutil.copytree(ROOT / "alembic", tmp_path / "alembic", ignore=shutil.ignore_patterns("__pycache__"))

    def config() -> Config:
        found = Config(ROOT / "alembic.ini")
        found.set_main_option("script_location", str(tmp_path / "alembic"))
        return found

    monkeypatch.setattr(revision_files, "config", config)
    new_process()
    return tmp_path / "alembic" / "versions"


@pytest.fixture
def write(folder: Path) -> Write:
    """Writes a revision file whose upgrade is one line of code."""

    def revision(name: str, down: str, upgrade: str = "pass") -> Path:
        new_process()
        path = folder / f"{name}.py"
        path.write_text(
            f'"""{name} message"""\nfrom alembic import op\nrevision = "{name}"\ndown_revision = "{down}"\n'
            f"def upgrade():\n    {upgrade}\ndef downgrade():\n    pass\n"
        )
        return path

    return revision
