"""How a user overrides a refusal: ACCEPT=<id>[,<id>]."""

import os


def accepted(refusal: str) -> bool:
    """Return whether the user has overridden the refusal with this id."""
    return refusal in os.environ.get("ACCEPT", "").replace(" ", "").split(",")
