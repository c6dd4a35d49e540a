"""What the statements of a dump do: which are loaded, which are left out, and which forbid to load it."""

import re
from collections import Counter
from dataclasses import dataclass, field

from scripts.core import overrides
from scripts.core.backups import dump_file
from scripts.core.backups.dump_file import Dump
from scripts.core.backups.sql_script import Script
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.postgres import extensions

SHOWN = 5
"""Refused lines that are named."""
NAME = rb'(?:"(?:[^"]|"")+"|[\w$\x80-\xff]+)'
COPY = re.compile(
    rb"COPY\s+(?P<table>" + NAME + rb"(?:\s*\.\s*" + NAME + rb")?)"
    rb"\s*(?:\((?:\"(?:[^\"]|\"\")*\"|[^)\"])*\))?\s*FROM\s+stdin\b",
    re.IGNORECASE,
)
"""The statement before data."""
_ANY_COPY = re.compile(rb"COPY\b", re.IGNORECASE)
_REFUSED = re.compile(
    rb"(?:CREATE|ALTER|DROP)\s+(?:DATABASE|ROLE|USER(?!\s+MAPPING)|GROUP|TABLESPACE)\b|ALTER\s+SYSTEM\b", re.IGNORECASE
)
_LEFT_OUT = re.compile(
    rb"(?P<owner>ALTER\s[^;]*\sOWNER\s+TO\s+" + NAME + rb"\s*$)"
    rb"|(?P<grant>(?:GRANT|REVOKE|ALTER\s+DEFAULT\s+PRIVILEGES)\b)"
    rb"|(?P<role>(?:SET|RESET)\s+(?:(?:LOCAL|SESSION)\s+)?(?:SESSION\s+AUTHORIZATION|ROLE)\b)"
    rb"|(?P<subscription>(?:CREATE|ALTER|DROP|COMMENT\s+ON)\s+SUBSCRIPTION\b)"
    rb"|(?P<security_label>SECURITY\s+LABEL\b)"
    rb"|(?P<tablespace>SET\s+default_tablespace\s*(?:=|TO)\s*(?!'')\S)"
    rb"|(?P<comment>COMMENT\s+ON\s+DATABASE\b)",
    re.IGNORECASE | re.DOTALL,
)
_KINDS = {
    "owner": "owner",
    "grant": "grant",
    "subscription": "subscription statement",
    "security_label": "security label",
    "tablespace": "tablespace",
}
"""What is said of each kind; nothing of others."""


@dataclass
class DumpContents:
    size: int = 0
    """Bytes of SQL."""
    extensions: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read(dump: Dump) -> DumpContents:
    """Read the whole dump without a database. Raise UserError if it must not be loaded, or cannot be."""
    found, refused = DumpContents(), list[str]()
    with dump_file.opened(dump) as file:
        script = Script(file)
        for statement in script.statements():
            if reason := refusal(statement.text):
                refused.append(f"line {statement.line}: {reason}")
            elif kind := left_out(statement.text):
                found.left_out[kind] += 1
            elif COPY.match(statement.text):
                for _ in script.rows():
                    pass
            else:
                found.extensions += extensions.all_named(statement.text[:300].decode(errors="replace"))
    found.size = script.read
    if refused:
        raise _forbidden(dump, refused)
    if (script.is_open or not script.is_complete) and not overrides.accepted("truncated"):
        raise UserError(
            f"{dump.name} is cut short, or pg_dump did not write it.",
            why="The line '-- PostgreSQL database dump complete' is not at its end.",
            do="copy the file again, or take the dump again. Override with ACCEPT=truncated.",
        )
    return found


def refusal(statement: bytes) -> str:
    """Return what the statement does outside the database, as a text, or nothing."""
    if statement.startswith(b"\\"):
        return f"{_shown(statement)}, a command to psql"
    if b"\0" in statement:
        return "a character with the code 0"
    if found := _REFUSED.match(statement):
        return _shown(found[0])
    if _ANY_COPY.match(statement) and not COPY.match(statement):
        return "COPY from a file or a program"
    return ""


def left_out(statement: bytes) -> str:
    """Return the kind of a statement that is not loaded, or nothing."""
    found = _LEFT_OUT.match(statement)
    return str(found.lastgroup) if found else ""


def listing(kinds: Counter[str]) -> str:
    """Return what was left out, as a text."""
    return ", ".join(counted(kinds[kind], what) for kind, what in _KINDS.items() if kinds[kind])


def _forbidden(dump: Dump, refused: list[str]) -> UserError:
    more = [f"\n    … and {len(refused) - SHOWN} more"] if len(refused) > SHOWN else []
    return UserError(
        f"{dump.name} contains what no load runs:" + "".join(f"\n    {one}" for one in refused[:SHOWN]) + "".join(more),
        why="Commands to psql run programs and change the connection. Roles and databases are the server's.",
        do="take the dump with pg_dump and without --create; or remove these lines from the file",
    )


def _shown(text: bytes) -> str:
    return " ".join(text.decode(errors="replace").split())
