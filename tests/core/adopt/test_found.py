"""Which folder is the project, and where Python finds its packages."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.core.adopt import found, variables
from scripts.core.adopt.found import ExistingProject
from scripts.core.adopt.recorded import Question
from scripts.core.errors import USAGE, UserError
from tests.conftest import ROOT

INI = "[alembic]\nscript_location = %(here)s/migrations\n"
Wheel = Callable[..., Path]


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    """Return the folder of an unpacked wheel, whose package has alembic.ini in it."""

    def unpacked(ini: str = INI) -> Path:
        for name in ("store/__init__.py", "store/logging/__init__.py", "store/migrations/env.py", "store/models.py"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "store-1.dist-info").mkdir()
        (tmp_path / "store/alembic.ini").write_text(ini)
        return tmp_path

    return unpacked


def search_path(project: ExistingProject) -> list[str]:
    question = Question(Path(), project, project.folder, project.folder, {}, "")
    return [str(Path(one).relative_to(project.folder)) for one in question.asked()["paths"]]


@pytest.mark.parametrize("given", ["", "store", "store/", "store/alembic.ini", "store/migrations"])
def test_the_project_of_a_package_is_the_folder_around_it(wheel: Wheel, given: str) -> None:
    folder = wheel()
    if given == "store/migrations":
        (folder / "store/alembic.ini").rename(folder / "store/migrations/alembic.ini")

    project = found.find(f"{folder}/{given}")

    assert project.folder == folder
    assert project.ini
    assert project.ini.name == "alembic.ini"


def test_a_package_is_not_searched_for_modules_unless_the_project_says_so(wheel: Wheel) -> None:
    """Its module `logging` would hide that of the standard library."""
    folder = wheel()
    assert search_path(found.find(str(folder))) == ["."]

    (folder / "store/alembic.ini").write_text(f"{INI}prepend_sys_path = . %(here)s/migrations\n")
    assert search_path(found.find(str(folder))) == ["store", "store/migrations", "."]


def test_installed_packages_are_no_project(wheel: Wheel) -> None:
    folder = wheel()
    (folder / "other-2.dist-info").mkdir()

    with pytest.raises(UserError, match="has 2 installed packages") as caught:
        found.find(str(folder / "store"))
    assert caught.value.code == USAGE


def test_a_file_that_is_no_configuration_is_refused(wheel: Wheel) -> None:
    folder = wheel()
    with pytest.raises(UserError, match=r"models\.py is no configuration of Alembic") as caught:
        found.find(str(folder / "store/models.py"))
    assert caught.value.code == USAGE
    with pytest.raises(UserError, match="is this checkout"):
        found.find(f"{ROOT}/")

    (folder / "pyproject.toml").write_text(
        '[tool.alembic]\nscript_location = "store/migrations"\nprepend_sys_path = ["store", "."]\n'
    )
    (folder / "store/alembic.ini").unlink()
    project = found.find(str(folder / "pyproject.toml"))
    assert (project.folder, project.ini) == (folder, None)
    assert search_path(project) == ["store", "."]


def test_flask_migrate_is_known_by_its_files(wheel: Wheel) -> None:
    folder = wheel("[alembic]\n")
    (folder / "store/alembic.ini").rename(folder / "store/migrations/alembic.ini")
    assert not found.find(str(folder)).is_of_flask

    (folder / "store/migrations/env.py").write_text("from flask import current_app\n")
    (folder / ".flaskenv").write_text("FLASK_APP=store:app\n")
    project = found.find(str(folder))
    assert project.is_of_flask
    assert variables.read(project) == ("", {"FLASK_APP": "store:app"})
