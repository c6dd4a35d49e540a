"""Drift: the schema of the migrated copy equals that of the revision files and of the models."""

from collections.abc import Iterator
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from scripts.core.formatting import counted
from scripts.core.plan import shadow
from scripts.core.postgres import connections, trial
from scripts.core.revisions import migration_log, models
from scripts.core.schema import compare
from scripts.core.settings import Settings
from scripts.core.verification.context import FAILED, Case, Outcome

ID, NAME, NEEDS = "drift", "drift", ("migrated",)
_OPTIONS = {"compare_type": True, "compare_server_default": True, "include_name": migration_log.include_name}


def check(case: Case) -> Outcome:
    """Compare database, files and models. Owners and grants differ between servers and do not count."""
    assert case.migrated
    built = shadow.build(case.server, case.revisions, [] if case.wanted == "base" else [case.wanted])
    found = compare.compare(case.server, built, case.migrated, case.migrated_schema)
    differences = [f"Differs from the revision files: {one}" for one in found if one.kind == "structure"]
    found_by_models = trial.run(case.server, case.migrated, of_models)
    differences += [f"Differs from the models: {one}" for one in found_by_models]
    if differences:
        return Outcome(
            f"{counted(len(differences), 'difference')} between the migrated copy, the revision files and the models",
            differences,
            FAILED,
        )
    order = [f"Only the order of columns differs: {one.name}" for one in found if one.harmless]
    return Outcome("the migrated copy equals the revision files and the models", order)


def of_models(copy: Settings) -> list[str]:
    """Return what the models want to change, in the child."""
    with connections.connect(copy) as connection:
        context = MigrationContext.configure(connection, opts=dict(_OPTIONS))
        return [_words(one) for one in _single(compare_metadata(context, models.metadata()))]


def _single(found: Any) -> Iterator[tuple[Any, ...]]:
    """Yield single changes. Autogenerate groups those of one column in a list."""
    for one in found:
        if isinstance(one, list):
            yield from one
        else:
            yield one


def _words(difference: tuple[Any, ...]) -> str:
    """Return a change of autogenerate as a text."""
    kind, *rest = difference
    if kind.startswith("modify_"):
        _, table, column, _, was, wanted = rest
        return f"column {table}.{column}: {kind.removeprefix('modify_')} is {was}, the models say {wanted}"
    thing = rest[-1]
    what = kind.partition("_")[2]
    table = rest[1] if what == "column" else getattr(getattr(thing, "table", None), "name", "")
    name = f"{table}.{thing.name}" if table and what != "table" else thing.name
    return f"{what} {name} is " + ("missing" if kind.startswith("add_") else "not in the models")
