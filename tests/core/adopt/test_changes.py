"""All changes of a checkout, or none."""

from pathlib import Path

import pytest

from scripts.core.adopt import changes, example
from scripts.core.errors import UserError
from tests.conftest import ROOT


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(changes, "ROOT", tmp_path)
    monkeypatch.setattr(changes, "FOLDER", tmp_path / ".adopt")
    monkeypatch.setattr(changes, "JOURNAL", tmp_path / ".adopt" / "journal.json")
    for name in ("app/__init__.py", "app/sub/old.py", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"old {name}")
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else "" for path in sorted(folder.rglob("*"))
    }


def prepared(work: Path) -> changes.CheckoutChanges:
    for name in ("shop/__init__.py", "shop/models.py", "app/__init__.py", "pyproject.toml"):
        (work / "prepared" / name).parent.mkdir(parents=True, exist_ok=True)
        (work / "prepared" / name).write_text(f"new {name}")
    return changes.between(work / "prepared", ["app/__init__.py", "app/sub/old.py"])


def test_files_are_replaced_added_and_removed(checkout: Path) -> None:
    with changes.working() as work:
        changes.apply(prepared(work))

    assert contents(checkout) == {
        "app": "",
        "app/__init__.py": "new app/__init__.py",
        "pyproject.toml": "new pyproject.toml",
        "shop": "",
        "shop/__init__.py": "new shop/__init__.py",
        "shop/models.py": "new shop/models.py",
    }


@pytest.mark.parametrize("step", range(7))
def test_what_fails_at_any_step_leaves_all_as_it_was(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    before, copy, calls = contents(checkout), changes._copy, list[Path]()

    def failing(source: Path, to: Path) -> None:
        calls.append(to)
        if len(calls) == step + 1:  # three are saved, and four are written
            to.parent.mkdir(parents=True, exist_ok=True)
            to.with_name(f"{to.name}.new").write_text("half")
            raise KeyboardInterrupt
        copy(source, to)

    with changes.working() as work:
        change = prepared(work)
        monkeypatch.setattr(changes, "_copy", failing)
        with pytest.raises(KeyboardInterrupt):
            changes.apply(change)

    assert contents(checkout) == before


def test_the_next_run_undoes_what_a_killed_one_has_begun(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(checkout)
    with changes.working() as work:
        change = prepared(work)
        with monkeypatch.context() as patched:
            patched.setattr(changes, "undo", lambda: None)  # as after SIGKILL
            patched.setattr(changes, "_prune", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                changes.apply(change)
    (checkout / "shop" / "models.py.new").write_text("half")
    assert (checkout / ".adopt" / "journal.json").exists()
    assert contents(checkout) != before

    with changes.working():
        left = contents(checkout)

    assert {name: text for name, text in left.items() if not name.startswith(".adopt")} == before
    assert not (checkout / ".adopt").exists()


def test_two_runs_never_work_at_once(checkout: Path) -> None:
    with changes.working(), pytest.raises(UserError, match="Another make adopt"), changes.working():
        pass


def test_the_list_of_the_examples_files_is_right() -> None:
    """To write it again: python -c 'from scripts.core.adopt import example as e; e.LIST.write_text(e.listing())'"""
    assert example.LIST.read_text() == example.listing(ROOT)
