"""The lines of `.env`, which Python, the shell scripts and Compose must read alike."""

import re
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from scripts.core import ROOT

ENV_FILE = ROOT / ".env"

# What python-dotenv, Compose and scripts/env.awk would read differently is a fault, with these words.
ASSIGNMENT = re.compile(r"(?:export[ \t]+)?(?!export\b)[A-Za-z_][A-Za-z0-9_]*[ \t]*=[ \t]*(.*)", re.DOTALL)
QUOTED = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in "'\""}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
DOLLAR = (r"\$", "has a $ outside of single quotes")
TWO_WAYS = "has a backslash that is read in two ways"
IN_QUOTES = {"'": [(r"\\\\", TWO_WAYS)], '"': [(r'^(?:[^\\]|\\[\\"nrt])*\\[^\\"nrt]', TWO_WAYS), DOLLAR]}
PLAIN = [
    (r"^#|\t#", "has a # that may begin a comment: put the value in quotes"),
    DOLLAR,
    (r"[^\S \t]", "has a blank that is no space: put the value in quotes"),
]
LF = b"\n"


@dataclass
class EnvFile:
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """The line of each value, from 1."""
    faults: list[str] = field(default_factory=list)


def read(path: Path) -> EnvFile:
    """Return the values of a file. `faults` says what cannot be read, or would be read in two ways."""
    found = EnvFile()
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        found.faults.append(f"cannot read {path}: {reason(error)}")
        return found
    except UnicodeDecodeError as error:
        found.faults.append(f"line {content[: error.start].count(LF) + 1} is not UTF-8 text")
        return found
    for number, line in enumerate(text.split("\n"), start=1):
        if CONTROL.search(line.removesuffix("\r")):
            found.faults.append(f"line {number} has a control character")
    for binding in parse_stream(StringIO(text, newline="")):
        # The parser counts the blank lines before a binding to it.
        original = binding.original.string
        line_number = binding.original.line + original[: len(original) - len(original.lstrip())].count("\n")
        fault = _fault(original.strip(" \t\r\n")) if binding.key or binding.error else ""
        if fault or binding.error:
            found.faults.append(f"line {line_number} {fault or 'is not NAME=value'}")
        elif binding.key and binding.value is not None:
            found.values[binding.key] = binding.value
            found.lines[binding.key] = line_number
    return found


def _fault(statement: str) -> str:
    """Return why Compose or scripts/env.awk would read a line in another way, or nothing."""
    found = ASSIGNMENT.fullmatch(statement)
    if not found:
        return "is not NAME=value"
    value = found[1]
    if value[:1] not in QUOTED:
        value = value.partition(" #")[0].rstrip(" \t")
        return next((fault for pattern, fault in PLAIN if re.search(pattern, value)), "")
    inner = QUOTED[value[0]].match(value)
    if not inner:
        return "opens a quote that is never closed"
    if not re.fullmatch(r"[ \t]*(#.*)?", value[inner.end() :]):
        return "has text after its closing quote"
    if "\r" in inner[1]:
        return "has a control character"
    return next((fault for pattern, fault in IN_QUOTES[value[0]] if re.search(pattern, inner[1])), "")


def reason(error: OSError | UnicodeDecodeError) -> str:
    """Return why a file cannot be read."""
    return f"{error.strerror}" if isinstance(error, OSError) else "it is not UTF-8 text"
