"""Drift: the schema of the migrated copy equals that of the revision files and of the models."""

from collections.abc import Iterator
from contextlib import suppress
from traceback import extract_tb
from typing import Any

from alembic.autogenerate import produce_migrations
from alembic.operations.ops import OpContainer
from alembic.runtime.environment import EnvironmentContext
from alembic.util import CommandError
from sqlalchemy import Column, Index, MetaData, UniqueConstraint
from sqlalchemy.exc import DBAPIError

from scripts.core import revision_files
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.plan import shadow
from scripts.core.postgres import connections, trial
from scripts.core.revisions import history, migration_log, models
from scripts.core.schema import compare
from scripts.core.schema.catalogs import unknown
from scripts.core.settings import Settings
from scripts.core.verification.context import FAILED, Case, Outcome

OF_COLUMN = 6
"""The number of facts about a column that differs."""
ID, NAME, NEEDS = "drift", "drift", ("migrated",)
_OPTIONS: dict[str, Any] = {
    "compare_type": True,
    "compare_server_default": True,
    "include_name": migration_log.include_name,
}


def check(case: Case) -> Outcome:
    """Compare database, files and models. Owners and grants differ between servers and do not count."""
    assert case.migrated
    built = shadow.build(case.server, case.revisions, [] if case.wanted == "base" else [case.wanted])
    found = compare.compare(case.server, built, case.migrated, case.migrated_schema)
    found, renamed = compare.renamed(found)
    differences = [f"Differs from the revision files: {one}" for one in found if one.kind == "structure"]
    found_by_models, renamed_by_models = trial.run(case.server, case.migrated, of_models)
    differences += [f"Differs from the models: {one}" for one in found_by_models]
    notes = [f"Only a name differs: {one}" for one in dict.fromkeys([*renamed, *renamed_by_models])]
    if differences:
        return Outcome(
            f"{counted(len(differences), 'difference')} between the migrated copy, the revision files and the models",
            [*differences, *notes],
            FAILED,
        )
    order = [f"Only the order of columns differs: {one.name}" for one in found if one.harmless]
    named = [unknown.report(one) for one in case.migrated_schema.unknown] if case.migrated_schema else []
    return Outcome("the migrated copy equals the revision files and the models", [*order, *notes, *named])


def of_models(copy: Settings) -> tuple[list[str], list[str]]:
    """Return what the models want to change, and what only has another name there, in the child."""
    metadata = models.metadata()
    with connections.connect(copy) as connection:
        # As in env.py: plug-ins of Alembic, which a revision may import, look for the environment and its options.
        environment = EnvironmentContext(revision_files.config(), history.load())
        environment.configure(connection=connection, target_metadata=metadata, **_OPTIONS)
        found = _produced(environment, metadata)
        changes = list(_single(found)) if found else []
    removed = {_shape(one[1]): one for one in changes if one[0] in ("remove_constraint", "remove_index")}
    added = {_shape(one[1]): one for one in changes if one[0] in ("add_constraint", "add_index")}
    same = [(removed[shape][1], added[shape][1]) for shape in removed.keys() & added.keys() if shape]
    alike = {id(thing) for pair in same for thing in pair}
    return (
        [_words(one) for one in changes if id(one[-1]) not in alike],
        sorted(f"{was.table.name}.{was.name}: {new.name} in the models" for was, new in same),
    )


def _produced(environment: EnvironmentContext, metadata: MetaData) -> OpContainer | None:
    try:
        return produce_migrations(environment.get_context(), metadata).upgrade_ops
    except (CommandError, DBAPIError):
        raise
    except Exception as error:
        frame = extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"Autogenerate cannot compare the models: {type(error).__name__}: {error}",
            why=f"The error is from {frame.filename}, line {frame.lineno}.",
            do="see: make alembic c=check",
        ) from error


def _shape(thing: Any) -> tuple[Any, ...]:
    """Return what a unique constraint or an index of columns is, without its name. Return nothing for others."""
    if isinstance(thing, UniqueConstraint) and not thing.deferrable:
        columns, kind = thing.columns, "unique constraint"
    elif isinstance(thing, Index) and all(isinstance(one, Column) for one in thing.expressions):
        columns, kind = thing.columns, f"index, unique={bool(thing.unique)}"
    else:
        return ()
    names = [column.name for column in columns]
    return () if any(thing.dialect_kwargs.values()) else (kind, thing.table.schema, thing.table.name, *names)


def _single(found: OpContainer) -> Iterator[tuple[Any, ...]]:
    """Yield single changes. Autogenerate groups those of a table, and those of one column."""
    for one in found.ops:
        if isinstance(one, OpContainer):
            yield from _single(one)
            continue
        difference: Any = (type(one).__name__, one)
        with suppress(NotImplementedError, AttributeError):  # of a plug-in
            difference = one.to_diff_tuple()
        yield from difference if isinstance(difference, list) else [difference]


def _words(difference: tuple[Any, ...]) -> str:
    """Return a change of autogenerate as a text. Plug-ins of Alembic find changes of their own kinds."""
    kind, *rest = difference
    if kind.startswith("modify_") and len(rest) == OF_COLUMN:
        _, table, column, _, was, wanted = rest
        return f"column {table}.{column}: {kind.removeprefix('modify_')} is {was}, the models say {wanted}"
    thing = rest[0] if kind.endswith("_table_comment") else rest[-1]
    if not kind.startswith(("add_", "remove_")) or not hasattr(thing, "name"):
        name = next((one for one in rest if isinstance(one, str)), "")
        return f"a plug-in of Alembic wants: {kind.replace('_', ' ')} {name}".rstrip()
    what = kind.partition("_")[2].replace("_", " ")
    table = rest[1] if what == "column" else getattr(getattr(thing, "table", None), "name", "")
    name = f"{table}.{thing.name}" if table and not what.startswith("table") else thing.name
    return f"{what} {name} is " + ("missing" if kind.startswith("add_") else "not in the models")
