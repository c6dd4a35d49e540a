"""Answers of the user in variables: RENAME=users.mail:email and FILL=users.plan=free, several with commas.

Names and values may be quoted as in SQL: RENAME='t."a,b":c', FILL="t.c='a, b'".
"""

import re
from collections.abc import Iterator

from scripts.core import typed_names

_QUOTES = r'"(?:[^"]|"")*"|' + r"'(?:[^']|'')*'"


def split(given: str, between: str) -> Iterator[tuple[str, str]]:
    """Yield what stands before and after `between` in each answer."""
    for word in _split(given, ","):
        first, *rest = _split(word, between)
        yield typed_names.plain(first.strip()), between.join(rest).strip()


def value(text: str) -> str:
    """Return a value without its quotes."""
    return text[1:-1].replace("''", "'") if re.fullmatch(r"'(?:[^']|'')*'", text) else text


def _split(text: str, at: str) -> list[str]:
    return [one for one in re.findall(rf"(?:{_QUOTES}|[^{at}])+", text) if one.strip()]
