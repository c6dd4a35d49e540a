"""Checks of the two servers: whether they answer, who may log in, and which versions they have."""

from scripts.core.doctor.diagnosis import NotCheckedError, text_of
from scripts.core.doctor.facts import Facts
from scripts.core.errors import DatabaseMissingError, PasswordError
from scripts.core.postgres import connections, roles


def answers(facts: Facts) -> str:
    """Return which server answers, and where. It may refuse the login or lack the database, as other checks say."""
    target = facts.target.known()
    if isinstance(facts.server.error, PasswordError | DatabaseMissingError):
        return f"PostgreSQL answers at {connections.address(target)}"
    return f"{connections.describe(facts.server.require())} at {connections.address(target)}"


def passwords(facts: Facts) -> str:
    """Raise UserError if a server refuses the login of the owner or of the application."""
    target = facts.target.known()
    if isinstance(facts.server.error, PasswordError):
        raise facts.server.error
    facts.server.known()
    name = roles.application(target)
    if not name:
        return "the owner can log in; the application has the same login"
    try:
        with connections.connect(target, target.application_url):
            return "the owner and the application can log in"
    except PasswordError:
        raise
    except Exception as error:
        raise NotCheckedError(text_of(error)) from error
