"""The main branch: the revisions that it has, and what its models, and so the running code, expect."""

import json
import sys
import tarfile
from functools import cache

from sqlalchemy import MetaData

from scripts.core import ROOT, git, subprocesses, temporary_folders
from scripts.core.errors import UserError
from scripts.core.plan.findings import Mainline
from scripts.core.revisions import models

# It runs in a folder with only that branch's app/, so that it does not import this checkout's models.
_MODELS = (
    "import json, app.models; from app.database import Base; tables = Base.metadata.tables; "
    "print(json.dumps({name: {column.name: "
    "bool(column.nullable or column is table.autoincrement_column"
    " or column.server_default is not None and column.default is None) for column in table.columns}"
    " for name, table in tables.items()}))"
)


@cache
def read() -> Mainline:
    """Return what the running code expects: the models of the main branch, or of this checkout if it has none."""
    branch = git.main_branch()
    printed = _printed_models(branch) if branch else None
    if printed:
        return Mainline(json.loads(printed), sure=True)
    try:
        return Mainline(_tables(models.imported()), sure=False)
    except UserError:
        return Mainline({}, sure=False)


def _tables(metadata: MetaData) -> dict[str, dict[str, bool]]:
    return {
        name: {
            column.name: bool(
                column.nullable
                or column is table.autoincrement_column
                or (column.server_default is not None and column.default is None)
            )
            for column in table.columns
        }
        for name, table in metadata.tables.items()
    }


def _printed_models(branch: str) -> str | None:
    with temporary_folders.folder() as folder:
        archive = folder / "app.tar"
        if subprocesses.output(["git", "-C", str(ROOT), "archive", f"--output={archive}", branch, "app"]) is None:
            return None
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
        environment = subprocesses.programs() | {"PYTHONDONTWRITEBYTECODE": "1"}
        return subprocesses.output([sys.executable, "-c", _MODELS], cwd=folder, env=environment)
