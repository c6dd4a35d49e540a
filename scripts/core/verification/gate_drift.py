"""Drift: the schema of the migrated copy equals that of the revision files and of the models."""

from scripts.core.formatting import counted
from scripts.core.models import accepted, included, plugins
from scripts.core.models import compare as models
from scripts.core.plan import shadow
from scripts.core.postgres import trial
from scripts.core.revisions import last_comparison, unimported
from scripts.core.schema import compare
from scripts.core.schema.catalogs import unknown
from scripts.core.verification.context import FAILED, Case, Outcome

ID, NAME, NEEDS = "drift", "drift", ("migrated",)


def check(case: Case) -> Outcome:
    """Compare database, files and models. Owners and grants differ between servers and do not count."""
    assert case.migrated
    at = [] if case.wanted == "base" else [case.wanted]
    built = shadow.build(case.server, case.revisions, at)
    found = compare.compare(case.server, built, case.migrated, case.migrated_schema)
    found, renamed = compare.renamed(found)
    out = trial.run(case.server, case.migrated, included.left_out, [one.name for one in found])
    found = [one for one in found if one.name not in out]
    differences = [f"Differs from the revision files: {one}" for one in found if one.kind == "structure"]
    unimported.require_none(case.target)
    of = last_comparison.key(case.target)
    by_models = models.compare(case.server, case.revisions, at)
    if at == list(case.revisions.get_heads()):
        last_comparison.keep(case.target, of, by_models.reads, by_models.lines)
    wanted: list[str] = trial.run(case.server, built, plugins.wanted)
    of_plugins = [line for line in wanted if line not in accepted.read()]
    differences += [f"Differs from the models: {one}" for one in [*by_models.lines, *of_plugins]]
    notes = list(dict.fromkeys([*map(compare.only_named, renamed), *by_models.notes]))
    if by_models.accepted:
        notes.append(f"{counted(len(by_models.accepted), 'difference')} accepted in {accepted.FILE}")
    if differences:
        return Outcome(
            f"{counted(len(differences), 'difference')} between the migrated copy, the revision files and the models",
            [*differences, *notes],
            FAILED,
        )
    order = [f"Only the order of columns differs: {one.name}" for one in found if one.harmless]
    named = [unknown.report(one) for one in case.migrated_schema.unknown] if case.migrated_schema else []
    return Outcome("the migrated copy equals the revision files and the models", [*order, *notes, *named])
