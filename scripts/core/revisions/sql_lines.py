"""Lines of the SQL files from which revisions execute their statements."""

from functools import lru_cache
from pathlib import Path

from scripts.core import revision_files
from scripts.core.errors import UserError
from scripts.core.revisions import checksum, sources

_last: dict[Path, int] = {}
"""Where the previous statement of each file ended: one text may stand there twice."""


class Line(int):
    """The number of a line in another file than the revision's own."""

    file = ""
    """Its path from the top of the checkout."""


def running(statement: str) -> int | None:
    """Return the line of the innermost frame in a revision file, or the line of its SQL file that has the statement.

    Return None if no revision runs.
    """
    place = checksum.running()
    if not place:
        return None
    return find(statement, Path(place[0])) or place[1]


def find(statement: str, revision: Path) -> Line | None:
    """Return the line of a statement in an SQL file that the revision has read, or None."""
    for path in sorted(sources.read_by(revision)):
        if path.suffix == ".sql" and path.is_file() and statement.strip():
            text = _text(path, path.stat().st_mtime_ns)
            start = text.find(statement, _last.get(path, 0))
            start = text.find(statement) if start < 0 else start
            if start >= 0:
                _last[path] = start + len(statement)
                found = Line(text.count("\n", 0, start) + 1)
                found.file = revision_files.shown(path)
                return found
    return None


def unreadable(error: Exception, revision: Path) -> UserError | None:
    """Return the error that names the SQL file of a revision that is not there, or is not UTF-8, or None."""
    if isinstance(error, FileNotFoundError):
        missing = Path(str(error.filename))
        if missing.parent != revision.parent or not missing.name.startswith(f"{revision.stem}."):
            return None
        name = revision_files.shown(missing)
        return UserError(f"There is no {name}.", why="The revision executes it.", do="put it back, then run this again")
    for path in sorted(sources.read_by(revision)) if isinstance(error, UnicodeDecodeError) else ():
        content = path.read_bytes() if path.suffix == ".sql" and path.is_file() else b""
        try:
            content.decode()
        except UnicodeDecodeError as found:
            line = content.count(b"\n", 0, found.start) + 1
            place = f"{revision_files.shown(path)}, line {line}"
            return UserError(f"{place}: this is not UTF-8.", do="save that file as UTF-8, then run this again")
    return None


@lru_cache(maxsize=4)
def _text(path: Path, _changed: int) -> str:
    return path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")


def file(line: int, own: str) -> str:
    """Return the file that a line is in. `own`: the revision's."""
    return line.file if isinstance(line, Line) else own
