"""Whether a report proves that these revision files passed a verification on a copy of this database."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scripts.core.reports import FILE, FORMAT
from scripts.core.revisions import checksum

GOOD = ("passed", "warned")


@dataclass(frozen=True)
class DatabaseState:
    """The database to be changed, and its revision."""

    database: str
    cluster: str
    at: list[str]


def find(folder: Path, subject: DatabaseState, files: dict[str, Path], days: float) -> str | None:
    """Return the newest report that proves it, or None.

    It is at most `days` old, of the same database and start revision, and of exactly these files. Comments and layout
    of a file do not count.
    """
    for path in sorted(folder.glob(f"*/{FILE}"), reverse=True):
        found = _read(path)
        if found and _proves(found, subject, files) and _age(found) <= timedelta(days=days):
            return path.parent.name
    return None


def _proves(found: dict[str, Any], subject: DatabaseState, files: dict[str, Path]) -> bool:
    applied = {one["revision"]: one["source_sha256"] for one in found["revisions"] if one["applied"]}
    return (
        found["verdict"] in GOOD
        and found["database"] == subject.database
        and found.get("cluster") == subject.cluster
        and found["from"] == sorted(subject.at)
        and all(applied.get(revision) == checksum.sums(path)[1] for revision, path in files.items())
    )


def _age(found: dict[str, Any]) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(found["started_at"])


def _read(path: Path) -> dict[str, Any] | None:
    """Return the report, or None for a file that is no report or of another format."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        needed = ("verdict", "database", "from", "revisions", "started_at")
        return found if found["format"] == FORMAT and all(name in found for name in needed) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
