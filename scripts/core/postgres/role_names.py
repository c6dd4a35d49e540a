"""The roles that a statement names, read from its own words. An error names one too, but in the server's language."""

import re
from collections.abc import Iterator

from scripts.core.postgres import statements

_WORD = re.compile(r'"((?:[^"]|"")+)"|([^\W\d][\w$]*)|\S')
_OPENS = frozenset({"TO", "FROM", "BY", "ROLE", "USER", "GROUP", "AUTHORIZATION", "GRANT", "REVOKE"})
"""Keywords before a role, or before the first of several."""
_PASSED = frozenset({"IF", "EXISTS", "ROLE", "USER", "GROUP"})
"""Keywords between such a keyword and the role."""
_NO_ROLES = frozenset(
    {
        *("PUBLIC", "CURRENT_USER", "CURRENT_ROLE", "SESSION_USER", "ALL", "ADMIN", "INHERIT", "SET", "GRANT"),
        *("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN", "CREATE"),
        *("CONNECT", "TEMPORARY", "TEMP", "EXECUTE", "USAGE", "ALTER", "NONE", "DEFAULT"),
    }
)
"""Other words at the place of a role, such as privileges."""


def named(sql: str, message: str) -> list[str]:
    """Return the roles that the text may mean, each once. If the message quotes some of them, return only these.

    In a body between dollar quotes, FROM may also be before a table. So the message decides, but it adds no name.
    """
    found = list(dict.fromkeys(_after_keywords(statements.plain(sql))))
    return [name for name in found if re.search(rf"[^\w ]{re.escape(name)}[^\w ]", message)] or found


def _after_keywords(text: str) -> Iterator[str]:
    is_expected, was_role, last = False, False, ""
    for word in _WORD.finditer(text):
        keyword = word[0].upper()
        if is_expected and keyword in _PASSED:
            continue
        name = word[1].replace('""', '"') if word[1] else (word[2] or "").lower()
        if is_expected and name:
            if keyword not in _NO_ROLES:
                yield name
            is_expected, was_role = False, True
        else:
            is_expected, was_role = (was_role if keyword == "," else _opens(keyword, last)), False
        last = keyword


def _opens(keyword: str, last: str) -> bool:
    """Return whether a role follows, by a word and the one before it."""
    if keyword == "FOR":
        return last in ("MAPPING", "OPTION")
    return keyword in _OPENS and last not in ("CREATE", "RENAME", "WITH")
