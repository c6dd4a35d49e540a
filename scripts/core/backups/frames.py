"""Check whether a compressed file is complete or was cut short.

pg_restore accepts a zstd frame that was cut, even to nothing: `Zstd_read` of PostgreSQL 17 (in
src/bin/pg_dump/compress_zstd.c) stops at the end of the file. For gzip it only misses a cut before the second byte.
"""

import os
from pathlib import Path
from typing import BinaryIO

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_RLE = 1


def cut_short(path: Path) -> bool:
    """Return whether the file was cut short. Read only the headers of zstd blocks, about one in 100 kB. Raise OSError.

    pg_dump's file of an empty large object has no frame.
    """
    size = path.stat().st_size
    if not size and path.name.startswith("blob_"):
        return False
    with path.open("rb") as file:
        if path.suffix == ".zst":
            return _end(file) != size
        return path.suffix == ".gz" and file.read(2) != _GZIP


def _end(file: BinaryIO) -> int:
    """Return where the first frame ends, or -1 if the file ends earlier: RFC 8878, section 3.1.1."""
    head = file.read(5)
    if len(head) < 5 or not head.startswith(_ZSTD):
        return -1
    flags = head[4]
    single_segment, checksum = flags >> 5 & 1, flags >> 2 & 1
    file.seek((not single_segment) + (0, 1, 2, 4)[flags & 3] + (single_segment, 2, 4, 8)[flags >> 6], os.SEEK_CUR)
    last = 0
    while not last:
        block = file.read(3)
        if len(block) < 3:
            return -1
        header = int.from_bytes(block, "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        file.seek(1 if kind == _RLE else size, os.SEEK_CUR)
    return file.tell() + 4 * checksum
