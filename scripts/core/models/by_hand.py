"""What `alembic check` and `alembic revision --autogenerate` do here, and the comparison whose result is kept."""

from typing import Any

from alembic.autogenerate import RevisionContext

from scripts.core import application, formatting, messages, revision_files
from scripts.core.errors import USAGE, UserError
from scripts.core.migrate import alembic_log
from scripts.core.models import compare, report, write
from scripts.core.models.compare import ModelComparison
from scripts.core.models.written import Asked, Written
from scripts.core.revisions import history, last_comparison, models
from scripts.core.revisions.history import History
from scripts.core.settings import Settings


def at_head(settings: Settings, revisions: History) -> ModelComparison:
    """Compare as `compare.at_head` does, and keep the result."""
    of = last_comparison.key(settings)
    found = compare.at_head(settings, revisions)
    last_comparison.keep(settings, of, found.reads, found.lines)
    if found.lines:
        name_variables(found)
    return found


def name_variables(found: ModelComparison) -> None:
    """Say which variables of the environment the models read, if any."""
    if names := ", ".join(sorted(found.reads.variables)):
        messages.send(
            f"The models read {names} from the environment. With other values they may describe other tables."
        )


def check(settings: Settings) -> None:
    """Raise UserError if models and revision files differ. Your database is not used."""
    alembic_log.hide_migrations()
    found = at_head(settings, history.load())
    if found.lines:
        raise UserError(
            "Models and revision files differ:" + "".join(f"\n    {line}" for line in found.lines),
            do='make revision m="what it does", which writes what is missing; or make revision ACCEPT=differences',
        )
    is_known = application.read().metadata
    messages.send(f"Models and revision files match{found.exceptions}." if is_known else f"{models.NONE}.")


def write_revision(settings: Settings, revisions: History, asked: Asked) -> Written:
    """Write a revision as `write.revision` does, and keep the result of the comparison."""
    written = write.revision(settings, revisions, asked)
    found = written.comparison
    last_comparison.keep(settings, last_comparison.key(settings), found.reads, found.lines)
    if written.path:
        name_variables(found)
    return written


def revision(settings: Settings, begun: RevisionContext) -> None:
    """Do what make revision does, in place of what Alembic has begun: your database is not used.

    RENAME, FILL and ACCEPT are variables here too. Raise UserError if the models describe more, or as `write.revision`
    does.
    """
    alembic_log.hide_migrations()
    revisions, given, values = history.load(), begun.command_args, settings.values
    message = _message(given, history.head(revisions))
    asked = Asked(message, values.get("RENAME", ""), values.get("FILL", ""), str(given["rev_id"] or ""))
    written = write_revision(settings, revisions, asked)
    begun.generated_revisions.clear()
    for line, _ in report.lines(written, message):
        begun.config.print_stdout("%s", formatting.message(line))
    if not report.is_whole(written):
        where = revision_files.shown(written.path) if written.path else "no revision"
        raise UserError("That is not all.", do="add by hand what is named above", state=f"{where} was written.")


def _message(given: dict[str, Any], head: str) -> str:
    """Return the message of a revision. Raise UserError without one, or for an option that make revision lacks."""
    options = {name: given[name] for name in ("splice", "branch_label", "version_path", "depends_on") if given[name]}
    if given["head"] not in (None, "head", "heads", head):
        options["head"] = given["head"]
    if options:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in options)
        raise UserError(
            f"--autogenerate does not take {names} here.",
            why="It does what make revision does: the file follows the head, and runs up, down and up.",
            do="leave that out; or leave --autogenerate out, and write the revision by hand",
            state="no revision was written.",
            code=USAGE,
        )
    if not (message := str(given["message"] or "").strip()):
        do = 'alembic revision --autogenerate -m "what it does"'
        raise UserError("A revision needs a message.", do=do, state="no revision was written.", code=USAGE)
    return message
