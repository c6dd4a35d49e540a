"""What a verification is given, a pending revision, and what it has left: its report, and throwaway databases"""

import json
from typing import Any

from tests.conftest import Project

ADD = "ALTER TABLE users ADD COLUMN note text"
DROP = "ALTER TABLE users DROP COLUMN note"


def execute(*statements: str) -> str:
    return "; ".join(f"op.execute({statement!r})" for statement in statements)


def pend(project: Project, upgrade: str, downgrade: str = "pass") -> None:
    """One revision is pending, which the models know nothing of."""
    project.write_revision("abcd01", project.version[0], upgrade, downgrade)
    project.environment["ACCEPT"] = "drift"


def document(project: Project) -> dict[str, Any]:
    """The newest report."""
    found: dict[str, Any] = json.loads(max((project.path / "reports").glob("*/report.json")).read_text())
    return found


def gate(project: Project, id_: str) -> dict[str, Any]:
    return next(found for found in document(project)["gates"] if found["id"] == id_)


def everything_written(project: Project) -> str:
    return "".join(path.read_text() for path in (project.path / "reports").glob("*/*"))


def left_behind(project: Project) -> list[tuple[object, ...]]:
    """Databases on the project's server, taken for the scratch server, whose maker is gone: others run beside us."""
    held = "SELECT objid FROM pg_locks WHERE locktype = 'advisory'"
    databases = "SELECT datname FROM pg_database WHERE datname LIKE 'scratch\\_%'"
    return project.sql(f"{databases} AND split_part(datname, '_', 2)::bigint NOT IN ({held})")
