"""The hazards: what can go wrong with a change of the schema. Each file finds one kind of danger in the trace.

A hazard has an ID, a NAME, a docstring (its title, and why it is dangerous) and `find`, which yields the findings of a
revision. Every file in this folder is used. It needs a bad and a good example in tests/hazards/<ID>/.
"""

from importlib import import_module
from pkgutil import iter_modules

from scripts.core.plan.findings import Finding, Subject

ALL = tuple(import_module(f"{__name__}.{name}") for name in sorted(module.name for module in iter_modules(__path__)))


def find(subject: Subject) -> list[Finding]:
    """Return every finding of a revision, in the order of its lines."""
    found = [finding for hazard in ALL for finding in hazard.find(subject)]
    return sorted(found, key=lambda finding: (finding.line, finding.id))
