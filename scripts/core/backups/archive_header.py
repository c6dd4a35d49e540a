"""The versions in the header of an archive that pg_dump wrote: see ReadHead in pg_backup_archiver.c.

pg_restore refuses the whole header of an archive that a newer pg_dump wrote, so it cannot say which version that was.
"""

from dataclasses import dataclass
from io import BytesIO

MAGIC = b"PGDMP"
COMPRESSED_BY_NAME = (1, 15)
"""Since this format the header has one byte for the compression, instead of a number."""
TIME = 7
"""Numbers from the second to the daylight saving time."""


@dataclass(frozen=True)
class Versions:
    server: str = ""
    pg_dump: str = ""


def read(head: bytes) -> Versions:
    """Return the versions in the begin of an archive, or empty ones if it ends too early."""
    file = BytesIO(head)
    file.seek(len(MAGIC))
    try:
        form = (_byte(file), _byte(file))
        file.seek(1, 1)
        size, _offsets, _format = _byte(file), _byte(file), _byte(file)
        _byte(file) if form >= COMPRESSED_BY_NAME else _number(file, size)
        for _ in range(TIME):
            _number(file, size)
        _text(file, size)  # the database
        return Versions(_text(file, size), _text(file, size))
    except (IndexError, UnicodeDecodeError):
        return Versions()


def _byte(file: BytesIO) -> int:
    return file.read(1)[0]


def _number(file: BytesIO, size: int) -> int:
    sign = _byte(file)
    number = int.from_bytes(file.read(size), "little")
    return -number if sign else number


def _text(file: BytesIO, size: int) -> str:
    return file.read(max(0, _number(file, size))).decode()
