"""Extensions that only the scratch server lacks. A revision that needs one is right, so the rest of it is tried."""

from pathlib import Path

from scripts.core import sqlstates
from scripts.core.postgres import declared_extensions, extensions, scratch_extensions
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import sources
from scripts.core.revisions.history import History

_NOT_INSTALLED = (sqlstates.FEATURE_NOT_SUPPORTED, sqlstates.UNDEFINED_FILE)
# What does not exist without its extension, or because another statement was left out.
_UNDEFINED = (
    sqlstates.UNDEFINED_FUNCTION,
    sqlstates.UNDEFINED_OBJECT,
    sqlstates.UNDEFINED_TABLE,
    sqlstates.UNDEFINED_COLUMN,
    sqlstates.INVALID_SCHEMA_NAME,
)


def elsewhere(server: Scratch) -> list[str] | None:
    """Return the extensions that the target's server offers or has; None if it was not asked."""
    rights = server.rights
    return None if rights.extensions is None else [*rights.offered, *(one.name for one in rights.extensions)]


def lacking(server: Scratch, revisions: History) -> list[str]:
    """Return the extensions that the scratch server lacks: of the target, revisions and [tool.app]."""
    wanted = {one.name for one in server.rights.extensions or ()} | {*declared_extensions.declared()}
    for text in sources.texts([Path(script.path) for script in revisions.walk_revisions()]):
        wanted |= {*extensions.all_named(text)}
    return _only_elsewhere(server, wanted)


def declared(server: Scratch) -> list[str]:
    """Return the extensions of [tool.app] that the scratch server lacks. No revision creates them."""
    found = {*declared_extensions.declared()}
    return _only_elsewhere(server, found) if found else []


def _only_elsewhere(server: Scratch, wanted: set[str]) -> list[str]:
    known, there = elsewhere(server), scratch_extensions.offered(server)
    return sorted(name for name in wanted if name not in there and (known is None or name in known))


def refused(sql: str, error: Exception) -> str:
    """Return the extension that this statement should create and the server does not have, or nothing."""
    return extensions.named(sql) if sqlstates.of(error) in _NOT_INSTALLED else ""


def may_be_needed(error: Exception) -> bool:
    """Return whether the error may come from a missing extension."""
    return sqlstates.of(error) in _UNDEFINED
