"""Checks of the revision files, of those that the database has applied, and of the models."""

import shlex

from scripts.core import git, revision_files
from scripts.core.doctor.diagnosis import NotCheckedError
from scripts.core.doctor.facts import Facts, revision_folders
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.migrate import unfinished_rollback
from scripts.core.revisions import history, last_comparison, migration_log, passed_over, unimported


def files(facts: Facts) -> str:
    """Raise UserError if a revision file cannot be imported, or if the files contradict each other."""
    return counted(len(list(facts.revisions.require().walk_revisions())), "file")


def heads(facts: Facts) -> str:
    """Raise UserError if there are several heads."""
    return f"one head: {history.head(facts.revisions.known())}"


def missing(facts: Facts) -> str:
    """Raise UserError if the database is at a revision that has no file here."""
    history.require_known(facts.revisions.known(), facts.current)
    return f"the database is at {', '.join(facts.current) or 'base'}"


def edited(facts: Facts) -> str:
    """Raise UserError if a file was edited after it was applied."""
    applied = history.files(facts.revisions.known(), facts.current)
    found = migration_log.edited(facts.server.known(), applied)
    if found:
        paths = [revision_files.shown(applied[revision].parent / name) for revision, name in found.items()]
        raise UserError(
            f"Edited after it was applied: {', '.join(paths)}.",
            do=f"git checkout -- {shlex.join(paths)}; then write a new revision",
        )
    return "no applied file was edited"


def uncommitted(facts: Facts) -> str:
    """Raise UserError if the database has applied files that only this checkout has."""
    if not git.commit():
        raise NotCheckedError("git knows no commit here.")
    changed = set(git.uncommitted(revision_folders()))
    applied = history.files(facts.revisions.known(), facts.current).values()
    found = [path for path in map(revision_files.shown, sorted(applied)) if path in changed]
    if found:
        raise UserError(
            f"Applied, and not committed: {', '.join(found)}.",
            do=f"git add {shlex.join(found)} && git commit",
        )
    return "git has each applied file"


def never_ran(facts: Facts) -> str:
    """Raise UserError if a revision before the current one never ran here."""
    passed_over.require_none(facts.server.known(), facts.revisions.known(), facts.current)
    return "no applied revision was passed over"


def rollback(facts: Facts) -> str:
    """Raise UserError if a rollback was begun and is not closed."""
    found = unfinished_rollback.find(facts.server.known())
    if found:
        raise UserError(f"Not finished: {found}.", do="to finish it: make rollback. To cancel it: make migrate")
    return "none"


def imported(facts: Facts) -> str:
    """Raise UserError if a model is not imported, so that autogenerate would drop its table."""
    found = facts.models.require()
    unimported.require_none(facts.target.known())
    if found.failed:
        raise NotCheckedError(f"not looked at for models: {'; '.join(found.failed)}")
    return "each model is in the metadata"


def matched(facts: Facts) -> str:
    """Raise UserError if the models differed from the revision files in the last comparison."""
    found = last_comparison.differences(facts.target.known())
    if found is None:
        raise NotCheckedError("make lint compares them; nothing was compared since the last change.")
    if found:
        raise UserError(
            f"The models describe {counted(len(found), 'difference')} from the revision files: {'; '.join(found[:3])}.",
            do='make revision m="what it does"',
        )
    return "they matched the revision files in the last comparison"
