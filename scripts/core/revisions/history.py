"""The revision files: heads, what is pending, what a user means by REV, and revisions that have no file here."""

import sys
import warnings
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import to_tuple
from sqlalchemy import Connection, text

from scripts.core import git, revision_files
from scripts.core.errors import USAGE, UserError
from scripts.core.user_code import contained

History = ScriptDirectory


def load() -> History:
    """The revision files of this checkout.

    Raises UserError when one of them cannot be imported, with file, line and cause.
    """
    history = ScriptDirectory.from_config(revision_files.config())
    try:
        # A program that reads our standard output gets nothing that a revision prints.
        with contained(), redirect_stdout(sys.stderr), warnings.catch_warnings():
            # Two files of one revision, or one after a file that is not there: Alembic only warns, then guesses.
            warnings.filterwarnings("error", r"Revision \S+ (is present more than once|referenced from)", UserWarning)
            history.get_heads()
    except (RevisionError, UserWarning) as error:
        raise UserError(
            f"The revision files contradict each other: {error}",
            do="correct revision or down_revision in one of them, or bring the missing file back",
        ) from error
    except Exception as error:
        raise UserError(
            f"{revision_files.place(error) or 'A revision file'} cannot be imported: {type(error).__name__}: {error}",
            do="correct that file",
        ) from error
    return history


def current(connection: Connection) -> tuple[str, ...]:
    """The revisions that the database says it is at; empty before the first migration."""
    if not connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
        return ()
    return tuple(connection.scalars(text("SELECT version_num FROM alembic_version")))


def script(history: History, revision: str) -> Script:
    """The file of a revision that is known to exist."""
    found = history.get_revision(revision)
    assert found is not None
    return found


def files(history: History, at: Sequence[str]) -> dict[str, Path]:
    """The file of each revision that a database at `at` has run."""
    missing_files = unknown(history, at)
    done = applied(history, [revision for revision in at if revision not in missing_files])
    return {found.revision: Path(found.path) for found in history.walk_revisions() if found.revision in done}


def describe(history: History, revision: str) -> str:
    """A revision as people know it: id and message."""
    found = script(history, revision)
    return f"{found.revision}  {found.doc}"


def head(history: History) -> str:
    """The one head, "base" where there are no files yet; raises UserError naming them when there are several."""
    heads = history.get_heads()
    if len(heads) > 1:
        raise UserError(
            f"There are {len(heads)} heads:" + _listing(history, heads),
            why="Two branches each added a revision after the same one.",
            do='make merge m="merge the two", or give one of them: REV=<revision>',
        )
    return heads[0] if heads else "base"


def resolve(history: History, wanted: str) -> str:
    """The full id of a revision that a user named by id, prefix, `head` or `base`.

    Returns "base" for the empty schema. Raises UserError for one that is unknown or ambiguous, with the candidates.
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
            f"REV={wanted} fits {len(candidates)} revisions:" + _listing(history, candidates),
            do="give more of the id",
            code=USAGE,
        )
    raise UserError(
        f"REV={wanted} is no revision of this checkout. The newest are:" + _listing(history, ids[:5]),
        do="give one of these ids, head or base   (make history lists all)",
        code=USAGE,
    )


def pending(history: History, at: Sequence[str], target: str) -> list[Script]:
    """What an upgrade from `at` to `target` runs, oldest first. Raises UserError when `target` lies behind."""
    done = applied(history, at)
    if target not in (at or ("base",)) and (target == "base" or target in done):
        raise UserError(
            f"{target} lies behind the database, which is at {', '.join(at)}.",
            do=f"make rollback REV={target}",
            code=USAGE,
        )
    wanted = applied(history, [] if target == "base" else [target])
    return [found for found in oldest_first(history) if found.revision in wanted - done]


def oldest_first(history: History) -> list[Script]:
    """All revisions, each after those that it follows."""
    return list(reversed(list(history.walk_revisions())))


def newest(history: History, revisions: Sequence[str]) -> list[str]:
    """Those of the revisions that no other of them follows."""
    scripts = [script(history, revision) for revision in revisions]
    followed = {one for found in scripts for one in to_tuple(found.down_revision, ())}
    return [revision for revision in revisions if revision not in followed]


def missing(history: History, at: Sequence[str]) -> list[Script]:
    """What a database at `at` lacks of all heads, oldest first."""
    done = applied(history, at)
    return [found for found in oldest_first(history) if found.revision not in done]


def undone(history: History, at: Sequence[str], target: str) -> list[Script]:
    """What a downgrade from `at` to `target` undoes, newest first.

    Raises UserError when the database is not past `target`.
    """
    keep = applied(history, [] if target == "base" else [target])
    done = applied(history, at)
    if not keep <= done:
        raise UserError(f"{target} is not applied, so nothing can be rolled back to it.", do="make history", code=USAGE)
    # As Alembic does it: what came in from another branch is not after `target` and stays.
    after = {one for one in done - keep if target == "base" or target in applied(history, [one])}
    return [found for found in history.walk_revisions() if found.revision in after]


def applied(history: History, at: Sequence[str]) -> set[str]:
    """Every revision that a database at `at` has run."""
    return {found.revision for one in at for found in history.iterate_revisions(one, "base")}


def steps_back(history: History, at: Sequence[str], steps: int) -> str:
    """The revision that lies `steps` behind `at`, or "base".

    Raises UserError when there are fewer, saying how many there are, and where history forks on the way.
    """
    count = len(applied(history, at))
    if steps > count:
        raise UserError(
            f"STEPS={steps}, but only {count} revision{'s are' if count != 1 else ' is'} applied.",
            do=f"make rollback STEPS={count}" if count else "",
            code=USAGE,
        )
    places: tuple[str, ...] = tuple(at)
    for _ in range(steps):
        below = script(history, places[0]).down_revision if len(places) == 1 else places
        places = (below,) if isinstance(below, str) else tuple(below or ("base",))
    if len(places) > 1:
        raise UserError(
            f"{steps} steps back is not one place: history forks there, at {', '.join(places)}.",
            do="make rollback REV=<revision>   (make history lists them)",
            code=USAGE,
        )
    return places[0]


def unknown(history: History, at: Iterable[str]) -> list[str]:
    """Revisions that the database is at and this checkout has no file of."""
    known = {found.revision for found in history.walk_revisions()}
    return [revision for revision in at if revision not in known]


def require_known(history: History, at: Iterable[str]) -> None:
    """Raises UserError for a database at a revision without a file ("Can't locate revision identified by"), saying
    where in git history the file is, or that it is nowhere.
    """
    for revision in unknown(history, at):
        place = git.find_revision(revision, revision_files.folders())
        raise UserError(
            f"The database is at revision {revision}, which has no file in this checkout.",
            why=f"{place.path} is in {place.where}." if place else "No commit of this git repository has it either.",
            do=f"git checkout {place.commit} -- {place.path}" if place else _without_file(revision),
        )


def _without_file(revision: str) -> str:
    return (
        f"get the file of {revision} from whoever wrote it; or, if the schema is that of another revision,"
        " say so: make stamp REV=<revision>"
    )


def _listing(history: History, revisions: Sequence[str]) -> str:
    return "".join(f"\n    {describe(history, revision)}" for revision in revisions)
