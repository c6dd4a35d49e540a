"""The projects in tests/applications/, moved into a Compose stack with make adopt, and used."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.containers.stack import ROOT, SOMEBODY, Stack
from tests.core.running import wait_until

pytestmark = pytest.mark.timeout(1200)

ASK = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8000/').read().decode())"


def moved_in(stack: Stack, name: str, folder: Path) -> str:
    """Adopt a copy of an application. Return what the command printed."""
    project = shutil.copytree(ROOT / "tests" / "applications" / name, folder / name)
    if name == "notes":
        (project / ".env.example").rename(project / ".env")
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    before = sorted(str(path) for path in project.rglob("*"))
    result = stack.make("adopt", PROJECT=str(project), CONFIRM=name)
    assert result.code == 0, result.output
    assert sorted(str(path) for path in project.rglob("*")) == before
    return result.output


@pytest.mark.parametrize("name", ["notes", "heroes", "events"])
def test_an_application_moves_in_and_works(fresh: Stack, name: str, tmp_path: Path) -> None:
    printed = moved_in(fresh, name, tmp_path)

    assert "✓ 2 revisions ran from empty" in printed
    assert not (fresh.folder / ".adopt").exists()
    assert not (fresh.folder / ".env.adopted").exists()
    if os.geteuid() == 0:
        assert (fresh.folder / "pyproject.toml").stat().st_uid == SOMEBODY
    for words in (["up"], ["adopt"], ["rollback"], ["migrate"], ["verify-staging"]):
        result = fresh.make(*words, CONFIRM="app")
        assert result.code == 0, f"{words}: {result.output}"
    wait_until(lambda: fresh.execute("app", "python", "-c", ASK).code == 0)
    answer = json.loads(fresh.execute("app", "python", "-c", ASK).output)
    assert answer["rows"] >= 2
    assert name != "notes" or answer["greeting"] == "hello, notes"


def test_a_project_that_is_refused_leaves_the_checkout_as_it_was(fresh: Stack, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()

    missing = fresh.make("adopt", PROJECT="../nothing")
    inside = fresh.make("adopt", PROJECT="app")
    empty = fresh.make("adopt", PROJECT=str(tmp_path / "shop"))

    assert (missing.code, inside.code, empty.code) == (2, 2, 2)
    assert "PROJECT=../nothing does not exist." in missing.output
    assert "is inside this checkout." in inside.output
    assert "There is no Alembic configuration in /project/shop." in empty.output
    assert (fresh.folder / "app" / "models" / "user.py").exists()
