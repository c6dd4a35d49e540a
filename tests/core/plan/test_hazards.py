"""Every bad example is found, every good one is left alone, and docs/safe-migrations.md shows both."""

import ast
import re
import shutil
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from alembic.config import Config
from alembic.script import Script
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL

from scripts.core import ROOT, revision_files
from scripts.core.plan import deployed_models, hazards, plan, rehearsal, session_state, table_sizes
from scripts.core.plan.findings import Finding, Mainline
from scripts.core.plan.table_sizes import BLOCK, NOTE, WARN
from scripts.core.revisions import history
from scripts.core.settings import Settings

EXAMPLES = ROOT / "tests" / "hazards"
MODELS = {
    "customers": {"id": False, "name": False, "address": True, "nickname": True, "credit": True},
    "orders": {"id": False, "customer_id": True, "number": False, "total": True, "state": True, "placed": True},
}
"""What the running code expects of the shop, and what its inserts leave out. The field of customers.nothing is gone."""
SOFTER = {"H06/bad_alone", "H07/bad_drop", "H05/bad_sleep"}
"""Bad, and not so bad that they block."""
WARNINGS = {"H11", "H12"}
"""Hazards that never block."""
NOTES = {"H11/bad_again", "H13/bad"}


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def examples(hazard: ModuleType, kind: str) -> list[Path]:
    """Files of the kind bad or good; of a change in steps the first one."""
    paths = sorted((EXAMPLES / hazard.ID).glob(f"{kind}*.py"))
    return [path for path in paths if not re.search(r"_[2-9]$", path.stem)]


@pytest.fixture(scope="session")
def shop(lasting_database: Callable[..., URL]) -> str:
    """A database with the schema that the examples find."""
    url = lasting_database()
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql((EXAMPLES / "shop.sql").read_text())
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        connection.execute(text("INSERT INTO alembic_version VALUES ('shop')"))
    return str(url.database)


Find = Callable[[Path], list[Finding]]


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which Alembic finds the revisions of the test, for code that runs with MODELS."""
    folder = tmp_path / "alembic" / "versions"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "alembic" / "env.py", folder.parent)

    def config() -> Config:
        made = Config(ROOT / "alembic.ini")
        made.set_main_option("script_location", str(folder.parent))
        return made

    monkeypatch.setattr(revision_files, "config", config)
    monkeypatch.setattr(deployed_models, "read", lambda: Mainline(MODELS, sure=True))
    return folder


def lay(example: Path, versions: Path) -> None:
    """Put an example, and what follows on it, after the revision that the shop is at."""
    lay_shop(versions)
    for path in example.parent.glob(re.sub(r"_1$", "_[1-9]", example.stem) + ".py"):
        shutil.copy(path, versions)


def lay_shop(versions: Path) -> None:
    """Leave only the revision that the shop is at."""
    for path in versions.glob("*.py"):
        path.unlink()
    (versions / "shop.py").write_text(
        'revision = "shop"\ndown_revision = None\n\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n'
    )


@pytest.fixture
def find(
    shop: str,
    new_database: Callable[..., URL],
    configured: Settings,
    versions: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Find:
    """Runs an example up and down on a copy of the shop; returns its findings.

    The next example has the same copy, unless this one could not be undone.
    """
    copies: list[Settings] = []

    def rehearse() -> tuple[list[Script], rehearsal.Rehearsal]:
        if not copies:
            copies.append(replace(configured, database_url=new_database(shop), external=True))
        url = copies[0].database_url.set(drivername="postgresql").render_as_string(hide_password=False)
        monkeypatch.setenv("DATABASE_URL", url)
        revisions = history.load()
        pending = history.pending(revisions, ("shop",), "head")
        ids = [script.revision for script in pending]
        return pending, rehearsal.up_and_down(copies[0], ids, history.head(revisions))

    def find(example: Path) -> list[Finding]:
        lay(example, versions)
        pending, tried = rehearse()
        assert not tried.failure, tried.failure
        if len(tried.undone) < len(pending) or any(one.failure or one.differences for one in tried.undone.values()):
            copies.clear()
        unknown = table_sizes.unknown(configured.limits)
        return [one for revision in plan.planned(pending, tried, unknown) for one in revision.findings]

    return find


@pytest.mark.parametrize("hazard", hazards.ALL, ids=lambda hazard: hazard.ID)
def test_what_is_bad_is_found_and_what_is_good_is_left_alone(find: Find, hazard: ModuleType, tmp_path: Path) -> None:
    """What is good is left alone by every hazard, not only by its own."""
    bad = {path: find(path) for path in examples(hazard, "bad")}
    good = {path: find(path) for path in examples(hazard, "good")}

    assert bad
    assert good
    for path, findings in bad.items():
        check_bad(path, [finding for finding in findings if finding.id == hazard.ID])
    assert {name(path): loud for path in good if (loud := [one for one in good[path] if one.severity != NOTE])} == {}
    check_page(hazard, next(one for one in bad[EXAMPLES / hazard.ID / "bad.py"] if one.id == hazard.ID), tmp_path)


@pytest.mark.faults
def test_a_lock_that_is_missed_while_a_statement_runs_changes_no_finding(
    find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a statement that PostgreSQL refuses in a transaction, locks are only seen by chance."""
    paths = [path for hazard in hazards.ALL for kind in ("bad", "good") for path in examples(hazard, kind)]
    concurrent = [path for path in paths if "autocommit_block" in path.read_text()]
    found = []
    for pause in (0.0, 60.0):  # reads them all the time, and never
        monkeypatch.setattr(session_state, "SAMPLE", pause)
        found.append({name(path): find(path) for path in concurrent})

    assert len(concurrent) > 5
    assert found[0] == found[1]


