"""Constraints and indexes that a revision does not name: the application's naming convention names them."""

from dataclasses import replace

from sqlalchemy import MetaData

from scripts.core import messages, overrides, revision_files, settings
from scripts.core.errors import UnnamedError, UserError
from scripts.core.migrate.run_context import Conditions
from scripts.core.migrate.steps import Steps
from scripts.core.postgres import environments
from scripts.core.revisions import checksum, naming
from scripts.core.revisions.naming import Convention

ID = "names"


def convention(conditions: Conditions, steps: Steps) -> Conditions:
    """Return the conditions with the naming convention, and with the override if it was used."""
    if steps.command == "stamp":
        return conditions
    found = naming.fetch()
    environment = environments.effective(conditions.settings, environments.read(conditions.observer))
    if conditions.tracer:  # on a throwaway database, whose environment is development
        environment = _environment()
    used = [ID] if found.problem and environment != "development" and overrides.accepted(ID) else []
    if not conditions.tracer and (used or environment == "development"):
        _report(found)
    return replace(conditions, names=_metadata(found, environment), overrides=[*conditions.overrides, *used])


def offline() -> MetaData:
    """Return metadata with the naming convention for a command that writes SQL."""
    found, environment = naming.fetch(), _environment()
    if environment == "development" or overrides.accepted(ID):
        _report(found)
    return _metadata(found, environment)


def _environment() -> str:
    """Return APP_ENV. Settings that cannot be read count as production."""
    try:
        return settings.load().app_env
    except UserError:
        return "production"


def _metadata(found: Convention, environment: str) -> MetaData:
    is_allowed = environment == "development" or overrides.accepted(ID)
    return found.metadata(None if is_allowed else lambda: _refuse(found))


def _report(found: Convention) -> None:
    if found.problem:
        messages.send(
            f"PostgreSQL names the constraints that a revision does not name ({', '.join(found.unknown)}):"
            f" the naming convention is not known. {found.problem}"
        )


def _refuse(found: Convention) -> None:
    running = checksum.running()
    place = f"{revision_files.shown(running[0])}, line {running[1]}" if running else "A revision"
    raise UnnamedError(
        f"{place}: this makes a constraint or an index without a name.",
        why=f"The application's naming convention names it, and that is not known here: {found.problem}",
        do="correct that, or name the constraint in the revision. Override with ACCEPT=names.",
    )
