"""Names of databases that stand beside another: its name with a suffix, or the beginning and a hash of a long name."""

import hashlib
import re

LIMIT = 63
"""Bytes of a name. PostgreSQL cuts the rest off."""
WHOLE, BEGINNING = 35, 30
"""Bytes of a name that stands whole, and those that are left of a longer one. With its hash that has 36 to 39 bytes, so
no two databases share a name, unless their hashes are equal.
"""
UNFINISHED, REPLACED, KEPT_INFIX = "__unfinished", "__replaced", "__kept_"
_DERIVED = re.compile(r"__(kept_\d{8}T\d{6}Z|unfinished(_[0-9a-f]{8})?|replaced)")


def derived(name: str, suffix: str) -> str:
    """Return the name of the database that has this suffix beside another database. A suffix has 24 bytes at most."""
    if len(name.encode()) <= WHOLE:
        return name + suffix
    return f"{cut(name, BEGINNING)}_{hashlib.sha256(name.encode()).hexdigest()[:8]}{suffix}"


def is_derived(name: str) -> bool:
    """Return whether this is the name of a database beside another."""
    found = _DERIVED.search(name)
    return bool(found and found.end() == len(name))


def cut(name: str, size: int) -> str:
    """Return the beginning of a name that has so many bytes at most, with whole characters."""
    return name.encode()[:size].decode(errors="ignore")
