"""What plug-ins of Alembic, such as alembic_utils, want to change. Their objects are no part of the metadata."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import extract_tb
from typing import Any

from alembic.autogenerate import comparators, produce_migrations
from alembic.operations.ops import OpContainer
from alembic.runtime.environment import EnvironmentContext
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from scripts.core import ROOT, application, redaction, revision_files
from scripts.core.errors import UserError
from scripts.core.postgres import connections
from scripts.core.revisions import history, models
from scripts.core.settings import Settings

_ENUMS = re.compile(r"^\s*(?:import|from) alembic_postgresql_enum\b", re.MULTILINE)


def write_enums() -> bool:
    """Return whether the project has the plug-in alembic_postgresql_enum. Then it writes what happens to enums."""
    files = [
        revision_files.home() / "env.py",
        *(path for name in application.read().packages for path in (ROOT / name).rglob("*.py")),
    ]
    return any(_ENUMS.search(path.read_text(encoding="utf-8", errors="replace")) for path in files)


def wanted(copy: Settings) -> list[str]:
    """Return a line for each operation that is not Alembic's own. This runs in the child."""
    metadata = models.metadata()  # the models register the plug-ins
    if not _are_there():
        return []
    with connections.connect(copy) as connection:
        # As in env.py: plug-ins, which a revision may import, look for the environment and its options.
        environment = EnvironmentContext(revision_files.config(), history.load())
        environment.configure(connection=connection, **models.compared(metadata))
        try:
            with explained():
                found = produce_migrations(environment.get_context(), metadata).upgrade_ops
        except CommandError:
            raise
        except Exception as error:
            frame = extract_tb(error.__traceback__)[-1]
            raise UserError(
                f"Autogenerate cannot compare the models: {type(error).__name__}: {error}",
                why=f"The error is from {frame.filename}, line {frame.lineno}.",
                do="see: make alembic c=check",
            ) from error
        if not found:
            return []
        leave_out_own_rights(found, str(copy.database_url.username))
        return [_words(one) for one in _foreign(found)]


def _are_there() -> bool:
    """Return whether there is one. Before Alembic 1.18 its own comparisons are in the same list, and of no plug-in."""
    listed = (one for several in comparators._registry.values() for one in several)
    functions = (one[0] if isinstance(one, tuple) else one for one in listed)
    named = getattr(sys.modules.get("alembic.runtime.plugins"), "_all_plugins", ())
    return not all(f"{name}.".startswith("alembic.") for name in [*named, *(one.__module__ for one in functions)])


@contextmanager
def explained() -> Iterator[None]:
    """Raise UserError if autogenerate fails because a plug-in tries its objects before their tables are there."""
    try:
        yield
    except DBAPIError as error:
        if not _are_there():
            raise
        raise UserError(
            f"A plug-in of Alembic cannot compare its objects: {redaction.message(error)}",
            why="It makes them, such as a view, on a database without what the models add to its tables.",
            do="leave these objects out of the models, make revision, put them back, and make revision again",
        ) from error


def leave_out_own_rights(found: OpContainer, owner: str) -> None:
    """Take away operations that revoke rights of the owner. alembic_utils takes them for grants that no model has.

    It knows none of a superuser's, so it is not seen where a superuser migrates.
    """
    found.ops[:] = [
        one
        for one in found.ops
        if type(one).__name__ != "DropOp" or getattr(getattr(one, "target", None), "role", None) != owner
    ]


def _foreign(found: OpContainer) -> Iterator[Any]:
    for one in found.ops:
        if isinstance(one, OpContainer):
            yield from _foreign(one)
        elif not type(one).__module__.startswith("alembic."):
            yield one


def _words(operation: Any) -> str:
    kind, rest = type(operation).__name__, tuple[Any, ...]()
    with suppress(NotImplementedError, AttributeError):
        kind, *rest = operation.to_diff_tuple()
    name = next((one for one in rest if isinstance(one, str)), "")
    return f"a plug-in of Alembic wants: {kind.replace('_', ' ')} {name}".rstrip()
