"""scripts/core/revision_modules.py"""

from collections import Counter
from pathlib import Path

from alembic.script import ScriptDirectory

from scripts.core import revision_modules
from tests.conftest import Project
from tests.core.running import call


def test_a_file_is_executed_once_and_again_where_it_runs(project: Project, revisions: list[str]) -> None:
    """Alembic executes all files for each of its commands; 1,000 revisions take a quarter of a second each time."""
    executed = project.path.parent / "executed"
    ran = f"with open({str(executed)!r}, 'a') as file:\n    print(revision, file=file)\n"
    new = project.write_revision("abcd01", revisions[-1], "assert url == os.environ['DATABASE_URL']")
    new.write_text(f"import os\nurl = os.environ['DATABASE_URL']\n{new.read_text()}")
    for path in project.versions.glob("*.py"):
        path.write_text(path.read_text() + ran)

    result = call(project, "plan")

    assert result.returncode == 0, result.stdout + result.stderr
    assert Counter(executed.read_text().split()) == {**dict.fromkeys(revisions, 1), "abcd01": 3}, "read, up and down"


def test_a_changed_file_is_executed_again(tmp_path: Path) -> None:
    revision_modules.reuse()
    (tmp_path / "versions").mkdir()
    found = []
    for doc in ("one", "three"):
        code = f'"""{doc}"""\nrevision = "aa11"\ndown_revision = None\n'
        (tmp_path / "versions" / "aa11.py").write_text(code)
        found.append(next(ScriptDirectory(str(tmp_path)).walk_revisions()).doc)

    assert found == ["one", "three"]
