"""REPORT_DIR: a folder for each verification, named by its time. report.json is written last."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from scripts.core import durable_files
from scripts.core.errors import UserError
from scripts.core.reports import FILE, page, summary

SUMMARY, PAGE = "summary.md", "index.html"


def write(folder: Path, document: dict[str, Any]) -> Path:
    """Write a report, and return its folder. Raise UserError if it cannot be written."""
    started = datetime.fromisoformat(document["started_at"])
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = _new(folder, started)
        (made / PAGE).write_text(page.render(document), encoding="utf-8")
        (made / SUMMARY).write_text(summary.render(document), encoding="utf-8")
        durable_files.write(made / FILE, json.dumps(document, indent=1))
    except OSError as error:
        raise UserError(
            f"The report cannot be written into {folder}: {error.strerror}.",
            do="correct REPORT_DIR in .env, or the owner of the folder",
        ) from error
    return made


def _new(folder: Path, started: datetime) -> Path:
    """Create the folder. Two runs in one second get two names."""
    while True:
        made = folder / f"{started:%Y%m%dT%H%M%SZ}"
        try:
            made.mkdir(mode=0o700)
            return made
        except FileExistsError:
            started += timedelta(seconds=1)
