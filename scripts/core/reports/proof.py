"""Whether a report proves that these revision files passed a verification on a copy of this database."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scripts.core import ROOT
from scripts.core.reports import FILE, FORMAT
from scripts.core.revisions import checksum, sources

GOOD = ("passed", "warned")


@dataclass(frozen=True)
class DatabaseState:
    """The database to be changed, and its revision."""

    database: str
    cluster: str
    at: list[str]


def find(folder: Path, subject: DatabaseState, files: dict[str, Path], days: float) -> str | None:
    """Return the newest report that proves it, or None. `files` are in the order in which they are applied.

    It is at most `days` old, of the same database and start revision, and of exactly these files. Comments and layout
    of a file do not count. Several reports prove it together if each starts where the one before it ends: after
    rollbacks, revisions are pending that were verified one after the other.
    """
    sums = {revision: checksum.sums(path)[1] for revision, path in files.items()}
    reports = {
        path.parent.name: found
        for path in sorted(folder.glob(f"*/{FILE}"), reverse=True)
        if (found := _read(path)) and _is_valid(found, subject) and _age(found) <= timedelta(days=days)
    }
    at = sorted(subject.at)
    while begun := [name for name, found in reports.items() if found["from"] == at and _proven(found, sums)]:
        found = reports[begun[0]]
        sums = {revision: known for revision, known in sums.items() if revision not in _applied(found)}
        if not sums:
            return begun[0]
        at = [found["to"]]
    return None


def _is_valid(found: dict[str, Any], subject: DatabaseState) -> bool:
    is_of = found["database"] == subject.database and found.get("cluster") == subject.cluster
    return is_of and found["verdict"] in GOOD


def _applied(found: dict[str, Any]) -> dict[str, str]:
    """Return the checksum of each revision in a report; nothing if another file of its source has changed since."""
    applied = (one for one in found["revisions"] if one["applied"])
    return {one["revision"]: "" if _changed(one) else one["source_sha256"] for one in applied}


def _changed(one: dict[str, Any]) -> bool:
    return bool(sources.changed(ROOT / one.get("file", ""), one.get("files", ())))


def _proven(found: dict[str, Any], sums: Mapping[str, str | None]) -> bool:
    """Return whether the report is of all these files, or of only such files."""
    applied = _applied(found)
    same = {revision for revision, known in sums.items() if applied.get(revision) == known}
    return bool(same) and (same == set(sums) or same == set(applied))


def _age(found: dict[str, Any]) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(found["started_at"])


def _read(path: Path) -> dict[str, Any] | None:
    """Return the report, or None for a file that is no report or of another format."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        needed = ("verdict", "database", "from", "to", "revisions", "started_at")
        return found if found["format"] == FORMAT and all(name in found for name in needed) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
