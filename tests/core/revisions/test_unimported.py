"""The models are imported again, in a process whose revisions have imported the application."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.core import application
from scripts.core.application import Declaration
from scripts.core.errors import UserError
from scripts.core.revisions import models, unimported

BASE = "from sqlalchemy import MetaData\n\nmetadata = MetaData()\n"
MODELS = "from sqlalchemy import Table\n\nfrom {0}.base import metadata\n\nTable('items', metadata)\n"
Make = Callable[[str, str], str]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a function that makes a package, and a module `<name>_models` with more text that names the metadata."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(models, "ROOT", tmp_path)
    monkeypatch.setattr(application, "holds", lambda path: path.startswith(str(tmp_path)))

    def package(name: str, more: str = "") -> str:
        for file, text in {"__init__": "", "base": BASE, "models": MODELS.format(name) + more}.items():
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"{file}.py").write_text(text)
        text = f"from {name} import models\n\nimport {name}.base\n\nmetadata = models.metadata\n"
        (tmp_path / f"{name}_models.py").write_text(text)
        monkeypatch.setattr(application, "read", lambda *_: Declaration(metadata=(f"{name}_models:metadata",)))
        return name

    return package


def test_a_module_is_new_although_its_package_still_has_the_old_one(make: Make) -> None:
    name = make("depot", "")
    __import__(f"{name}.models")
    old = sys.modules[f"{name}.base"]

    unimported.import_models()

    assert models.imported() is sys.modules[f"{name}.base"].metadata
    assert sys.modules[f"{name}.base"] is not old


def test_models_that_connect_when_they_are_imported_are_told_so(make: Make) -> None:
    make("shed", "\nimport socket\n\nsocket.create_connection(('127.0.0.1', 1))\n")

    with pytest.raises(UserError, match=r"shed/models\.py, line 9 cannot be imported: ConnectionRefused") as caught:
        models.imported()

    assert ("Do", "connect in a function: the models are imported without a database") in caught.value.facts


def test_what_refuses_to_be_imported_twice_stays(make: Make) -> None:
    name = make("barn", "\nimport sys\n\nassert not hasattr(sys, 'barn')\nsys.barn = True\n")
    __import__(f"{name}.models")
    old = sys.modules[f"{name}.models"]

    unimported.import_models()

    assert models.imported() is old.metadata
    assert sys.modules[name].models is old
