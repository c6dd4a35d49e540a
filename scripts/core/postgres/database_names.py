"""Names of databases that belong to another: its name with a suffix. A long name is cut and gets a hash."""

import hashlib
import re

LIMIT = 63
"""Bytes of a name. PostgreSQL cuts longer names."""
WHOLE, BEGINNING = 35, 30
"""Bytes of a name that is used whole, and bytes that are kept of a longer one. With its hash, that has 36 to 39 bytes.
So no two databases share a name, unless their hashes are equal.
"""
UNFINISHED, REPLACED, KEPT_INFIX = "__unfinished", "__replaced", "__kept_"
_DERIVED = re.compile(r"__(kept_\d{8}T\d{6}Z|unfinished(_[0-9a-f]{8})?|replaced)")


def derived(name: str, suffix: str) -> str:
    """Return the name of the database with this suffix that belongs to `name`. A suffix has at most 24 bytes."""
    if len(name.encode()) <= WHOLE:
        return name + suffix
    return f"{cut(name, BEGINNING)}_{hashlib.sha256(name.encode()).hexdigest()[:8]}{suffix}"


def is_derived(name: str) -> bool:
    """Return whether a database of this name belongs to another database."""
    found = _DERIVED.search(name)
    return bool(found and found.end() == len(name))


def cut(name: str, size: int) -> str:
    """Return the beginning of a name, with at most `size` bytes and whole characters."""
    return name.encode()[:size].decode(errors="ignore")
