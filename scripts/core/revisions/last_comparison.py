"""The result of the last comparison of models and revision files: a file of REPORT_DIR, so that it needs no server."""

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.core import ROOT, application, durable_files, files_read, revision_files
from scripts.core.settings import Settings

FILE = "models.json"
"""Its name in REPORT_DIR."""
_SERVER = ("SCRATCH_HOST", "SCRATCH_PORT", "POSTGRES_IMAGE")


@dataclass(frozen=True)
class Reads:
    """What the models read while they were imported. What they describe depends on it."""

    files: Collection[str] = ()
    """Paths from the top of the checkout."""
    variables: Collection[str] = ()
    """Names of variables of the environment."""


def key(settings: Settings) -> str:
    """Return a hash of all that the result depends on: files, package versions, and the scratch server."""
    folders = [*application.read().packages, revision_files.shown(revision_files.home())]
    files = {
        *(name for folder in folders for name in _files(folder)),
        *map(revision_files.shown, revision_files.source_files()),
    }
    server = [settings.runtime, *(settings.values.get(name, "") for name in _SERVER)]
    return _sum([files_read.content(files), *files_read.packages(), *server])


def keep(settings: Settings, of: str, reads: Reads, lines: Sequence[str]) -> None:
    """Keep the differences that were found for `of`, which is a key. A folder that cannot be written keeps nothing."""
    content = {
        "key": of,
        "files": sorted(reads.files),
        "variables": sorted(reads.variables),
        "content": _content(settings, reads.files, reads.variables),
        "differences": lines,
    }
    with suppress(OSError):
        settings.reports.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable_files.write(settings.reports / FILE, json.dumps(content, indent=1))


def differences(settings: Settings) -> list[str] | None:
    """Return what differed, or None if exactly these models and files were not compared."""
    try:
        known: dict[str, Any] = json.loads((settings.reports / FILE).read_text(encoding="utf-8"))
        of, content = known["key"], _content(settings, known["files"], known["variables"])
        if of != key(settings) or known["content"] != content:
            return None
        return [str(line) for line in known["differences"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _content(settings: Settings, files: Iterable[str], variables: Iterable[str]) -> str:
    """Return a hash of what the models read while they were imported."""
    values = [f"{name}={settings.values.get(name, '')}" for name in sorted(variables)]
    return _sum([files_read.content([*files]), *values])


def _files(folder: str) -> Iterator[str]:
    for parent, _, names in os.walk(ROOT / folder):
        place = os.path.join(os.path.relpath(parent, ROOT) if Path(parent).is_relative_to(ROOT) else parent, "")
        yield from (place + name for name in names if not name.endswith((".pyc", ".pyo")))


def _sum(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()
