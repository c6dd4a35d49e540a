"""Definitions without what PostgreSQL prints in two ways."""

import re

from scripts.core.schema import restored_text

LITERAL = r"'(?:[^']|'')*'(?!')"
_NAME = r'"(?:[^"]|"")*"'
_TEXT = r"(?:text|bpchar|character varying)(?![\w(\[])"
# Every literal and name is matched as a whole, so that no match begins within one.
_TEXT_CAST = re.compile(rf"(?:\((?P<inner>{LITERAL})\)|(?P<bare>{LITERAL}))(?P<cast>::{_TEXT})?|{_NAME}")


def is_same(name: str, one: str | None, other: str | None) -> bool:
    """Return whether two definitions of an object with this name in Schema mean the same. A comment is free text."""
    return one == other if name.endswith(", comment") else plain(one) == plain(other)


def plain(definition: str | None) -> str:
    """Return a definition without the casts between text types that PostgreSQL adds to constants.

    Brackets within AND and OR are left out too: BETWEEN has its own.
    """
    plain, before = restored_text.flat(restored_text.canonical(definition or "")), ""
    while plain != before:
        before, plain = plain, _TEXT_CAST.sub(_without_cast, plain)
    return plain


def _without_cast(found: re.Match[str]) -> str:
    """Return a literal without its cast. One with a length may cut it, and one to bpchar its last blanks."""
    literal = found["inner"] or found["bare"]
    is_cut = found["cast"] == "::bpchar" and literal.endswith(" '")
    return literal if found["cast"] and not is_cut else found[0]


def without_quoted(pattern: str) -> re.Pattern[str]:
    """Return a pattern of `word`, outside of literals and quoted names, for `replaced`."""
    return re.compile(rf"{LITERAL}|{_NAME}|(?P<word>{pattern})", re.IGNORECASE)


def replaced(pattern: re.Pattern[str], by: str, text: str) -> str:
    """Return a text in which each `word` of the pattern is replaced."""
    return pattern.sub(lambda found: by if found["word"] else found[0], text)
