"""Checks of the target's database itself."""

from scripts.core.doctor.facts import Facts
from scripts.core.errors import UserError
from scripts.core.postgres import environments


def environment(facts: Facts) -> str:
    """Raise UserError if the environment of the database is not set, is set twice, or contradicts APP_ENV."""
    target = facts.target.known()
    stored = environments.read(facts.server.known())
    environments.effective(target, stored)
    if not stored:
        name = target.database_url.database
        raise UserError(
            f"The environment of {name} is {environments.NOT_SET}.",
            do=environments.command(target, target.app_env),
        )
    return f"{stored}; APP_ENV is {target.app_env}"
