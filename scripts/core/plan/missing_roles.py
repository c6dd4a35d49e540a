"""Roles that revisions name and the target's server lacks. They are created on the scratch server without a login."""

from scripts.core import messages
from scripts.core.plan.empty_copy import MakeRole
from scripts.core.postgres import scratch, sql
from scripts.core.postgres.scratch import Scratch


def maker(server: Scratch) -> MakeRole:
    """Return the callback for the child that creates a role, if the session may create roles.

    It says so if the target's server was asked for its roles: there the revision would fail.
    """

    def make(name: str) -> None:
        scratch.make_roles(server, [name])
        if server.rights.extensions is not None:
            messages.send(
                f"The target's server has no role {name}, which a revision names."
                f" Before make migrate: CREATE ROLE {sql.name(name)}"
            )

    return make
