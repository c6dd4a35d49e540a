"""A plan for revision files alone. Without a target, every table of an earlier revision counts as large and busy."""

from alembic.script import Script

from scripts.core import git, revision_files
from scripts.core.errors import UserError
from scripts.core.plan import plan, rehearsal, shadow, table_sizes
from scripts.core.plan.plan import NOTHING, Plan
from scripts.core.postgres import rights, scratch
from scripts.core.revisions import history, naming
from scripts.core.revisions.history import History
from scripts.core.settings import Settings


def new(revisions: History) -> list[Script]:
    """Return the revisions that the main branch lacks, oldest first. Raise UserError if there is no such branch."""
    branch = git.main_branch()
    if branch is None:
        raise UserError(
            "There is no main branch to compare with.",
            why="None of origin/HEAD, origin/main, origin/master, main and master exists; a shallow clone has none.",
            do="git fetch origin main:refs/remotes/origin/main; or check all revisions: make lint ALL=1",
        )
    there = git.files_on(branch)
    return [
        script
        for script in history.oldest_first(revisions)
        if revision_files.shown(script.path) not in there and not git.has_revision(branch, script.revision)
    ]


def make(settings: Settings, revisions: History, scripts: list[Script]) -> Plan:
    """Run these revisions, the newest ones, on a database that the files before them created.

    `settings` name the scratch server; their target is not used. Raise UserError without a scratch server.
    """
    if not scripts:
        return NOTHING
    wanted = history.head(revisions)
    later = {script.revision for script in scripts}
    earlier = [one.revision for one in revisions.walk_revisions() if one.revision not in later]
    before = history.newest(revisions, earlier)
    naming.fetch()
    with scratch.session(settings, rights.default(settings)) as server:

        def copy() -> Settings:
            return shadow.build(server, revisions, before, partial=True)

        tried = rehearsal.run(server, revisions, [script.revision for script in scripts], wanted, copy)
    weights = table_sizes.unknown(settings.limits)
    return Plan(
        "the revision files",
        plan.planned(scripts, tried, weights),
        tried.failure,
    )
