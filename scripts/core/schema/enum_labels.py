"""The labels of an enum, in its definition in Schema."""

import re

LABEL = re.compile(r"'(?:[^']|'')*'")


def only_adds(was: str, wanted: str) -> bool:
    """Return whether `wanted` has all labels of `was` in their order."""
    return [label for label in LABEL.findall(wanted) if label in LABEL.findall(was)] == LABEL.findall(was)


def added(was: str, wanted: str) -> list[str]:
    """Return the labels that only `wanted` has, as SQL literals."""
    return [label for label in LABEL.findall(wanted) if label not in LABEL.findall(was)]
