"""A rehearsal opens the same few sessions whatever it reads"""

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.core.plan import rehearsal
from scripts.core.postgres import driver
from scripts.core.settings import Settings
from tests.conftest import Project, copy_project

Count = Callable[[int], int]


@pytest.fixture
def sessions(target: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Count:
    """Counts the sessions that trying so many revisions up and down opens."""
    project = Project(copy_project(tmp_path), target.database_url)
    monkeypatch.setattr("scripts.core.revision_files.ROOT", project.path)
    url = target.database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)

    def count(revisions: int) -> int:
        for path in project.versions.glob("*.py"):
            path.unlink()
        ids = [f"abcd0{number}" for number in range(revisions)]
        for number, one in enumerate(ids):
            down = ids[number - 1] if number else None
            create, drop = (f"op.execute('{word} TABLE t{number}{rest}')" for word, rest in CREATE_AND_DROP)
            project.write_revision(one, down, create, drop)
        opened: list[None] = []
        with driver.noticing(lambda: opened.append(None)):
            tried = rehearsal.up_and_down(target, ids, ids[-1])
        assert tried.failure is None
        assert [one.differences for one in tried.undone.values()] == [[]] * revisions
        return len(opened)

    return count


CREATE_AND_DROP = (("CREATE", " ()"), ("DROP", ""))


def test_the_number_of_sessions_does_not_grow_with_that_of_the_revisions(sessions: Count) -> None:
    assert sessions(1) == sessions(3)
