"""The revision files: heads, pending revisions, the meaning of REV, and revisions without a file here."""

import re
import shlex
import sys
import warnings
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import to_tuple
from sqlalchemy import Connection

from scripts.core import git, missing_packages, revision_files, revision_modules, settings
from scripts.core.errors import USAGE, UserError
from scripts.core.formatting import counted
from scripts.core.postgres import own_tables
from scripts.core.revisions import sources
from scripts.core.user_code import contained

History = ScriptDirectory
LONGEST_ID = 32
"""Alembic makes the column of the version with this length."""
_NOWHERE = "No commit of this git repository has that file."
_NO_GIT = "There is no git repository here, as in the image of a release."
_WITHOUT_FILE = (
    "make recover   (the database keeps the files that it has applied)."
    " If the schema is that of another revision: make stamp REV=<revision>"
)
_WIDENS = re.compile(r"\bversion_num\b")


def load() -> History:
    """Return the revision files of this checkout.

    Raise UserError with file, line and cause if one of them cannot be imported.
    """
    history = ScriptDirectory.from_config(revision_files.config())
    sources.watch(history.dir)
    revision_modules.reuse()
    try:
        # A program that reads our standard output must not get the output of a revision.
        with contained(defaults=settings.nowhere()), redirect_stdout(sys.stderr), warnings.catch_warnings():
            # For two files of one revision, or a missing earlier file, Alembic only warns and then guesses.
            warnings.filterwarnings("error", r"Revision \S+ (is present more than once|referenced from)", UserWarning)
            history.get_heads()
    except (RevisionError, UserWarning) as error:
        raise UserError(
            f"The revision files contradict each other: {error}",
            do="correct revision or down_revision in one of them; or write a missing file again: make recover",
            check="revision-files",
        ) from error
    except Exception as error:
        raise UserError(
            f"{revision_files.place(error) or 'A revision file'} cannot be imported: {type(error).__name__}: {error}",
            do=missing_packages.install(error) or "correct that file",
            check="revision-files",
        ) from error
    revision_files.require_sources(found.path for found in history.walk_revisions())
    _require_short_ids(history)
    return history


def _require_short_ids(history: History) -> None:
    """Raise UserError for an id that the version table cannot hold, unless a revision widens its column."""
    long = [found for found in history.walk_revisions() if len(found.revision) > LONGEST_ID]
    if long and not any(map(_WIDENS.search, sources.texts([Path(found.path) for found in history.walk_revisions()]))):
        path, revision = long[-1].path, long[-1].revision
        raise UserError(
            f"{revision_files.shown(path)}: the id {revision} has {len(revision)} characters.",
            why=f"The column version_num of {own_tables.VERSION} holds {LONGEST_ID}.",
            do="shorten revision in that file, and down_revision in the files that follow it",
        )


def current(connection: Connection) -> tuple[str, ...]:
    """Return the revisions that the database is at; none before the first migration."""
    return own_tables.revisions(connection)


def script(history: History, revision: str) -> Script:
    """Return the file of a revision that is known to exist."""
    found = history.get_revision(revision)
    assert found is not None
    return found


def files(history: History, at: Sequence[str]) -> dict[str, Path]:
    """Return the file of each revision that a database at `at` has run."""
    missing_files = unknown(history, at)
    done = applied(history, [revision for revision in at if revision not in missing_files])
    return {found.revision: Path(found.path) for found in history.walk_revisions() if found.revision in done}


def describe(history: History, revision: str) -> str:
    """Return a revision for people: its id and message."""
    found = script(history, revision)
    return f"{found.revision}  {found.doc}"


def head(history: History) -> str:
    """Return the head, or "base" if there are no files yet. Raise UserError if there are several heads."""
    heads = history.get_heads()
    if len(heads) > 1:
        raise UserError(
            f"There are {len(heads)} heads:" + _listing(history, heads),
            why="Two branches have each added a revision after the same one.",
            do='make merge m="merge the two", or name one of them: REV=<revision>',
            check="heads",
        )
    return heads[0] if heads else "base"


def resolve(history: History, wanted: str) -> str:
    """Return the full id of a revision that a user named by id, prefix, `head` or `base`.

    Return "base" for the empty schema. Raise UserError with the candidates for an unknown or ambiguous name.
    """
    if wanted == "base":
        return "base"
    if wanted in ("head", "heads"):
        return head(history)
    ids = [found.revision for found in history.walk_revisions()]
    candidates = [wanted] if wanted in ids else [found for found in ids if wanted and found.startswith(wanted)]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise UserError(
            f"REV={wanted} matches {len(candidates)} revisions:" + _listing(history, candidates),
            do="type more of the id",
            code=USAGE,
        )
    raise UserError(
        f"REV={wanted} is no revision of this checkout. The newest ones are:" + _listing(history, ids[:5]),
        do="use one of these ids, head or base   (make history lists all)",
        code=USAGE,
    )


