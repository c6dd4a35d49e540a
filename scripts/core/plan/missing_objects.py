"""What the scratch server's administrator makes for revisions: roles, and extensions that only superusers create."""

from scripts.core import messages
from scripts.core.plan.empty_copy import EXTENSION, Make
from scripts.core.postgres import scratch, scratch_extensions, sql
from scripts.core.postgres.scratch import Scratch
from scripts.core.settings import Settings


def maker(server: Scratch, made: Settings) -> Make:
    """Return the callback for the child that makes what is missing in the database `made`, or on its server."""

    def make(kind: str, names: list[str]) -> bool:
        return _extensions(server, made, names) if kind == EXTENSION else _roles(server, names)

    return make


def _roles(server: Scratch, names: list[str]) -> bool:
    """Create roles without a login, if the session may.

    Say so if the target's server was asked for its roles: there the revision would fail.
    """
    for name in scratch.make_roles(server, names):
        if server.rights.extensions is not None:
            messages.send(
                f"The target's server has no role {name}, which a revision names."
                f" Before make migrate: CREATE ROLE {sql.name(name)}"
            )
    return server.login.is_separate


def _extensions(server: Scratch, made: Settings, names: list[str]) -> bool:
    """Create extensions, if the target was not asked for its own: an administrator may have created them there."""
    if server.rights.extensions is not None or not server.login.is_separate:
        return False
    scratch_extensions.make(server, made, names)
    return True
