"""Checks of the two servers: whether they answer, who may log in, their versions and their clocks."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from scripts.core.backups import freshness
from scripts.core.doctor.diagnosis import NotCheckedError, text_of
from scripts.core.doctor.facts import Facts
from scripts.core.errors import DatabaseMissingError, PasswordError, UserError
from scripts.core.postgres import advisory_lock, client_programs, connections, roles

_CLOCK = text("SELECT clock_timestamp()")
CLIENTS = ("pg_dump", "pg_restore")


def answers(facts: Facts) -> str:
    """Return which server answers, and where. It may refuse the login or lack the database, as other checks say."""
    target = facts.target.known()
    if isinstance(facts.server.error, PasswordError | DatabaseMissingError):
        return f"PostgreSQL answers at {connections.address(target)}"
    return f"{connections.describe(facts.server.require())} at {connections.address(target)}"


def scratch(facts: Facts) -> str:
    """Raise UserError if the scratch server does not answer, and no command would start it."""
    target, error = facts.target.known(), facts.scratch.error
    is_started = target.runtime == "docker" or (target.runtime == "embedded" and not target.values.get("SCRATCH_HOST"))
    if is_started and isinstance(error, UserError) and not isinstance(error, PasswordError):
        return "not running; a command that needs it starts it"
    if isinstance(error, PasswordError):
        raise UserError(f"The scratch server refuses its administrator: {error.problem}", do="make roles")
    if isinstance(error, UserError) and target.values.get("SCRATCH_HOST"):
        raise UserError(
            f"The scratch server does not answer: {error.problem}", do="correct SCRATCH_HOST and SCRATCH_PORT in .env"
        )
    return connections.describe(facts.scratch.require())


def passwords(facts: Facts) -> str:
    """Raise UserError if a server refuses the login of the owner or of the application."""
    target = facts.target.known()
    if isinstance(facts.server.error, PasswordError):
        raise facts.server.error
    facts.server.known()
    if not roles.application(target):
        return "the owner can log in; the application has the same login"
    try:
        with connections.connect(target, target.application_url):
            return "the owner and the application can log in"
    except PasswordError:
        raise
    except Exception as error:
        raise NotCheckedError(text_of(error)) from error


def pooler(facts: Facts) -> str:
    """Raise UserError if migrations would go through a pooler."""
    advisory_lock.refuse_pooler(facts.server.known())
    return "migrations reach the server directly"


def versions(facts: Facts) -> str:
    """Raise UserError if the client programs or the scratch server are older than the server."""
    server = facts.server.known()
    major, tls = connections.version(server) // 10000, connections.uses_tls(server)
    client = min(client_programs.major(client_programs.find(name, major, tls=tls)) for name in CLIENTS)
    if not facts.scratch.value:
        return f"server {major}, client programs {client}; the scratch server was not asked"
    scratch = connections.version(facts.scratch.value) // 10000
    if scratch < major:
        raise UserError(
            f"The scratch server is PostgreSQL {scratch}, and the server is PostgreSQL {major}.",
            do=f"name a scratch server of PostgreSQL {major} in SCRATCH_HOST; or set POSTGRES_IMAGE",
        )
    return f"server {major}, client programs {client}, scratch server {scratch}"


def clock(facts: Facts) -> str:
    """Raise UserError if the clocks of this machine and of the server differ."""
    theirs = facts.server.known().scalar(_CLOCK)
    assert isinstance(theirs, datetime)
    difference = abs(theirs - datetime.now(UTC))
    if difference > freshness.SLACK:
        raise UserError(
            f"The clock of this machine differs from the server's by {difference / timedelta(seconds=1):.0f} s.",
            do="set the clock: sudo timedatectl set-ntp true; or restart Docker Desktop",
        )
    return "this machine and the server agree"
