"""The application's models, as the migrations see them."""

import importlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from traceback import extract_tb
from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.mapper import _all_registries

from scripts.core import ROOT
from scripts.core.errors import UserError
from scripts.core.postgres import own_tables
from scripts.core.revisions import migration_log
from scripts.core.user_code import contained

TABLE = re.compile(r"^\s+__tablename__\s*=|^\w+\s*=\s*(?:sa\.)?Table\(", re.MULTILINE)


def metadata() -> MetaData:
    """Return the metadata of all models that `app.models` imports.

    Raise UserError if a file cannot be imported, or if a foreign key leads nowhere.
    """
    found = imported()
    for key in (key for table in found.tables.values() for key in table.foreign_keys):
        try:
            key.column  # noqa: B018 - it looks for the column
        except SQLAlchemyError as error:
            raise UserError(
                f"{_place_of(key.parent)}: {error}", do=f"correct ForeignKey({key.target_fullname!r}) there"
            ) from error
    return found


def imported() -> MetaData:
    """Return the metadata of all models as they are. Raise UserError if a file cannot be imported."""
    try:
        with contained():
            importlib.import_module("app.models")
    except Exception as error:
        raise UserError(
            f"{place(error)} cannot be imported: {type(error).__name__}: {error}", do="correct that file"
        ) from error
    found = _base().metadata
    assert isinstance(found, MetaData)
    return found


def compared(metadata: MetaData) -> dict[str, Any]:
    """Return Alembic's options for a comparison with the database, in all schemas that the models name."""
    schemas = {None, *(table.schema for table in metadata.tables.values())}

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        if kind == "table" and name == own_tables.SOURCE:
            return name in metadata.tables  # the user's own table of that name
        return name in schemas if kind == "schema" else migration_log.include_name(name, kind, parents)

    def render_item(kind: str, item: Any, autogenerate: Any) -> bool:
        """Import the module of a type that is not SQLAlchemy's. Alembic writes its name with the module."""
        if kind == "type" and not type(item).__module__.startswith(("sqlalchemy.", "alembic.")):
            autogenerate.imports.add(f"import {type(item).__module__}")
        return False

    names = {"include_schemas": True, "include_name": include_name}
    return {"target_metadata": metadata, "render_item": render_item, **names}


def elsewhere() -> list[Table]:
    """Return the tables of the imported application that belong to another metadata."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "app"]
    values = [value for module in modules for value in vars(module).values()]
    found = [value if isinstance(value, Table) else getattr(value, "__table__", None) for value in values]
    tables = {one for one in found if isinstance(one, Table) and one.metadata is not _base().metadata}
    return sorted(tables, key=str)


def mappers() -> Iterable[Mapper[Any]]:
    """Return the mappers of the models, which are imported. A Base such as SQLModel has no attribute `registry`."""
    return [mapper for registry in _all_registries() for mapper in registry.mappers]


def not_imported() -> list[str]:
    """Return the files under app/ that define a table and that `app.models` does not import."""
    imported()
    missing = []
    for path in sorted((ROOT / "app").rglob("*.py")):
        relative = path.relative_to(ROOT)
        name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
        if name not in sys.modules and TABLE.search(path.read_text()):
            missing.append(str(relative))
    return missing


def require_complete() -> None:
    """Raise UserError if a model is missing from the metadata. Autogenerate would drop its table."""
    missing = not_imported()
    if missing or not metadata().tables:
        raise UserError(
            "The metadata has no tables." if not metadata().tables else "Some models are not in the metadata.",
            why="Not imported by app/models/__init__.py: " + (", ".join(missing) or "any file that defines a table"),
            do="import them in app/models/__init__.py; otherwise autogenerate drops their tables",
        )


def _base() -> Any:
    return importlib.import_module("app.database").Base


def _place_of(column: Column[Any]) -> str:
    """Return the file that defines the table of a column, if it is found, and the name of the column."""
    return ", ".join(filter(None, (place_of(column.table.name), f"column {column}")))


def place_of(table: str) -> str:
    """Return the file that defines a table, or nothing."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        text = path.read_text(errors="replace")
        if TABLE.search(text) and re.search(rf"[\"']{re.escape(table)}[\"']", text):
            return str(path.relative_to(ROOT))
    return ""


def place(error: Exception) -> str:
    """Return the file and line of the application that an error comes from."""
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or '').relative_to(ROOT)}, line {error.lineno}"
    app = ROOT / "app"
    inside = [frame for frame in extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(app)]
    return f"{Path(inside[-1].filename).relative_to(ROOT)}, line {inside[-1].lineno}" if inside else "app.models"
