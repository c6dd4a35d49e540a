"""Restoring into a new database. It is checked and then swapped in. The old one is kept under another name."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scripts.core import messages, overrides, sqlstates
from scripts.core.backups import kept_databases, restore_into, verify
from scripts.core.backups.store import Backup
from scripts.core.errors import DatabaseMissingError, UserError
from scripts.core.formatting import counted
from scripts.core.postgres import (
    advisory_lock,
    connections,
    databases,
    declared_extensions,
    environments,
    replacement,
    replacement_lock,
    roles,
    sql,
    superuser,
)
from scripts.core.revisions import history, migration_log
from scripts.core.revisions.history import History
from scripts.core.rows import row_estimate
from scripts.core.rows.row_estimate import Rows
from scripts.core.settings import Settings


@dataclass(frozen=True)
class State:
    """The target before a restore."""

    exists: bool
    environment: str | None
    rows: dict[str, Rows]
    """The rows of each table."""


def look(target: Settings) -> State:
    """Return the target as it is. Raise UserError if this environment may not change it."""
    try:
        with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
            environment = environments.read(connection)
            environments.effective(target, environment)
            return State(True, environment, row_estimate.read(connection))
    except DatabaseMissingError:
        return State(False, target.app_env, {})


def rows_at_stake(target: Settings, state: State) -> str:
    """Return what the target holds before it is replaced, as a sentence. Return nothing if it has no rows."""
    rows = row_estimate.total(state.rows)
    if not rows.number:
        return ""
    place = f"{databases.name_of(target.database_url)} at {connections.address(target)}"
    return f"{place}: {counted(len(state.rows), 'table')}, {rows}. It is kept."


def require_fitting(backup: Backup, revisions: History, environment: str | None) -> None:
    """Raise UserError if the backup is damaged, of another environment, or at a revision that this checkout lacks."""
    verify.require_whole(backup)
    if backup.manifest.environment != environment and not overrides.accepted("environment"):
        raise UserError(
            f"{backup.name} is of another environment.",
            why=f"The backup's environment is {backup.manifest.environment or environments.NOT_SET}."
            f" The environment of this database is {environment or environments.NOT_SET}.",
            do="restore another backup. Override with ACCEPT=environment.",
        )
    if not overrides.accepted("revision"):
        history.require_known(revisions, backup.manifest.revision)


def put_in_place(target: Settings, backup: Backup, environment: str | None) -> str:
    """Restore into a new database, check it, and swap it in. Return the name of the kept old database, or nothing.

    If that fails, raise UserError and leave the target as it was. After a kill, the target is one of the two databases.
    """

    def fill(into: Settings) -> None:
        restore_into.fill(backup, into)
        _let_application_in(into, backup)

    return swap_in(target, environment, fill)


def swap_in(target: Settings, environment: str | None, fill: Callable[[Settings], None]) -> str:
    """Fill a new, empty database and swap it in. Return the name of the kept old database, or nothing.

    `fill` gets settings of the new database, with a superuser's login if ACCEPT asks for one. If it fails, the target
    stays as it was.
    """
    with (
        superuser.login(target) if overrides.accepted("superuser") else nullcontext(target) as acting,
        _alone(acting),
        replacement.new(acting, environment, target.database_url.username) as made,
    ):
        fill(replace(acting, database_url=made.url))
        if left := declared_extensions.create(acting, databases.name_of(made.url))[1]:
            messages.send(f"It has no extension {', '.join(left)}, which [tool.app] names. To create it: make up")
        return _swap(acting, made.session, databases.name_of(made.url))


def _let_application_in(into: Settings, backup: Backup) -> None:
    """Give the application its usual rights if grants were left out. Otherwise grants are restored as they were."""
    role = roles.application(into)
    if role and overrides.accepted("roles"):
        databases.let_application_in(into, into.database_url)
        messages.send(f"The backup was restored without owners and grants. {role} has its usual rights.")
    elif role and role not in backup.manifest.roles:
        messages.send(f"The backup grants nothing to {role}. To grant its usual rights: make roles")


def bring_back(target: Settings, name: str) -> str:
    """Swap a kept database back in. Return the name under which the present one is kept, or nothing."""
    with _alone(target), databases.server(target) as server:
        replacement_lock.take(server, databases.name_of(target.database_url))
        return _swap(target, server, name)


def _swap(target: Settings, session: Connection, new: str) -> str:
    name = databases.name_of(target.database_url)
    old = kept_databases.new_name(session, name) if databases.exists(session, name) else ""
    replacement.swap(target, session, new, old)
    return old


@contextmanager
def _alone(target: Settings) -> Iterator[None]:
    """Keep migrations and backups of the target away while the block runs, if there is a target.

    Raise UserError if the server has ended one of our sessions, because then the result is unknown.
    """
    name, typed = databases.name_of(target.database_url), sql.typed(str(target.database_url.username))
    if name == connections.maintenance(target).database:
        raise UserError(f"{name} cannot be renamed: other databases are renamed from it.", do="restore TO=another")
    try:
        with _advisory_lock(target):
            yield
    except DBAPIError as error:
        lacking = sqlstates.of(error) == sqlstates.INSUFFICIENT_PRIVILEGE
        raise UserError(
            f"The restore was interrupted: {connections.first_line(error)}",
            do=f"have a superuser ALTER DATABASE {sql.typed(name)} OWNER TO {typed}, and ALTER ROLE {typed} CREATEDB"
            if lacking
            else "make backups   (lists databases that a restore has kept); if the restore is not done, run this again",
            state=f"{name} is either unchanged, or replaced completely and kept under another name.",
        ) from error


@contextmanager
def _advisory_lock(target: Settings) -> Iterator[None]:
    name = f"alembic-restore {migration_log.who()}"[:63]
    with ExitStack() as stack:
        try:
            holder = stack.enter_context(
                connections.connect(target, application_name=name, isolation_level="AUTOCOMMIT")
            )
        except DatabaseMissingError:
            yield
            return
        stack.enter_context(advisory_lock.hold(holder, target.limits.wait))
        yield
