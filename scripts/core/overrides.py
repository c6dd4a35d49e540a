"""How a user overrides a refusal, ACCEPT=<id>[,<id>], and agrees to a loss of data, CONFIRM=<name>."""

import os
import re

from scripts.core import typed_names

_WORD = re.compile(r'(?:(?<=\.)(?:U&)?"(?:[^"]|"")*"(?=\s*[.,]|\s*$)|[^,])+')
"""A quote within a name is no pair: a shell may have taken the quotes around it away."""


def accepted(refusal: str) -> bool:
    """Return whether the user has overridden the refusal with this id."""
    return refusal in words()


def words() -> list[str]:
    """Return the ids in ACCEPT=. A name in one of them may be quoted as in SQL, with commas and spaces in it."""
    words = (word.strip() for word in _WORD.findall(os.environ.get("ACCEPT", "")))
    return [typed_names.plain(word) for word in words if word]


def confirmed() -> str:
    """Return the name of what the user gave up with CONFIRM=, or nothing."""
    return os.environ.get("CONFIRM", "")