def check_bad(example: Path, found: list[Finding]) -> None:
    loud = WARN if name(example) in SOFTER or example.parent.name in WARNINGS else BLOCK
    expected = NOTE if name(example) in NOTES else loud

    assert expected in {finding.severity for finding in found}, name(example)
    assert all(finding.line > 1 and finding.message.endswith(".") and finding.instead for finding in found)


PAGE = ROOT / "docs" / "safe-migrations.md"


def body(example: Path) -> str:
    """The code of upgrade(), as it stands there."""
    (function,) = (node for node in ast.parse(example.read_text()).body if getattr(node, "name", "") == "upgrade")
    assert isinstance(function, ast.FunctionDef)
    lines = example.read_text().splitlines()[function.body[0].lineno - 1 : function.end_lineno]
    return textwrap.dedent("\n".join(lines))


def advice(finding: Finding) -> str:
    words, *code = finding.instead.splitlines()
    return words + ("\n\n```python\n" + "\n".join(code) + "\n```" if code else "")


def section(hazard: ModuleType, finding: Finding) -> str:
    folder = EXAMPLES / hazard.ID
    title, _, why = (hazard.__doc__ or "").strip().partition("\n\n")
    good = [path for path in sorted(folder.glob("good*.py")) if re.fullmatch(r"good(_\d)?", path.stem)]
    steps = "\n\n# a later revision\n".join(body(path) for path in good)
    return (
        f"## {hazard.ID} {title}\n\n{why}\n\nBad:\n\n```python\n{body(folder / 'bad.py')}\n```\n\n"
        f"> **{finding.severity}** {finding.message}\n\n{advice(finding)}\n\nGood:\n\n```python\n{steps}\n```\n"
    )


def written() -> dict[str, str]:
    """The sections of the page, and what stands before them, by the first word of their titles."""
    parts = re.split(r"\n(?=## H\d)", PAGE.read_text())
    return {part.split()[1]: part for part in parts}


def check_page(hazard: ModuleType, finding: Finding, folder: Path) -> None:
    """A section that differs stands in a file of the whole page, for the author to look at and to copy."""
    found, expected = written(), section(hazard, finding)
    if found.get(hazard.ID) != expected:
        (folder / PAGE.name).write_text("\n".join((found | {hazard.ID: expected}).values()))
    assert found.get(hazard.ID) == expected, f"Do: cp {folder / PAGE.name} {PAGE.relative_to(ROOT)}"


def test_the_page_has_a_section_for_each_hazard() -> None:
    assert list(written()) == ["Safe", *(hazard.ID for hazard in hazards.ALL)]
