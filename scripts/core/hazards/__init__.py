"""Varieties: what can go wrong with a change of the schema. One file for each kind of danger, found in the trace.

A hazard has an ID and a NAME, a docstring (its title, and why it is one), and `find`, which yields findings of a
revision.
"""

from types import ModuleType

from scripts.core.findings import Finding, Subject
from scripts.core.hazards import (
    h01_rewrite,
    h02_scan,
    h03_index,
    h04_constraint,
    h05_work,
    h06_backfill,
    h07_data_loss,
    h08_running_code,
    h09_computed_column,
    h10_enum,
    h11_half_done,
    h12_downgrade,
    h13_foreign_key,
)

ALL: tuple[ModuleType, ...] = (
    h01_rewrite,
    h02_scan,
    h03_index,
    h04_constraint,
    h05_work,
    h06_backfill,
    h07_data_loss,
    h08_running_code,
    h09_computed_column,
    h10_enum,
    h11_half_done,
    h12_downgrade,
    h13_foreign_key,
)


def find(subject: Subject) -> list[Finding]:
    """Every finding of a revision, in the order of its lines."""
    found = [finding for hazard in ALL for finding in hazard.find(subject)]
    return sorted(found, key=lambda finding: (finding.line, finding.id))