def pending(history: History, at: Sequence[str], target: str) -> list[Script]:
    """Return what an upgrade from `at` to `target` runs, oldest first. Raise UserError if `target` is older."""
    done = applied(history, at)
    if target not in (at or ("base",)) and (target == "base" or target in done):
        raise UserError(
            f"{target} is older than the database, which is at {', '.join(at)}.",
            do=f"make rollback REV={shlex.quote(target)}",
            code=USAGE,
        )
    wanted = applied(history, [] if target == "base" else [target])
    return [found for found in oldest_first(history) if found.revision in wanted - done]


def oldest_first(history: History) -> list[Script]:
    """Return all revisions, each after the revisions that it follows."""
    return list(reversed(list(history.walk_revisions())))


def newest(history: History, revisions: Sequence[str]) -> list[str]:
    """Return those of the revisions that no other of them follows."""
    scripts = [script(history, revision) for revision in revisions]
    followed = {one for found in scripts for one in to_tuple(found.down_revision, ())}
    return [revision for revision in revisions if revision not in followed]


def missing(history: History, at: Sequence[str]) -> list[Script]:
    """Return what a database at `at` lacks of all heads, oldest first."""
    done = applied(history, at)
    return [found for found in oldest_first(history) if found.revision not in done]


def undone(history: History, at: Sequence[str], target: str) -> list[Script]:
    """Return what a downgrade from `at` to `target` undoes, newest first.

    Raise UserError if the database has not applied `target`.
    """
    keep = applied(history, [] if target == "base" else [target])
    done = applied(history, at)
    if not keep <= done:
        raise UserError(f"{target} is not applied, so a rollback cannot end there.", do="make history", code=USAGE)
    # As in Alembic: revisions of another branch are not after `target`, and stay.
    after = {one for one in done - keep if target == "base" or target in applied(history, [one])}
    return [found for found in history.walk_revisions() if found.revision in after]


def applied(history: History, at: Sequence[str]) -> set[str]:
    """Return every revision that a database at `at` has run."""
    return {found.revision for one in at for found in history.iterate_revisions(one, "base")}


def steps_back(history: History, at: Sequence[str], steps: int) -> str:
    """Return the revision `steps` before `at`, or "base".

    Raise UserError if there are fewer revisions, with their number, or if the history forks on the way.
    """
    count = len(applied(history, at))
    if steps > count:
        raise UserError(
            f"STEPS={steps}, but only {counted(count, 'revision')} {'are' if count != 1 else 'is'} applied.",
            do=f"make rollback STEPS={count}" if count else "",
            code=USAGE,
        )
    places: tuple[str, ...] = tuple(at)
    for _ in range(steps):
        below = script(history, places[0]).down_revision if len(places) == 1 else places
        places = (below,) if isinstance(below, str) else tuple(below or ("base",))
    if len(places) > 1:
        raise UserError(
            f"{counted(steps, 'step')} back {'leads' if steps == 1 else 'lead'} to several revisions,"
            f" because branches meet there: {', '.join(places)}.",
            do=f"make rollback REV={places[0]}   (it undoes what is above that revision)",
            code=USAGE,
        )
    return places[0]


def unknown(history: History, at: Iterable[str]) -> list[str]:
    """Return the revisions that the database is at and that have no file in this checkout."""
    known = {found.revision for found in history.walk_revisions()}
    return [revision for revision in at if revision not in known]


def lacking(history: History, at: Iterable[str]) -> set[str]:
    """Return the heads that a database at `at` lacks.

    A revision that this code does not know belongs to a newer release or a colleague, so nothing is lacking then.
    """
    return set() if unknown(history, at) else set(history.get_heads()) - set(at)


def require_known(history: History, at: Iterable[str]) -> None:
    """Raise UserError for a database at a revision without a file, Alembic's "Can't locate revision identified by".

    The error says which commit of git has the file, or that none has it.
    """
    for revision in unknown(history, at):
        place = git.find_revision(revision, revision_files.folders())
        raise UserError(
            f"The database is at revision {revision}, which has no file in this checkout.",
            why=f"{place.path} is in {place.where}." if place else _NOWHERE if git.commit() else _NO_GIT,
            do=f"make recover; or: git checkout {place.commit} -- {shlex.quote(place.path)}"
            if place
            else _WITHOUT_FILE,
            check="missing-files",
        )


def _listing(history: History, revisions: Sequence[str]) -> str:
    return "".join(f"\n    {describe(history, revision)}" for revision in revisions)
