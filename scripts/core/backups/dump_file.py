"""A dump that another program took: what kind of file it is, from which version, and its SQL.

pg_restore turns an archive into the SQL of a plain dump, so every kind is read in the same way.
"""

import gzip
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO

from scripts.core import subprocesses
from scripts.core.backups import archive_header, frames, manifest
from scripts.core.backups.archive_header import Versions
from scripts.core.errors import USAGE, UserError
from scripts.core.postgres import client_programs

PLAIN, GZIP, ARCHIVE = "plain", "gzip", "archive"
HEAD = 4096
"""Bytes in which a dump says what it is."""
TAR_AT, TAR, TAR_BLOCK = 257, b"ustar", 512

_PACKED = {b"\x28\xb5\x2f\xfd": "unzstd", b"\x04\x22\x4d\x18": "unlz4", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz"}
"""The begin of other compressed files, and the programs that unpack them."""
_ZIP = b"PK\x03\x04"
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SERVER = re.compile(rb"^-- Dumped from database version (\S+)", re.MULTILINE)
_PG_DUMP = re.compile(rb"^-- Dumped by pg_dump version (\S+)", re.MULTILINE)
_CLUSTER = b"PostgreSQL database cluster dump"
_ONE_DATABASE = "pg_dump --format=custom --file=app.dump DATABASE"


@dataclass(frozen=True)
class Dump:
    path: Path
    name: str
    """As the user wrote it."""
    kind: str
    versions: Versions


def look(path: Path, name: str) -> Dump:
    """Return what the file is, from its begin. Raise UserError if it is no dump that can be loaded."""
    try:
        is_folder = path.is_dir()
        toc = path / "toc.dat" if is_folder else path
        _require_file(path, toc, name)
        if is_folder and (ended := [part.name for part in sorted(path.iterdir()) if frames.cut_short(part)]):
            raise cut_short(name, f"{ended[0]} ends too early")
        head, kind = _head(toc, name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise cut_short(name, str(error)) from error
    except OSError as error:
        raise _unreadable(name, error) from error
    if kind != ARCHIVE:
        _require_one_database(head, name)
        return Dump(path, name, kind, Versions(_first(_SERVER, head), _first(_PG_DUMP, head)))
    begin = TAR_BLOCK if not head.startswith(archive_header.MAGIC) else 0
    return Dump(path, name, kind, archive_header.read(head[begin:]))


def _head(path: Path, name: str) -> tuple[bytes, str]:
    """Return the begin of the file, unpacked, and its kind."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    kind = _kind(head, name)
    if kind == GZIP:
        with gzip.open(path) as unpacked:
            head = unpacked.read(HEAD)
        if _kind(head, name) != PLAIN:
            raise UserError(f"{name} is an archive inside gzip.", do="unpack it with gunzip, then load the result")
    return head, kind


@contextmanager
def opened(dump: Dump) -> Iterator[IO[bytes]]:
    """Yield the SQL of the dump. Raise UserError at its end if it was damaged or cut short."""
    if dump.kind == ARCHIVE:
        with _converted(dump) as file:
            yield file
        return
    try:
        with dump.path.open("rb") as raw, ExitStack() as stack:
            if dump.kind == PLAIN:
                yield raw
                return
            # Without the buffer, each line would be a call of gzip's Python.
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=raw))
            yield stack.enter_context(BufferedReader(unpacked))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise cut_short(dump.name, str(error)) from error


@contextmanager
def _converted(dump: Dump) -> Iterator[IO[bytes]]:
    """Yield the SQL of an archive."""
    pg_restore = client_programs.newest("pg_restore")
    words = [pg_restore, "--file=-", str(dump.path)]
    with subprocesses.started(words, client_programs.ENGLISH, piped=True) as (process, errors):
        assert process.stdout
        with process.stdout as file:
            yield file
        said = subprocesses.complaint(process, errors)
    if "unsupported version" in said:
        raise UserError(
            f"{dump.name} was written by pg_dump {dump.versions.pg_dump}.",
            why=f"The newest pg_restore here is of PostgreSQL {client_programs.major(pg_restore)}, and cannot read it.",
            do=f"take the dump with an older pg_dump, or install PostgreSQL {_major(dump.versions.pg_dump)}'s programs",
        )
    if "not support" in said:
        raise UserError(
            f"{dump.name} cannot be unpacked here: {client_programs.reason(said)}",
            why="The programs of the embedded PostgreSQL have gzip only.",
            do="take the dump with --compress=gzip, or load it with RUNTIME=docker",
        )
    if said:
        raise cut_short(dump.name, client_programs.reason(said))


def require_not_newer(dump: Dump, server: int) -> None:
    """Raise UserError if the dump is of a newer major version than the server, which counts as 170004."""
    major = _major(dump.versions.server)
    if major > server // 10000:
        raise UserError(
            f"{dump.name} is of PostgreSQL {dump.versions.server}, but the server is {server // 10000}.",
            why="A dump can only be loaded into the same or a newer major version.",
            do="set POSTGRES_IMAGE, or DATABASE_URL, to a newer server",
        )


def cut_short(name: str, why: str) -> UserError:
    """Return the error for a file that ends too early or cannot be decoded."""
    return UserError(
        f"{name} is damaged or cut short.",
        why=why,
        do="copy the file again, or take the dump again; compare sizes or checksums",
    )


def _require_file(path: Path, toc: Path, name: str) -> None:
    """Raise UserError unless it is a file, or a folder of pg_dump's. A pipe or a device is never opened."""
    if path.is_dir() and (path / manifest.FILE).exists():
        raise UserError(
            f"{name} is a backup of this tool.", do=f"make restore BACKUP={path.name}   (it compares every row)"
        )
    if path.is_dir() and not toc.exists():
        raise UserError(f"{name} is a folder, but no dump of pg_dump --format=directory.", do=_take(), code=USAGE)
    try:
        found = toc.stat()
    except OSError as error:
        raise _unreadable(name, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise UserError(
            f"{name} is no regular file.", why="The file is read twice: first it is checked.", do="save it as a file",
            code=USAGE,
        )  # fmt: skip
    if not found.st_size:
        raise UserError(f"{name} is empty.", why="pg_dump leaves an empty file when it fails.", do=_take(), code=USAGE)


def _unreadable(name: str, error: OSError) -> UserError:
    return UserError(
        f"{name} cannot be read: {os.strerror(error.errno or 0)}.", do="make load FILE=path/to/the.dump", code=USAGE
    )


def _kind(head: bytes, name: str) -> str:
    """Return what a file with this begin is. Raise UserError for another program's file."""
    if head.startswith(archive_header.MAGIC) or head[TAR_AT:].startswith(TAR):
        return ARCHIVE
    if head.startswith(_GZIP):
        return GZIP
    if head.startswith(_UTF16) or b"\0" in head[:4]:
        raise UserError(
            f"{name} is UTF-16.",
            why="PowerShell's > writes that, and may have replaced characters that it did not know.",
            do="take the dump with pg_dump --file=app.sql, which PowerShell does not change",
        )
    program = next((program for magic, program in _PACKED.items() if head.startswith(magic)), "")
    if program or head.startswith(_ZIP):
        raise UserError(f"{name} is compressed.", do=f"unpack it with {program or 'unzip'}, then load the result")
    if b"\0" in head:
        raise UserError(f"{name} is no dump of PostgreSQL.", do=_take(), code=USAGE)
    return PLAIN


def _require_one_database(head: bytes, name: str) -> None:
    if _CLUSTER in head:
        raise UserError(
            f"{name} is a dump of a whole cluster, with all its databases and roles.",
            why="pg_dumpall wrote it. A load fills one database, and changes nothing else on the server.",
            do=f"dump the one database: {_ONE_DATABASE}",
        )


def _take() -> str:
    return f"take a dump: {_ONE_DATABASE}"


def _first(pattern: "re.Pattern[bytes]", head: bytes) -> str:
    found = pattern.search(head)
    return found[1].decode(errors="replace") if found else ""


def _major(version: str) -> int:
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0
