"""Differences between models and revision files that the project knows and keeps: alembic/accepted_differences.txt."""

from collections.abc import Iterable

from scripts.core import ROOT
from scripts.core.errors import UserError

FILE = "alembic/accepted_differences.txt"
HEADER = """\
# Differences between the models and the revision files that this project keeps, one on each line.
# To write this file: make revision ACCEPT=differences
"""


def read() -> set[str]:
    """Return the lines of the file. Without a file, nothing is accepted. Raise UserError if it is not in UTF-8."""
    path = ROOT / FILE
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines() if path.exists() else []
    except UnicodeDecodeError as error:
        raise UserError(f"{FILE} is not in UTF-8: {error}.", do="save that file in UTF-8") from error
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def write(lines: Iterable[str]) -> None:
    path = ROOT / FILE
    path.parent.mkdir(exist_ok=True)  # script_location may be elsewhere
    path.write_text(text(lines), encoding="utf-8")


def text(lines: Iterable[str]) -> str:
    """Return the contents of the file with these lines."""
    return HEADER + "".join(f"{line}\n" for line in sorted(lines))
