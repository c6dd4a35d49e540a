"""scripts/core/git.py"""

import os
import subprocess
from pathlib import Path

import pytest

from scripts.core import git

VERSIONS = "alembic/versions"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository in the place of this checkout, with nobody's own git configuration."""
    for name, value in {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(git, "ROOT", tmp_path)
    (tmp_path / VERSIONS).mkdir(parents=True)
    do(tmp_path, "init", "--initial-branch=main")
    do(tmp_path, "commit", "--allow-empty", "--message=begin")
    return tmp_path


def do(repository: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    return subprocess.run(
        ["git", "-C", str(repository), *identity, *words], check=True, capture_output=True, text=True
    ).stdout


def write(repository: Path, name: str, revision: str, quote: str = '"', annotation: str = "") -> Path:
    path = repository / VERSIONS / name
    path.write_text(f"revision{annotation} = {quote}{revision}{quote}\ndown_revision = None\n")
    return path


def commit(repository: Path, message: str) -> None:
    do(repository, "add", "--all")
    do(repository, "commit", f"--message={message}")


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("annotation", ["", ": str"])
def test_a_file_on_another_branch_is_found(repository: Path, quote: str, annotation: str) -> None:
    do(repository, "switch", "--create", "feature/orders")
    path = write(repository, "20260101_ab12_orders.py", "ab12", quote, annotation)
    commit(repository, "add orders")
    do(repository, "switch", "main")
    assert not path.exists()

    place = git.find_revision("ab12", [VERSIONS])

    assert place
    assert place.path == "alembic/versions/20260101_ab12_orders.py"
    assert "(add orders), branch feature/orders" in place.where
    do(repository, "checkout", place.commit, "--", place.path)
    assert path.exists()


def test_a_file_that_was_deleted_is_found_where_it_last_was(repository: Path) -> None:
    path = write(repository, "ab12.py", "ab12")
    commit(repository, "add orders")
    path.write_text(path.read_text() + "# reviewed\n")
    commit(repository, "review orders")
    path.unlink()
    commit(repository, "squash")

    place = git.find_revision("ab12", [VERSIONS])

    assert place
    do(repository, "checkout", place.commit, "--", place.path)
    assert path.read_text().startswith('revision = "ab12"')


def test_a_file_that_only_follows_the_revision_is_not_taken_for_it(repository: Path) -> None:
    path = write(repository, "ab12.py", "ab12")
    commit(repository, "add orders")
    (repository / VERSIONS / "cd34.py").write_text('revision = "cd34"\ndown_revision = "ab12"\n')
    path.unlink()
    commit(repository, "put cd34 in its place")

    place = git.find_revision("ab12", [VERSIONS])

    assert place
    assert place.path == "alembic/versions/ab12.py"


def test_a_revision_that_no_commit_has_is_nowhere(repository: Path) -> None:
    write(repository, "ab12.py", "ab12")
    commit(repository, "add orders")

    assert git.find_revision("ab1", [VERSIONS]) is None
    assert git.find_revision(".*", [VERSIONS]) is None


def test_new_changed_and_deleted_revision_files_are_uncommitted(repository: Path) -> None:
    for name in ("same", "changed", "deleted"):
        write(repository, f"{name}.py", name)
    commit(repository, "three")
    write(repository, "changed.py", "changed again")
    (repository / VERSIONS / "deleted.py").unlink()
    write(repository, "new.py", "new")
    write(repository, "notes.txt", "no revision")

    found = git.uncommitted([VERSIONS])

    assert sorted(found) == [f"alembic/versions/{name}.py" for name in ("changed", "deleted", "new")]


def test_outside_a_repository_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "ROOT", tmp_path)

    assert git.find_revision("ab12", [VERSIONS]) is None
    assert git.uncommitted([VERSIONS]) == []


def test_without_git_nothing_is_known(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(repository, "ab12.py", "ab12")
    commit(repository, "add orders")
    monkeypatch.setenv("PATH", "/nonexistent")

    assert git.find_revision("ab12", [VERSIONS]) is None
    assert git.uncommitted([VERSIONS]) == []


def test_names_beyond_ascii_are_told_as_they_are(repository: Path) -> None:
    path = write(repository, "ab12_größe.py", "ab12")

    assert git.uncommitted([VERSIONS]) == ["alembic/versions/ab12_größe.py"]
    commit(repository, "add size")
    path.unlink()
    place = git.find_revision("ab12", [VERSIONS])

    assert place
    assert place.path == "alembic/versions/ab12_größe.py"


def test_a_project_inside_a_larger_repository_gets_paths_of_its_own(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = repository / "backend"
    (inner / VERSIONS).mkdir(parents=True)
    path = write(inner, "ab12.py", "ab12")
    commit(repository, "add orders")
    path.unlink()
    monkeypatch.setattr(git, "ROOT", inner)

    place = git.find_revision("ab12", [VERSIONS])

    assert place
    do(inner, "checkout", place.commit, "--", place.path)
    assert path.exists()


def test_a_release_is_extracted_without_the_links_that_lead_out_of_it(repository: Path) -> None:
    write(repository, "ab12.py", "ab12")
    for name, to in {"inside": VERSIONS, "absolute": "/etc/passwd", "outside": "../../secret"}.items():
        (repository / name).symlink_to(to)
    (repository / "run").write_text("#!/bin/sh")
    (repository / "run").chmod(0o755)
    commit(repository, "add links")
    release = repository / "release"

    assert git.extract("HEAD", release)
    assert git.extract("HEAD", repository / "part", [VERSIONS])
    assert not git.extract("HEAD", repository / "none", ["no such path"])
    assert not git.extract("no-such-branch", repository / "none")

    assert [path.name for path in (repository / "part").iterdir()] == ["alembic"]
    assert not (repository / "none").exists()
    assert os.access(release / "run", os.X_OK)
    assert (release / "inside" / "ab12.py").is_file()
    assert sorted(path.name for path in release.iterdir()) == ["alembic", "inside", "run"]


def test_each_file_has_the_author_of_its_last_change(repository: Path) -> None:
    """All files at once, or one of them. A file that was never committed has none."""
    names = ["one.py", "two.py", 'a "name", ä.py']
    for name in names:
        write(repository, name, name[:3])
    commit(repository, "three")
    write(repository, "one.py", "changed")
    do(repository, "-c", "user.name=Grace", "commit", "--all", "--message=one")
    write(repository, "new.py", "new")

    paths = [f"{VERSIONS}/{name}" for name in [*names, "new.py"]]
    expected = dict(zip(paths, ["Grace", "Ada", "Ada"], strict=False))
    assert git.authors(paths) == expected
    assert [git.authors([path]) for path in paths] == [{path: name} for path, name in expected.items()] + [{}]
    assert git.authors([]) == {}
