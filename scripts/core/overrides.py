"""What a user says to override a refusal: ACCEPT=<id>[,<id>]."""

import os


def accepted(refusal: str) -> bool:
    """Return whether the user accepted what this refusal is about."""
    return refusal in os.environ.get("ACCEPT", "").replace(" ", "").split(",")
