"""The main branch: the revisions that it has, and what its models, and so the running code, expect."""

import json
import os
import sys
from functools import cache

from sqlalchemy import MetaData

from scripts.core import application, git, settings, subprocesses, temporary_folders
from scripts.core.errors import UserError
from scripts.core.plan.findings import Mainline
from scripts.core.revisions import models

# It runs in a folder with only that branch's packages, so that it does not import this checkout's models.
_MODELS = """
import functools, importlib, json, sys
found = {}
for reference in sys.argv[1:]:
    module, _, name = reference.partition(":")
    metadata = functools.reduce(getattr, name.split("."), importlib.import_module(module))
    found |= getattr(metadata, "metadata", metadata).tables
print(json.dumps({name: {column.name: bool(
    column.nullable or column is table.autoincrement_column
    or column.server_default is not None and column.default is None
) for column in table.columns} for name, table in found.items()}))
"""


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
        if not git.extract(branch, folder, ["pyproject.toml"]):
            return None
        try:
            declared = application.read(folder)
        except UserError:
            return None
        if not git.extract(branch, folder, declared.packages):
            return None
        environment = subprocesses.programs() | settings.nowhere()
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join(application.search_path(folder))}
        words = [sys.executable, "-c", _MODELS, *declared.metadata]
        return subprocesses.output(words, cwd=folder, env=environment)
