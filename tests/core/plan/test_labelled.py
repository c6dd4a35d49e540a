"""Of many small revisions, those with a hazard are found, and the others are left alone."""

from pathlib import Path

from scripts.core.plan import rehearsal
from scripts.core.plan.table_sizes import NOTE
from scripts.core.settings import Settings
from tests.core.plan import chains
from tests.core.plan.chains import copy
from tests.core.plan.test_hazards import shop, versions
from tests.hazards.labelled import DOWN, SAFE, UNSAFE

__all__ = ["copy", "shop", "versions"]


def test_what_is_unsafe_is_found_and_what_is_safe_is_left_alone(versions: Path, copy: Settings) -> None:
    cases = {f"safe: {name}": body.split("\n---\n") for name, body in SAFE.items()}
    cases |= {name: body.split("\n---\n") for name, (_, body) in UNSAFE.items()}

    tried = chains.walk(versions, copy, cases)

    loud = {name: [one for one in case.findings if one.severity != NOTE] for name, case in tried.items()}
    wrong = {name: ones for name, ones in loud.items() if name.startswith("safe: ") and ones}
    missed = {name: hazard for name, (hazard, _) in UNSAFE.items() if hazard not in {one.id for one in loud[name]}}
    assert (wrong, missed) == ({}, {})
    under = {one.blocks for one in tried["an index and a key under a lock"].findings if one.id in ("H03", "H04", "H05")}
    assert under == {"reads"}


def test_each_downgrade_answers_for_its_own_upgrade(versions: Path, copy: Settings) -> None:
    names = {f"d{place}": name for place, name in enumerate(DOWN)}
    chains.lay(versions, ((revision, *DOWN[name][1:]) for revision, name in names.items()))

    found = chains.findings(rehearsal.up_and_down(copy, list(names), "heads"), copy)

    severities = {names[one]: "".join(f.severity for f in found[one] if f.id == "H12") for one in names}
    assert severities == {name: severity for name, (severity, _, _) in DOWN.items()}
