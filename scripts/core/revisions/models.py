"""The application's models, as the migrations see them."""

import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from pathlib import Path
from traceback import extract_tb
from types import FrameType
from typing import Any

from sqlalchemy import Column, MetaData, Table, event
from sqlalchemy.exc import SQLAlchemyError

from scripts.core import ROOT, application, missing_packages, settings
from scripts.core.errors import UserError
from scripts.core.postgres import own_tables
from scripts.core.revisions import autogenerate, migration_log
from scripts.core.user_code import ExitError, contained

Filter = Callable[..., bool]

DECLARE = "correct metadata in [tool.app] of pyproject.toml"
NO_MODELS = "without models: metadata = []"
NONE = "metadata in [tool.app] of pyproject.toml names no models"


@dataclass(frozen=True)
class _Origin:
    place: str
    """The file and line."""
    file: str
    """Of the module that was being imported."""
    names: dict[str, Any]
    """The module's global names."""

    @property
    def is_imported(self) -> bool:
        """Return whether this module is still the imported one of its name."""
        module = sys.modules.get(str(self.names.get("__name__")))
        return module is not None and vars(module) is self.names


_made: dict[Table, _Origin] = {}
"""Where each table of the application was made."""


def metadata() -> MetaData:
    """Return the metadata of all models, as [tool.app] names it.

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
    found = _declared()
    return (found[0] if len(found) == 1 else _joined(found)) if found else MetaData()


def _declared() -> tuple[MetaData, ...]:
    try:
        with contained(defaults=settings.nowhere()):
            return tuple(map(_metadata, application.read().metadata))
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{place(error)} cannot be imported: {cause(error)}",
            do=missing_packages.cure(error),
        ) from error


def _metadata(reference: str) -> MetaData:
    module, _, name = reference.partition(":")
    try:
        found: Any = reduce(getattr, name.split("."), importlib.import_module(module))
    except ModuleNotFoundError as error:
        inside = any(application.holds(frame.filename) for frame in extract_tb(error.__traceback__))
        if inside or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise UserError(f"There is no module {error.name}, so no models.", do=f"{DECLARE}; {NO_MODELS}") from error
    except AttributeError as error:
        if application.holds(extract_tb(error.__traceback__)[-1].filename):
            raise
        raise UserError(f"There is no {reference}: {error}.", do=DECLARE) from error
    found = getattr(found, "metadata", found)
    if not isinstance(found, MetaData):
        raise UserError(f"{reference} is no MetaData of SQLAlchemy, and has none.", do=DECLARE)
    return found


@cache
def _joined(several: Sequence[MetaData]) -> MetaData:
    """Return one metadata with the tables of several. Raise UserError if two of them have a table of one name."""
    joined = MetaData()
    for table in (table for metadata in several for table in metadata.tables.values()):
        if table.key in joined.tables:
            raise UserError(f"Two metadatas have a table {table.key}.", why=place_of(table), do=DECLARE)
        joined.naming_convention = table.metadata.naming_convention  # which names its copied constraints
        copy = table.to_metadata(joined)
        if table in _made:
            _made[copy] = _made[table]
    joined.naming_convention = several[0].naming_convention
    return joined


def modules() -> list[Any]:
    """Return the modules that import the models, of those that are imported."""
    return [sys.modules[name] for name in application.read().model_modules if name in sys.modules]


def module_files() -> str:
    """Return the files of the modules that import the models, for people. They may not be imported yet."""
    return ", ".join(map(_file, application.read().model_modules))


def _file(module: str) -> str:
    path = module.replace(".", "/")
    candidates = (
        Path(folder, end) for folder in application.search_path() for end in (f"{path}/__init__.py", f"{path}.py")
    )
    return next((str(found.relative_to(ROOT)) for found in candidates if found.is_file()), module)


def compared(metadata: MetaData, more: Iterable[str] = ()) -> dict[str, Any]:
    """Return Alembic's options for a comparison with the database, in all schemas that the models name, and `more`."""
    schemas = {None, *more, *(table.schema for table in metadata.tables.values())}
    own_name, own_object = filters()

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        if kind == "table" and name == own_tables.SOURCE:
            return name in metadata.tables and own_name(name, kind, parents)  # the user's own table of that name
        is_ours = name in schemas if kind == "schema" else migration_log.include_name(name, kind, parents)
        return is_ours and own_name(name, kind, parents)

    names = {"include_name": include_name, "include_object": own_object, "render_item": autogenerate.render_item}
    return {"target_metadata": metadata, "include_schemas": True, **names}


