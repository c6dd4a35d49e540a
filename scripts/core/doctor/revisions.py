"""Checks of the revision files, and of those that the database has applied."""

from scripts.core.doctor.facts import Facts
from scripts.core.revisions import history


def heads(facts: Facts) -> str:
    """Raise UserError if there are several heads."""
    return f"one head: {history.head(facts.revisions.known())}"
