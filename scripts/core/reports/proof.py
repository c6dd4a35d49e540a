"""Whether a report proves that these very revision files are well on a copy of this very database."""

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
    """What is to be changed, and where it is now."""

    database: str
    cluster: str
    at: list[str]


def find(folder: Path, subject: DatabaseState, files: dict[str, Path], days: float) -> str | None:
    """The newest report, no older than so many days, in which this very database went from `at` over these very files
    and all was well; None where there is none. A comment or another layout makes no other file.
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
    """None for what is no report, or of another format."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        needed = ("verdict", "database", "from", "revisions", "started_at")
        return found if found["format"] == FORMAT and all(name in found for name in needed) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
