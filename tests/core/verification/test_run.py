"""The gates of a verification, and their order."""

import re

from scripts.core import verification
from scripts.core.verification import run
from tests.conftest import ROOT


def test_every_gate_is_run() -> None:
    files = {path.stem for folder in verification.__path__ for path in ROOT.joinpath(folder).glob("gate_*.py")}

    assert [gate.__name__.rpartition(".")[2] for gate in run.ALL] == [f"gate_{gate.ID}" for gate in run.ALL]
    assert {f"gate_{gate.ID}" for gate in run.ALL} == files


def test_the_page_explains_the_gates_in_their_order() -> None:
    page = (ROOT / "docs" / "verify-staging.md").read_text()
    table = page[page.index("## The gates") : page.index("## Your own checks")]

    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [gate.ID for gate in run.ALL]
