"""Whether a backup is intact: every file exists with its checksum, and the whole dump can be decoded."""

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.core import subprocesses, temporary_folders
from scripts.core.backups import frames, store
from scripts.core.backups.manifest import File
from scripts.core.backups.store import Backup
from scripts.core.postgres import client_programs


def sums(path: Path) -> dict[str, File]:
    """Return the size and SHA-256 of every file of a backup except its manifest."""
    names = sorted(store.files(path))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(names, pool.map(lambda name: _sum(path / name), names), strict=True))


def damage(backup: Backup) -> str:
    """Return what is wrong with the files, as a text; nothing if they are as they were written."""
    found = sums(backup.path)
    said = backup.manifest.files
    faults = [f"{name} is missing" for name in said if name not in found]
    faults += [f"{name} is not part of the backup" for name in found if name not in said]
    faults += [f"{name} was changed" for name in said if name in found and found[name] != said[name]]
    return "; ".join(sorted(faults)[:5])


def undecodable(dump: Path, major: int) -> str:
    """Return why a dump of this major version cannot be read, or nothing if it can.

    pg_restore decompresses everything and discards it, which needs no database. Without a database it has no --jobs, so
    several of them read a part each.
    """
    if cut := [path.name for path in sorted(dump.iterdir()) if frames.cut_short(path)]:
        return f"{cut[0]} ends too early"
    words = [client_programs.find("pg_restore", major), f"--file={os.devnull}", str(dump)]
    jobs = client_programs.jobs(sum(path.stat().st_size for path in dump.iterdir()))
    with temporary_folders.folder() as folder:
        parts = _parts(words, folder, jobs) if jobs > 1 else []
        said = subprocesses.follow_all(parts or [words], {})
    return client_programs.reason(said) if said else ""


def _parts(words: list[str], folder: Path, jobs: int) -> list[list[str]]:
    """Return a command for each part of the dump. Its list of entries is written into the folder."""
    entries = re.findall(r"^\d+;.+", subprocesses.output([words[0], "--list", words[-1]]) or "", re.MULTILINE)
    commands = []
    for number in range(min(jobs, len(entries))):
        part = folder / str(number)
        part.write_text("\n".join(entries[number::jobs]), encoding="utf-8")
        commands.append([*words, f"--use-list={part}"])
    return commands


def _sum(path: Path) -> File:
    """Return size and checksum. A file that cannot be read has a negative size."""
    try:
        if path.is_symlink() or not path.is_file():
            return File(-1, "")
        with path.open("rb") as file:
            return File(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError:
        return File(-1, "")
