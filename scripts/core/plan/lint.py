"""What a plan says of revision files alone: without a target, every table of an earlier revision is large and busy."""

from alembic.script import Script

from scripts.core import git, revision_files
from scripts.core.errors import UserError
from scripts.core.plan import plan, rehearsal, shadow, table_sizes
from scripts.core.plan.plan import NOTHING, Plan
from scripts.core.postgres import rights, scratch
from scripts.core.postgres.advisory_lock import Tell
from scripts.core.revisions import history
from scripts.core.revisions.history import History
from scripts.core.settings import Settings


def new(revisions: History) -> list[Script]:
    """The revisions whose files the main branch has not yet, oldest first. Raises UserError where there is none."""
    branch = git.main_branch()
    if branch is None:
        raise UserError(
            "There is no main branch to compare with.",
            why="Looked for origin/HEAD, origin/main, origin/master, main and master; a shallow clone has none.",
            do="git fetch origin main:refs/remotes/origin/main; or look at all revisions: make lint ALL=1",
        )
    there = git.files_on(branch)
    return [
        script
        for script in history.oldest_first(revisions)
        if revision_files.shown(script.path) not in there and not git.has_revision(branch, script.revision)
    ]


def make(settings: Settings, revisions: History, scripts: list[Script], tell: Tell) -> Plan:
    """Run these revisions, the newest of all, on a database that the files before them made.

    `settings` tell where the scratch server is; their database is not asked. Raises UserError without a scratch server.
    """
    if not scripts:
        return NOTHING
    wanted = history.head(revisions)
    later = {script.revision for script in scripts}
    earlier = [one.revision for one in revisions.walk_revisions() if one.revision not in later]
    before = history.newest(revisions, earlier)
    with scratch.session(settings, rights.default(settings)) as server:
        copy = shadow.build(server, revisions, before, tell)
        tried = rehearsal.run(server, copy, [script.revision for script in scripts], wanted, tell)
    return Plan(
        "the revision files", [plan.planned(one, tried, table_sizes.unknown()) for one in scripts], tried.failure
    )
