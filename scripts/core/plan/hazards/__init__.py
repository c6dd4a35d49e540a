"""Varieties: what can go wrong with a change of the schema. One file for each kind of danger, found in the trace.

A hazard has an ID and a NAME, a docstring (its title, and why it is one), and `find`, which yields findings of a
revision. A new file here is found by itself; tests/hazards/<ID>/ needs a bad and a good example.
"""

from importlib import import_module
from pkgutil import iter_modules

from scripts.core.plan.findings import Finding, Subject

ALL = tuple(import_module(f"{__name__}.{name}") for name in sorted(module.name for module in iter_modules(__path__)))


def find(subject: Subject) -> list[Finding]:
    """Every finding of a revision, in the order of its lines."""
    found = [finding for hazard in ALL for finding in hazard.find(subject)]
    return sorted(found, key=lambda finding: (finding.line, finding.id))
