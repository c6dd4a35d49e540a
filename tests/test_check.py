"""make check and revision files. Its other programs are left out here: mypy, shellcheck, hadolint, actionlint"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import Project, copy_project

ADOPTED = """\'\'\'Made elsewhere

Revision ID: fedc98
\'\'\'
from alembic import op
import sqlalchemy as sa, os
from sqlalchemy import *
revision='fedc98'
down_revision = 'a4b8f234fc7c'
def upgrade() :
  unused = 1 ; print ("going up"); op.execute( "%s" % 'SELECT 1' )
def downgrade(): pass
"""


@pytest.fixture
def check(tmp_path: Path) -> Callable[[str], tuple[int, str]]:
    """Runs it with this file among the revisions."""
    project, programs = Project(copy_project(tmp_path), URL.create("postgresql")), tmp_path / "programs"
    programs.mkdir()
    for name in ("mypy", "shellcheck", "hadolint", "actionlint"):
        (programs / name).symlink_to("/bin/true")
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    folder = project.versions / "elsewhere"
    folder.mkdir()

    def run(text: str) -> tuple[int, str]:
        (folder / "adopted.py").write_text(text)
        result = project.call("sh", "scripts/check.sh", PATH=path)
        return result.returncode, result.stdout + result.stderr

    return run


def test_the_style_of_an_adopted_revision_is_no_fault_and_what_cannot_run_is_one(
    check: Callable[[str], tuple[int, str]],
) -> None:
    assert check(ADOPTED) == (0, "")

    place = "alembic/versions/elsewhere/adopted.py"
    for text, fault in {
        "def upgrade():\n    opp.drop_table('t')\n": f"{place}:2:5: F821 Undefined name `opp`",
        "def upgrade(:\n": f"{place}:1:13: invalid-syntax",
    }.items():
        code, said = check(text)
        assert (code, fault in said) == (1, True), said
