"""Drift: the schema of the migrated copy equals that of the revision files and of the models."""

from scripts.core import application
from scripts.core.formatting import counted
from scripts.core.models import compare as by_models
from scripts.core.models import included, plugins
from scripts.core.models.compare import ModelComparison
from scripts.core.plan import shadow
from scripts.core.postgres import trial
from scripts.core.revisions import last_comparison, models, unimported
from scripts.core.schema import compare
from scripts.core.schema.catalogs import unknown
from scripts.core.schema.compare import Difference, Renaming
from scripts.core.settings import Settings
from scripts.core.verification.context import FAILED, Case, Outcome

ID, NAME, NEEDS = "drift", "drift", ("migrated",)


def check(case: Case) -> Outcome:
    """Compare database, files and models. Owners and grants differ between servers and do not count."""
    at = [] if case.wanted == "base" else [case.wanted]
    built = shadow.build(case.server, case.revisions, at)
    found, renamed = _by_files(case, built)
    differences = [f"Differs from the revision files: {one}" for one in found if one.kind == "structure"]
    described, notes = ModelComparison(), list(map(compare.only_named, renamed))
    if application.read().metadata:
        described = _by_models(case, built, at)
        differences += [f"Differs from the models: {one}" for one in described.lines]
        notes = list(dict.fromkeys([*notes, *described.notes]))
        equal = f"the revision files and the models{described.exceptions}"
    else:
        equal = f"the revision files; {models.NONE}"
    if differences:
        return Outcome(
            f"{counted(len(differences), 'difference')} between the migrated copy, the revision files and the models",
            [*differences, *notes],
            FAILED,
        )
    order = [f"Only the order of columns differs: {one.name}" for one in found if one.harmless]
    named = [unknown.report(one) for one in case.migrated_schema.unknown] if case.migrated_schema else []
    return Outcome(f"the migrated copy equals {equal}", [*order, *notes, *named])


def _by_files(case: Case, built: Settings) -> tuple[list[Difference], list[Renaming]]:
    """Return what the migrated copy has in another form than the revision files, and what has another name only."""
    assert case.migrated
    found, renamed = compare.renamed(compare.compare(case.server, built, case.migrated, case.migrated_schema))
    out = trial.run(case.server, case.migrated, included.left_out, [one.name for one in found])
    return [one for one in found if one.name not in out], renamed


def _by_models(case: Case, built: Settings, at: list[str]) -> ModelComparison:
    unimported.require_none(case.target)
    of = last_comparison.key(case.target)
    found = by_models.compare(case.server, case.revisions, at)
    found = by_models.with_plugins(found, trial.run(case.server, built, plugins.wanted))
    if at == list(case.revisions.get_heads()):
        last_comparison.keep(case.target, of, found.reads, found.lines)
    return found
