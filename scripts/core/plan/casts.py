"""What a change of a column's type does to values that do not fit. See "Numeric Types" and "Date/Time Types" in
PostgreSQL's documentation; the test compares each pair with PostgreSQL itself."""

import re

WHOLE = {"smallint": 5, "integer": 10, "bigint": 19}
"""Integers, narrowest first, and their digits."""
EXACT = {"real": 6, "double precision": 15}
"""Floating point, and the digits that it keeps of every decimal number."""
LENGTH = {
    "boolean": 5,
    "smallint": 6,
    "integer": 11,
    "bigint": 20,
    "uuid": 36,
    "date": 13,
    "real": 15,
    "double precision": 24,
    "timestamp without time zone": 29,
    "timestamp with time zone": 38,
    "time without time zone": 15,
    "time with time zone": 24,
    "interval year to month": 25,
}
"""The longest text of a value."""
TEXTS = ("character varying", "character", "text", "name")
BITS = ("bit", "bit varying")
CUTS = {
    "timestamp without time zone": ("date", "time without time zone"),
    "timestamp with time zone": ("date", "time without time zone", "time with time zone"),
    "time with time zone": ("time without time zone",),
    "interval": ("time without time zone",),
    "inet": ("cidr",),
}
FIELDS = ("year", "month", "day", "hour", "minute", "second")
"""Of an interval."""
POINT = ("timestamp", "time", "interval")
"""Types whose size is a number of decimal places, 6 if none is named."""


def narrowed(before: str, after: str, *, is_cast: bool) -> str:
    """Return what happens to values that do not fit: "cuts", "rounds", "fails", or nothing if all fit.

    `is_cast`: USING names a cast, which cuts a text silently.
    """
    if before.endswith("[]") != after.endswith("[]"):
        before = "array"
    old, new = _base(before), _base(after)
    if new in TEXTS:
        return _text(before, after, is_cast=is_cast)
    if new in CUTS.get(old, ()):
        return "cuts"
    if old in (*WHOLE, *EXACT, "numeric") and new in (*WHOLE, *EXACT, "numeric"):
        return _number(before, after)
    if old == new == "interval" and _last_field(after) < _last_field(before):
        return "cuts"
    if old.startswith(POINT) and new.startswith(POINT):
        return "rounds" if _places(after) < _places(before) else ""
    return "fails" if old in BITS and new in BITS and not _bits_fit(before, after) else ""


def _last_field(name: str) -> int:
    """Return the smallest field that an interval type keeps. PostgreSQL keeps all that are larger."""
    named = re.findall("|".join(FIELDS), name)
    return FIELDS.index(named[-1]) if named else len(FIELDS) - 1


def _places(name: str) -> int:
    """Return the decimal places of seconds, or -1 without seconds."""
    has_seconds = _base(name) != "interval" or _last_field(name) == len(FIELDS) - 1
    return _sizes(name, 6)[0] if has_seconds else -1


def _text(before: str, after: str, *, is_cast: bool) -> str:
    if _base(after) == "name":
        return "cuts" if _base(before) in ("array", *TEXTS[:3]) and (_length(before) or 64) > 63 else ""
    longest, room = _length(before), _length(after)
    if room is None or (longest is not None and longest <= room):
        return ""
    return "cuts" if is_cast else "fails"


def _length(name: str) -> int | None:
    base, sizes = _base(name), _sizes(name)
    if base == "numeric" and sizes:
        precision, places = (*sizes, 0)[:2]
        return 1 + max(precision, precision - places) + (places > 0) + (places >= precision)
    if base.startswith("time") and sizes:
        return LENGTH[base] - 6 + sizes[0] - (sizes[0] == 0)
    if base == "interval" and _last_field(name) < FIELDS.index("day"):
        return LENGTH["interval year to month"]
    return 63 if base == "name" else LENGTH.get(base) or (sizes[0] if sizes and base in (*TEXTS, *BITS) else None)


def _number(before: str, after: str) -> str:
    """Compare the digits before and after the point. Floating point has room before it for everything but numeric."""
    (whole, places), new = _digits(before), _base(after)
    if new in EXACT:
        fits = _base(before) == "real" if _base(before) in EXACT else whole + places <= EXACT[new]
        return "" if fits or _base(before) == new else "rounds"
    if _base(before) in EXACT or places > _digits(after)[1]:
        return "rounds"
    if new in WHOLE and _base(before) in WHOLE:
        return "fails" if WHOLE[new] < WHOLE[_base(before)] else ""
    # The largest integer of so many digits is less than 10 to their number.
    room = WHOLE[new] - 1 if new in WHOLE else _digits(after)[0]
    return "fails" if whole > room else ""


def _digits(name: str) -> tuple[float, float]:
    """Return how many digits a number may have before and after the point."""
    if digits := WHOLE.get(_base(name)):
        return digits, 0
    sizes = _sizes(name)
    precision, places = (*sizes, 0)[:2] if sizes else (float("inf"), float("inf"))
    return precision - places, places


def _bits_fit(before: str, after: str) -> bool:
    if _base(after) == "bit varying":
        return not _sizes(after) or _sizes(before, 1 << 30)[0] <= _sizes(after)[0]
    return before == after


def _base(name: str) -> str:
    base = re.sub(r"\(.*?\)", "", name).removesuffix("[]")
    return "interval" if base.startswith("interval ") else base


def _sizes(name: str, default: int | None = None) -> list[int]:
    found = re.search(r"\(([-\d,]+)\)", name)
    if found:
        return [int(one) for one in found[1].split(",")]
    return [] if default is None else [default]
