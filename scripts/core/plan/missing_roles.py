"""Roles that revisions name and the target's server lacks. They are created on the scratch server without a login."""

from scripts.core import messages
from scripts.core.plan.empty_copy import MakeRoles
from scripts.core.postgres import scratch, sql
from scripts.core.postgres.scratch import Scratch


def maker(server: Scratch) -> MakeRoles:
    """Return the callback for the child that creates roles, if the session may create roles.

    It says so if the target's server was asked for its roles: there the revision would fail.
    """

    def make(names: list[str]) -> bool:
        for name in scratch.make_roles(server, names):
            if server.rights.extensions is not None:
                messages.send(
                    f"The target's server has no role {name}, which a revision names."
                    f" Before make migrate: CREATE ROLE {sql.name(name)}"
                )
        return server.login.is_separate

    return make