def filters() -> tuple[Filter, Filter]:
    """Return the application's own `include_name` and `include_object`. One that is missing includes everything."""
    return _filter("include_name"), _filter("include_object")


def has_filters() -> bool:
    return any(hasattr(module, name) for module in modules() for name in ("include_name", "include_object"))


def included(tables: Iterable[Table]) -> list[Table]:
    """Return the tables of models that the application's filters include."""
    include_name, include_object = filters()

    def is_named(table: Table) -> bool:
        parents = {"schema_name": table.schema, "schema_qualified_table_name": table.key}
        has_schema = table.schema is None or include_name(table.schema, "schema", {})
        return has_schema and include_name(table.name, "table", parents)

    return [one for one in tables if is_named(one) and include_object(one, one.name, "table", False, None)]


def elsewhere() -> list[Table]:
    """Return the tables of the imported application that belong to another metadata."""
    known = {*_declared(), imported()}
    others = included(one for one, origin in _made.items() if origin.is_imported and one.metadata not in known)
    return sorted({table.key: table for table in others}.values(), key=str)


def made() -> dict[Table, str]:
    """Return the tables that were made until now, and the files of the modules that were imported then."""
    return {table: origin.file for table, origin in _made.items()}


def place_of(table: Table) -> str:
    """Return the file and line that made a table, or nothing."""
    return _made[table].place if table in _made else ""


def place(error: BaseException, otherwise: str = "") -> str:
    """Return the file and line of the application that an error comes from; `otherwise`: if it is not known."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(ROOT):
        line = f", line {error.lineno}" if error.lineno else ""
        return f"{Path(error.filename).relative_to(ROOT)}{line}"
    inside = [frame for frame in extract_tb(error.__traceback__) if application.holds(frame.filename)]
    known = f"{Path(inside[-1].filename).relative_to(ROOT)}, line {inside[-1].lineno}" if inside else otherwise
    return known or ", ".join(application.read().model_modules)


def cause(error: BaseException) -> str:
    """Return the kind of an error of the application, and its words."""
    return str(error) if isinstance(error, ExitError | UserError) else f"{type(error).__name__}: {error}"


def _note(table: Table, _metadata: MetaData) -> None:
    """Note a new table, of whatever spelling: a class, an imperative one, one of another library's base."""
    origin: _Origin | None = None
    frame: FrameType | None = sys._getframe(1)
    while frame:
        code = frame.f_code
        if application.holds(code.co_filename):
            file = str(Path(code.co_filename).relative_to(ROOT))
            place = origin.place if origin else f"{file}, line {frame.f_lineno}"
            origin = _Origin(place, file, frame.f_globals)
            if code.co_name == "<module>":
                break
        frame = frame.f_back
    if origin:
        _made[table] = origin


def _filter(name: str) -> Filter:
    given = next((getattr(module, name) for module in modules() if hasattr(module, name)), None)

    def include(*words: Any) -> bool:
        try:
            return given is None or bool(given(*words))
        except Exception as error:
            raise UserError(f"{place(error)}: {name} fails: {cause(error)}", do="correct that file") from error

    return include


def _place_of(column: Column[Any]) -> str:
    """Return the place that made the table of a column, if it is known, and the name of the column."""
    return ", ".join(filter(None, (place_of(column.table), f"column {column}")))


# From the beginning: a revision file may import the models first.
event.listen(Table, "after_parent_attach", _note)
