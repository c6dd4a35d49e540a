"""Numbers, states and other people's texts in the form of the output and the reports."""

import re

VERDICTS = {
    "passed": "passed",
    "warned": "passed, with warnings",
    "failed": "failed",
    "interrupted": "interrupted",
}
SYMBOLS = {"passed": "✓", "warned": "!", "failed": "✗", "skipped": "-", "not run": "-", "interrupted": "✗"}

NOTHING = "\N{EN DASH}"
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TEXT_MOVERS = "\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069"
# Characters that would make a line, move the cursor, recolour a terminal, or turn the direction of a text.
_CONTROL = re.compile(f"[\\x00-\\x1f\\x7f-\\x9f{_TEXT_MOVERS}]")
_CONTROL_IN_LINES = re.compile(f"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f{_TEXT_MOVERS}]")
# Our own further lines are indented. A line that begins with :: is a command to some CI servers.
_FOREIGN_LINE = re.compile(r"\n(?! {4})|\n(?= *::)")


def one_line(text: str) -> str:
    """Return a text from a database or a file on one line: its control characters are written as escapes."""
    return _CONTROL.sub(lambda found: _ESCAPES.get(found[0], f"\\x{ord(found[0]):02x}"), text)


def message(text: str) -> str:
    """Return a message in which only our own indented lines begin a line, and no character moves the cursor."""
    return printable(_FOREIGN_LINE.sub(r"\\n", text))


def printable(text: str) -> str:
    """Return a text of several lines without characters that move the cursor or turn the direction."""
    return _CONTROL_IN_LINES.sub("\ufffd", text)


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
