"""Migrations that a verification stops, and some that it lets through: <gate>/{bad,good}*.py

The gate is the one that stops a bad one; the lines of its docstring after the first are what the gate says then.
"""

import ast
import re
import shutil
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BAD = sorted(HERE.glob("*/bad*.py"))
GOOD = sorted(HERE.glob("*/good*.py"))
CHAINS = [[path for path in GOOD if ("UPDATE" in path.read_text()) == writes] for writes in (False, True)]
"""The good ones as two histories. Where no rows are written, all rows have to stay what they are."""
SECRET = "secret"
"""In all texts of all rows."""


def name(example: Path) -> str:
    return f"{example.parent.name}/{example.stem}"


def said(example: Path) -> list[str]:
    return (ast.get_docstring(ast.parse(example.read_text())) or "").splitlines()[2:]


def stopped_by(report: dict[str, Any]) -> dict[str, Any]:
    """The first gate that failed."""
    found: dict[str, Any] = next(gate for gate in report["gates"] if gate["status"] == "failed")
    assert report["reason"] == f"{found['name']}: {found['summary']}"
    return found


def settings(example: Path) -> dict[str, str]:
    return {
        "LARGE_TABLE_ROWS": "1000",
        "MAX_BLOCK_MS": "2000",
        "MAX_SECONDS": "1" if example.stem == "bad_endless" else "60",
    }


def lay(folder: Path, *chain: Path) -> None:
    """Put the shop into a checkout, in the place of its application, and examples after its first revision."""
    for part in ("alembic/versions", "app/models", "tests/staging"):
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir(parents=True)
    shutil.copy(HERE / "models.py", folder / "app" / "models" / "__init__.py")
    shutil.copy(HERE / "negative_points.sql", folder / "tests" / "staging")
    versions, before = folder / "alembic" / "versions", "start"
    if not any("down_revision = None" in example.read_text() for example in chain):
        shutil.copy(HERE / "start.py", versions)
    for example in chain:
        revision = name(example).replace("/", "_")
        text = re.sub(r'^revision = ".+"', f'revision = "{revision}"', example.read_text(), flags=re.MULTILINE)
        text = text.replace('down_revision = "start"', f'down_revision = "{before}"')
        (versions / f"{revision}.py").write_text(text)
        before = revision
