"""The manifest of a backup: its contents, checksums of its files, and the results of later checks.

    {"format": 2, "sha256": sum of this document without this line,
     "cluster": the identity of the server, "fingerprint_version": of the reading; format 1 has neither,
     "database", "environment": the database's, "label": NAME=..., "created_at": UTC, "seconds",
     "server": 170004 as PostgreSQL counts, "client": major of pg_dump, "compression",
     "revision": [...], "fingerprint", "large_objects": n, "extensions": {name: version},
     "tables": {name: {"rows", "bytes"}}, "excluded": tables without their rows,
     "properties": owner, comment, settings and grants of the database itself, "roles": those that the dump names,
     "files": {path: {"bytes", "sha256"}},
     "checks": [{"at", "kind": quick, full or after, "passed", "seconds", "found"}]}

Programs may rely on the names. FORMAT grows when one of them changes its meaning.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from scripts.core import durable_files, messages
from scripts.core.backups.database_properties import Properties
from scripts.core.errors import UserError

FILE = "manifest.json"
NEW = durable_files.unfinished(FILE)
FORMAT = 2
_NEW_IN_2 = ("cluster", "fingerprint_version")
_types = cache(get_type_hints)


@dataclass(frozen=True)
class TableSize:
    rows: int
    bytes: int
    """The size on the server's disk, without indexes."""


@dataclass(frozen=True)
class File:
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Check:
    at: str
    kind: str
    """quick: checksums and decoding; full: a restore too; after: BACKUP_AFTER."""
    passed: bool
    seconds: float
    found: str
    """What was wrong, or nothing."""


@dataclass(frozen=True)
class Manifest:
    cluster: str | None
    """The identity of the server; None for format 1."""
    fingerprint_version: int | None
    """The version of the reading that made the fingerprint and the schema; None for format 1."""
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
        """Return the time by the clock of that moment. `created` is later if that clock was behind an older backup."""
        return datetime.fromisoformat(self.checks[0].at) if self.checks else self.created

    @property
    def rows(self) -> int:
        """Return the number of rows of all tables whose rows were dumped."""
        return sum(table.rows for name, table in self.tables.items() if name not in self.excluded)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())

    @property
    def format(self) -> int:
        """Return the backup's own format, which later checks do not change."""
        return FORMAT if self.cluster is not None else 1

    def is_of(self, database: str, cluster: str | None) -> bool:
        """Return whether it is a backup of this database on this server; None: on any server."""
        return self.database == database and (cluster is None or self.cluster == cluster)

    def last(self, *kinds: str) -> Check | None:
        """Return the newest check of one of these kinds, or None."""
        return next((check for check in reversed(self.checks) if check.kind in kinds), None)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of the backup in this folder."""
    durable_files.write(folder / FILE, _text(manifest))


def read(folder: Path) -> Manifest:
    """Return the manifest. Raise UserError if it is missing, changed, or of a newer format."""
    try:
        text = (folder / FILE).read_bytes().decode()
        document = json.loads(text)
        if document["format"] not in range(1, FORMAT + 1):
            raise UserError(f"{folder.name} was made by a newer version of these scripts.", do="update this checkout")
        found = _manifest(document)
        if not _fits(found, Manifest) or None in map(datetime.utcoffset, (found.created, found.taken)):
            raise ValueError
    except OSError as error:
        raise UserError(f"{folder.name} is no backup: its manifest cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"The manifest of {folder.name} is damaged.") from error
    if _text(found) != text:
        raise UserError(f"The manifest of {folder.name} was changed after it was written.")
    return found


def add(folder: Path, manifest: Manifest, check: Check) -> Manifest:
    """Return the manifest with one more check, and write it. If it cannot be written, report that and go on."""
    new = replace(manifest, checks=[*manifest.checks, check])
    try:
        write(folder, new)
    except OSError as error:
        messages.send(f"The result of the check of {folder.name} cannot be recorded: {error.strerror}.")
    return new


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


def _fits(value: Any, kind: Any) -> bool:
    """Return whether the value is of the type that a dataclass says."""
    of, parts = get_origin(kind), get_args(kind)
    if of is list:
        return isinstance(value, list) and all(_fits(one, parts[0]) for one in value)
    if of is dict:
        return isinstance(value, dict) and all(map(partial(_fits, kind=parts[1]), value.values()))
    if parts:
        return any(_fits(value, part) for part in parts)
    if isinstance(kind, type) and is_dataclass(kind):
        fields = _types(kind).items()
        return type(value) is kind and all(_fits(getattr(value, name), type_) for name, type_ in fields)
    return kind is Any or type(value) in ((int, float) if kind is float else (kind,))


def _text(manifest: Manifest) -> str:
    fields = asdict(manifest)
    if manifest.format == 1:
        fields = {name: value for name, value in fields.items() if name not in _NEW_IN_2}
    document = {"format": manifest.format, **fields}
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    return json.dumps({"format": manifest.format, "sha256": digest, **document}, indent=2) + "\n"
