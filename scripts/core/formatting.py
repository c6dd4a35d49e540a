"""Numbers and states in the form of the reports."""

VERDICTS = {
    "passed": "passed",
    "warned": "passed, with warnings",
    "failed": "failed",
    "interrupted": "interrupted",
}
SYMBOLS = {"passed": "✓", "warned": "!", "failed": "✗", "skipped": "-", "not run": "-", "interrupted": "✗"}


NOTHING = "\N{EN DASH}"


def milliseconds(seconds: float) -> str:
    """Return a duration for people: 3.2 ms, 450 ms, 2.1 s, 3 min 20 s."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def took(status: str, seconds: float) -> str:
    """Return the time of a gate, if it ran."""
    return milliseconds(seconds) if status not in ("not run", "skipped") else NOTHING


def moment(iso: str) -> str:
    """Return a time in UTC, to the second."""
    return iso.replace("T", " ").replace("+00:00", " UTC")


def counted(number: int, what: str) -> str:
    """Return a number with its noun: 1 row, 1,000 rows."""
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def human(size: float) -> str:
    """Return a number of bytes for people."""
    sign = "-" if size < 0 else ""
    size = abs(size)
    for unit in ("bytes", "kB", "MB"):
        if size < 1024:
            return f"{sign}{size:.0f} {unit}"
        size /= 1024
    return f"{sign}{size:.1f} GB"
