"""Answers of the user in variables: RENAME=users.mail:email and FILL=users.plan=free, several with commas.

Names and values may be quoted as in SQL: RENAME='t."a,b":c', FILL="t.c='a, b'".
"""

import re
from collections.abc import Iterator

from scripts.core import typed_names
from scripts.core.errors import USAGE, UserError
from scripts.core.models import comparable

_FORMS = {
    "RENAME": "RENAME=table.column:new_column or RENAME=table:new_table; with quotes: RENAME='t.\"a,b\":c'",
    "FILL": "FILL=table.column=value; for an empty text or one with commas: FILL=\"table.column='a, b'\"",
}
_QUOTES = r'"(?:[^"]|"")*"|' + r"'(?:[^']|'')*'"


def split(given: str, between: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield what stands before and after `between` in each answer of the variable `name`.

    Raise UserError if there is nothing before or after it, or if two answers name the same.
    """
    known = set[tuple[str, ...]]()
    for word in _split(given, ","):
        first, *rest = [one.strip() for one in _split(word, between)] or [""]
        found = typed_names.plain(first), between.join(rest)
        parts = comparable.parts(found[0])
        if not all(found) or not parts or parts in known:
            why = f"{first} is there twice." if parts in known else f"It needs a name, {between} and what follows."
            raise UserError(
                f"{name}={given} does not fit.",
                why=why,
                do=_FORMS[name],
                state="no revision was written.",
                code=USAGE,
            )
        known.add(parts)
        yield found


def value(text: str) -> str:
    """Return a value without its quotes."""
    return text[1:-1].replace("''", "'") if re.fullmatch(r"'(?:[^']|'')*'", text) else text


def _split(text: str, at: str) -> list[str]:
    return [one for one in re.findall(rf"(?:{_QUOTES}|[^{at}])+", text) if one.strip()]
