"""Every bad example is found, every good one is left alone"""

import ast
import os
import re
import shutil
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL

from scripts.core import ROOT, revision_files
from scripts.core.plan import deployed_models, hazards, plan, rehearsal, table_sizes
from scripts.core.plan.findings import Finding, Mainline
from scripts.core.plan.table_sizes import BLOCK, NOTE, WARN
from scripts.core.revisions import history
from scripts.core.settings import Settings

EXAMPLES = ROOT / "tests" / "hazards"
BAD = sorted(EXAMPLES.glob("*/bad*.py"))
GOOD = sorted(path for path in EXAMPLES.glob("*/good*.py") if not re.search(r"_[2-9]$", path.stem))
MODELS = {
    "customers": {"id": False, "name": False, "address": True, "nickname": True, "credit": True},
    "orders": {"id": False, "customer_id": True, "number": False, "total": True, "state": False, "placed": True},
}
"""What the running code expects of the shop: the field of customers.nothing is gone."""
SOFTER = {"H06/bad_alone", "H07/bad_drop", "H05/bad_sleep"}
"""Bad, and not so bad that they block."""
WARNINGS = {"H11", "H12", "H13"}
"""Hazards that never block."""


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.fixture(scope="session")
def shop(new_database: Callable[..., URL]) -> str:
    """A database with the schema that the examples find."""
    url = new_database()
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql((EXAMPLES / "shop.sql").read_text())
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        connection.execute(text("INSERT INTO alembic_version VALUES ('shop')"))
    return str(url.database)


Find = Callable[[Path], list[Finding]]


@pytest.fixture
def find(
    shop: str, new_database: Callable[..., URL], configured: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Find:
    """Runs an example, and what follows on it, up and down on a copy of the shop; returns its findings."""
    versions = tmp_path / "alembic" / "versions"
    versions.mkdir(parents=True)
    shutil.copy(ROOT / "alembic" / "env.py", versions.parent)
    shop_file = (
        'revision = "shop"\ndown_revision = None\n\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n'
    )
    (versions / "shop.py").write_text(shop_file)

    def config() -> Config:
        made = Config(ROOT / "alembic.ini")
        made.set_main_option("script_location", str(versions.parent))
        return made

    monkeypatch.setattr(revision_files, "config", config)
    monkeypatch.setattr(deployed_models, "read", lambda: Mainline(MODELS, sure=True))

    def find(example: Path) -> list[Finding]:
        for path in example.parent.glob(re.sub(r"_1$", "_[1-9]", example.stem) + ".py"):
            shutil.copy(path, versions)
        copy = replace(configured, database_url=new_database(shop), external=True)
        url = copy.database_url.set(drivername="postgresql").render_as_string(hide_password=False)
        monkeypatch.setenv("DATABASE_URL", url)
        revisions = history.load()
        pending = history.pending(revisions, ("shop",), "head")
        ids = [script.revision for script in pending]
        tried = rehearsal.up_and_down(copy, ids, history.head(revisions), tell=lambda _line: None)
        assert not tried.failure, tried.failure
        return [one for script in pending for one in plan.planned(script, tried, table_sizes.unknown()).findings]

    return find


@pytest.mark.parametrize("example", BAD, ids=name)
def test_what_is_bad_is_found(find: Find, example: Path) -> None:
    found = [finding for finding in find(example) if finding.id == example.parent.name]

    assert found
    expected = WARN if name(example) in SOFTER or example.parent.name in WARNINGS else BLOCK
    assert expected in {finding.severity for finding in found}
    assert all(finding.line > 1 and finding.message.endswith(".") and finding.instead for finding in found)


@pytest.mark.parametrize("example", GOOD, ids=name)
def test_what_is_good_is_left_alone(find: Find, example: Path) -> None:
    """By every hazard, not only by its own."""
    assert [finding for finding in find(example) if finding.severity != NOTE] == []


@pytest.mark.parametrize("hazard", hazards.ALL, ids=lambda hazard: hazard.ID)
def test_every_hazard_has_examples_of_both_kinds(hazard: ModuleType) -> None:
    folder = EXAMPLES / hazard.ID

    assert list(folder.glob("bad*.py"))
    assert list(folder.glob("good*.py"))


PAGE = ROOT / "docs" / "hazards.md"
INTRODUCTION = """# Hazards

What `make plan`, `make migrate` and `make lint` warn of. Each is found by running the revision on a throwaway database
and reading what PostgreSQL did, so raw SQL, loops and helpers are seen as well. `block` stops `make lint` and, outside
development, `make migrate`; `warn` and `note` are told. A plan weighs each by the size of the target's table
(`LARGE_TABLE_ROWS`, `LARGE_TABLE_MB`); lint takes every table for a large one.

A comment in a revision's file silences a hazard there, with a reason that is shown: `# safe: H05 empty until launch`.
`ACCEPT=H05` lets one migration through.

This page is written by tests/core/test_hazards.py from scripts/core/hazards/ and tests/hazards/.
"""


def body(example: Path) -> str:
    """The code of upgrade(), as it stands there."""
    (function,) = (node for node in ast.parse(example.read_text()).body if getattr(node, "name", "") == "upgrade")
    assert isinstance(function, ast.FunctionDef)
    lines = example.read_text().splitlines()[function.body[0].lineno - 1 : function.end_lineno]
    return textwrap.dedent("\n".join(lines))


def advice(finding: Finding) -> str:
    words, *code = finding.instead.splitlines()
    return words + ("\n\n```python\n" + "\n".join(code) + "\n```" if code else "")


def section(hazard: ModuleType, find: Find) -> str:
    folder = EXAMPLES / hazard.ID
    title, _, why = (hazard.__doc__ or "").strip().partition("\n\n")
    finding = next(one for one in find(folder / "bad.py") if one.id == hazard.ID)
    good = [path for path in sorted(folder.glob("good*.py")) if re.fullmatch(r"good(_\d)?", path.stem)]
    steps = "\n\n# a later revision\n".join(body(path) for path in good)
    return (
        f"\n## {hazard.ID} {title}\n\n{why}\n\nBad:\n\n```python\n{body(folder / 'bad.py')}\n```\n\n"
        f"> **{finding.severity}** {finding.message}\n\n{advice(finding)}\n\nGood:\n\n```python\n{steps}\n```\n"
    )


def test_the_page_is_what_the_hazards_and_their_examples_say(find: Find, tmp_path: Path) -> None:
    sections = []
    for hazard in hazards.ALL:
        sections.append(section(hazard, find))
        for example in (tmp_path / "alembic" / "versions").glob("bad*.py"):
            example.unlink()
    page = INTRODUCTION + "".join(sections)

    written = PAGE.read_text() if PAGE.exists() else ""
    if written != page and os.access(PAGE.parent, os.W_OK):
        PAGE.write_text(page)
    assert written == page, "docs/hazards.md is written anew: look at the difference and commit it"
