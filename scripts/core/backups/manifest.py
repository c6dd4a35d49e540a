"""The manifest of a backup: what it holds, sums of its files, and what was found out about it since.

    {"format": 2, "sha256": sum of this document without this line,
     "cluster": which server, see cluster.py, "fingerprint_version": which reading; format 1 has neither,
     "database", "environment": the database's, "label": NAME=..., "created_at": UTC, "seconds",
     "server": 170004 as PostgreSQL counts, "client": major of pg_dump, "compression",
     "revision": [...], "fingerprint", "large_objects": n, "extensions": {name: version},
     "tables": {name: {"rows", "bytes"}}, "excluded": tables without their rows,
     "properties": owner, comment, settings and grants of the database itself, "roles": those that the dump names,
     "files": {path: {"bytes", "sha256"}},
     "checks": [{"at", "kind": quick, full or after, "passed", "seconds", "found"}]}

Whoever reads it may rely on the names; FORMAT grows when one of them changes its meaning.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.core.backups.database_properties import Properties
from scripts.core.errors import UserError
from scripts.core.postgres.advisory_lock import Tell

FILE = "manifest.json"
NEW = f"{FILE}.new"
FORMAT = 2
_NEW_IN_2 = ("cluster", "fingerprint_version")


@dataclass(frozen=True)
class TableSize:
    rows: int
    bytes: int
    """On the server's disk, without indexes."""


@dataclass(frozen=True)
class File:
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Check:
    at: str
    kind: str
    """quick: sums and decoding; full: restored too; after: BACKUP_AFTER."""
    passed: bool
    seconds: float
    found: str
    """What was wrong, or nothing."""


@dataclass(frozen=True)
class Manifest:
    cluster: str | None
    """Which server; None: it is of format 1."""
    fingerprint_version: int | None
    """Which reading the fingerprint and the schema are of; None: it is of format 1."""
    database: str
    environment: str | None
    label: str
    created_at: str
    seconds: float
    server: int
    client: int
    compression: str
    revision: list[str]
    fingerprint: str
    large_objects: int
    extensions: dict[str, str]
    tables: dict[str, TableSize]
    excluded: list[str]
    properties: Properties
    roles: list[str]
    files: dict[str, File]
    checks: list[Check] = field(default_factory=list)

    @property
    def created(self) -> datetime:
        return datetime.fromisoformat(self.created_at)

    @property
    def taken(self) -> datetime:
        """By the clock of that moment; `created` is later where that clock was behind an older backup's."""
        return datetime.fromisoformat(self.checks[0].at) if self.checks else self.created

    @property
    def rows(self) -> int:
        """Of all tables whose rows were dumped."""
        return sum(table.rows for name, table in self.tables.items() if name not in self.excluded)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())

    @property
    def format(self) -> int:
        """Its own: what is found out about a backup later does not change it."""
        return FORMAT if self.cluster is not None else 1

    def is_of(self, database: str, cluster: str | None) -> bool:
        """Return whether it is of this database of this server; None: of any server."""
        return self.database == database and (cluster is None or self.cluster == cluster)

    def last(self, *kinds: str) -> Check | None:
        """The newest check of one of these kinds."""
        return next((check for check in reversed(self.checks) if check.kind in kinds), None)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(folder: Path, manifest: Manifest) -> None:
    """Write it in one step, and onto the disk: after a crash it is there as a whole, or as it was."""
    new = folder / NEW
    with new.open("w", encoding="utf-8") as file:
        file.write(_text(manifest))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / FILE)
    sync(folder)


def read(folder: Path) -> Manifest:
    """Raises UserError for a folder without one, for one of a newer format, and for one with any byte changed."""
    try:
        text = (folder / FILE).read_bytes().decode()
        document = json.loads(text)
        if document["format"] not in range(1, FORMAT + 1):
            raise UserError(f"{folder.name} was made by a newer version of these scripts.", do="bring them up to date")
        found = _manifest(document)
    except OSError as error:
        raise UserError(f"{folder.name} is no backup: its manifest cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"The manifest of {folder.name} is damaged.") from error
    if _text(found) != text:
        raise UserError(f"The manifest of {folder.name} was changed after it was written.")
    return found


def add(folder: Path, manifest: Manifest, check: Check, tell: Tell) -> Manifest:
    """The manifest with one more check, written; where it cannot be, that is told, and what was found counts."""
    new = replace(manifest, checks=[*manifest.checks, check])
    try:
        write(folder, new)
    except OSError as error:
        tell(f"What was found out about {folder.name} cannot be written down: {error.strerror}.")
    return new


def sync(folder: Path) -> None:
    """Bring the names in a folder onto the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _manifest(document: dict[str, Any]) -> Manifest:
    fields = {name: value for name, value in document.items() if name not in ("format", "sha256")}
    fields = dict.fromkeys(_NEW_IN_2) | fields if document["format"] == 1 else fields
    return Manifest(
        **fields
        | {
            "tables": {name: TableSize(**table) for name, table in document["tables"].items()},
            "files": {path: File(**file) for path, file in document["files"].items()},
            "properties": Properties(**document["properties"]),
            "checks": [Check(**check) for check in document["checks"]],
        }
    )


def _text(manifest: Manifest) -> str:
    fields = asdict(manifest)
    if manifest.format == 1:
        fields = {name: value for name, value in fields.items() if name not in _NEW_IN_2}
    document = {"format": manifest.format, **fields}
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    return json.dumps({"format": manifest.format, "sha256": digest, **document}, indent=2) + "\n"
