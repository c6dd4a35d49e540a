"""The places that adopting writes: they must have what this environment came with, or be committed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from scripts.core import ROOT, git
from scripts.core.errors import UserError

LIST = Path(__file__).with_name("example.sha256")
"""The files of the example, as sha256sum lists them."""
FOLDERS = ("app", "alembic/versions", "tests/app", "tests/staging")
EDITED = ("pyproject.toml", "requirements.txt", "requirements-dev.txt", "alembic.ini", "docker-compose.yml")
ACCEPTED = "alembic/accepted_differences.txt"


def files(root: Path = ROOT) -> Iterator[Path]:
    """Yield the files in the folders of the example, without what Python has made."""
    for folder in FOLDERS:
        every = sorted((root / folder).rglob("*")) if (root / folder).is_dir() else []
        yield from (
            one for one in every if one.is_file() and "__pycache__" not in one.parts and not one.name.startswith(".")
        )


def listing(root: Path = ROOT) -> str:
    """Return the list of the files that are there."""
    return "".join(f"{_sum(one)}  {one.relative_to(root)}\n" for one in files(root))


def require(places: list[str]) -> None:
    """Raise UserError unless the folders have exactly the example, and the other `places` are committed."""
    lines = (line.partition("  ") for line in LIST.read_text(encoding="utf-8").splitlines())
    known = {name: checksum for checksum, _, name in lines}
    own = [str(one.relative_to(ROOT)) for one in files() if known.get(str(one.relative_to(ROOT))) != _sum(one)]
    if (ROOT / ACCEPTED).exists():
        own.append(ACCEPTED)
    if own:
        more = f" and {len(own) - 1} more" if len(own) > 1 else ""
        raise UserError(
            f"This checkout has an application already: {own[0]}{more} is not of the example.",
            why="Adopting replaces app/, alembic/versions/, tests/app/ and tests/staging/.",
            do="adopt into a fresh clone. To check what is here: make adopt",
        )
    changed = git.changed(places)
    if changed:
        raise UserError(
            f"There are changes that are not committed: {', '.join(changed[:5])}.",
            why="Adopting writes these files. Git could not bring your changes back.",
            do="commit them, or undo them: git checkout -- " + " ".join(changed[:5]),
        )


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
