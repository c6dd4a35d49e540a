"""Definitions without what PostgreSQL prints in two ways."""

import re

from scripts.core.schema import restored_text

LITERAL = r"'(?:[^']|'')*'"
_TEXT_CAST = re.compile(rf"(?:\(({LITERAL})\)|({LITERAL}))::(?:text|bpchar|character varying(?:\(\d+\))?)(?!\[)")


def plain(definition: str | None) -> str:
    """Return a definition without the casts between text types that PostgreSQL adds to constants.

    Brackets within AND and OR are left out too: BETWEEN has its own.
    """
    plain, before = restored_text.flat(restored_text.canonical(definition or "")), ""
    while plain != before:
        before, plain = plain, _TEXT_CAST.sub(r"\1\2", plain)
    return plain
