"""The comparison with all revision files, whose result is kept for make status. `alembic check` does it too."""

from scripts.core import messages
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.migrate import alembic_log
from scripts.core.models import accepted, compare
from scripts.core.models.compare import ModelComparison
from scripts.core.revisions import history, last_comparison
from scripts.core.revisions.history import History
from scripts.core.settings import Settings


def at_head(settings: Settings, revisions: History) -> ModelComparison:
    """Compare as `compare.at_head` does, and keep the result."""
    of = last_comparison.key(settings)
    found = compare.at_head(settings, revisions)
    last_comparison.keep(settings, of, found.reads, found.lines)
    return found


def check(settings: Settings) -> None:
    """Raise UserError if models and revision files differ. Your database is not used."""
    alembic_log.hide_throwaway_databases()
    found = at_head(settings, history.load())
    if found.lines:
        raise UserError(
            "Models and revision files differ:" + "".join(f"\n    {line}" for line in found.lines),
            do='make revision m="what it does", which writes what is missing; or make revision ACCEPT=differences',
        )
    known = f", but for {counted(len(found.accepted), 'difference')} in {accepted.FILE}" if found.accepted else ""
    messages.send(f"Models and revision files match{known}.")
