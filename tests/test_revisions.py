"""The revision files of this checkout. This file stays in a project that has replaced app/."""

from scripts.core.revisions import history


def test_there_is_one_head() -> None:
    """Two branches that were merged in git have each added a revision. The error says what to type."""
    history.head(history.load())
