"""Whether a backup is what it was: every file there with its sum, and every byte of the dump decoded."""

import hashlib
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.core import subprocesses
from scripts.core.backups import frames, store
from scripts.core.backups.manifest import File
from scripts.core.backups.store import Backup
from scripts.core.postgres import client_programs


def sums(path: Path) -> dict[str, File]:
    """Size and SHA-256 of every file of a backup but its manifest."""
    names = sorted(store.files(path))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(names, pool.map(lambda name: _sum(path / name), names), strict=True))


def damage(backup: Backup) -> str:
    """What is wrong with the files, in words; nothing when they are those that were written."""
    found = sums(backup.path)
    said = backup.manifest.files
    faults = [f"{name} is missing" for name in said if name not in found]
    faults += [f"{name} does not belong there" for name in found if name not in said]
    faults += [f"{name} was changed" for name in said if name in found and found[name] != said[name]]
    return "; ".join(sorted(faults)[:5])


def undecodable(dump: Path, major: int) -> str:
    """What speaks against a dump of this major's pg_dump, in pg_restore's words where it does; nothing when all of it
    can be read.

    Written to nowhere, pg_restore decompresses everything and needs no database; but without one it has no --jobs, so
    several of them read a part each.
    """
    if cut := [path.name for path in sorted(dump.iterdir()) if frames.cut_short(path)]:
        return f"{cut[0]} ends too early"
    words = [client_programs.find("pg_restore", major), f"--file={os.devnull}", str(dump)]
    entries = re.findall(r"^\d+;.+", subprocesses.output([words[0], "--list", str(dump)]) or "", re.MULTILINE)
    commands = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(min(client_programs.JOBS, len(entries))):
            part = Path(folder, str(number))
            part.write_text("\n".join(entries[number :: client_programs.JOBS]), encoding="utf-8")
            commands.append([*words, f"--use-list={part}"])
        said = subprocesses.follow_all(commands or [words], {})
    return client_programs.reason(said) if said else ""


def _sum(path: Path) -> File:
    """Of less than no bytes for what is no file that can be read."""
    try:
        if path.is_symlink() or not path.is_file():
            return File(-1, "")
        with path.open("rb") as file:
            return File(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError:
        return File(-1, "")
