"""What the checks look at. Each fact is found once, in an order in which no child is forked from a connection."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from scripts.core import (
    ROOT,
    application,
    children,
    env_file,
    messages,
    place,
    revision_files,
    settings,
    subprocesses,
    variables,
)
from scripts.core.child_process import Deadline
from scripts.core.doctor import plain_history
from scripts.core.doctor.diagnosis import Diagnosis, Fact, NotCheckedError, fact
from scripts.core.errors import UserError
from scripts.core.postgres import advisory_lock, connections, embedded, pidfile, scratch
from scripts.core.postgres.embedded import ADMINISTRATOR
from scripts.core.revisions import history, unimported
from scripts.core.revisions.history import History
from scripts.core.revisions.unimported import Found
from scripts.core.settings import Settings
from scripts.core.variables import Reader

WAIT = 2.0
"""Seconds to wait for a server that is still starting."""
SECONDS = 15.0
"""The longest time that the import of the revision files, and that of the application, may take."""
_WHY = "A revision file or a module of the application does not end when it is imported."
_READING = text("SET default_transaction_read_only = on; SET lock_timeout = '2s'; SET statement_timeout = '5s'")


@dataclass(frozen=True)
class Facts:
    host: Mapping[str, Diagnosis]
    """What only the shell scripts can see, by the id of the check."""
    reader: Reader
    target: Fact[Settings]
    revisions: Fact[History]
    models: Fact[Found]
    server: Fact[Connection]
    """The target, with the login of the owner."""
    scratch: Fact[Connection]

    @property
    def runtime(self) -> str:
        return self.reader.values.get("RUNTIME", "none")

    @property
    def current(self) -> tuple[str, ...]:
        """Return the revisions that the database is at."""
        return history.current(self.server.known())


@contextmanager
def gathered(loaded: Fact[Settings], host: Mapping[str, Diagnosis]) -> Iterator[Facts]:
    """Yield the facts, from the settings that were loaded. Their connections are closed after the block."""
    target = fact(lambda: _quick(loaded.require()))
    with ExitStack() as stack, messages.sent_to(messages.nowhere):
        fact(application.extend_search_path)
        revisions = fact(lambda: plain_history.rebuilt(_revisions(target)))
        models = fact(lambda: _models(target))
        yield Facts(
            host=host,
            reader=variables.read(),
            target=target,
            revisions=revisions,
            models=models,
            server=fact(lambda: _reading(stack, target.known())),
            scratch=fact(lambda: _scratch(stack, target.known())),
        )


def _quick(target: Settings) -> Settings:
    limits = replace(target.limits, plan_deadline=min(SECONDS, target.limits.plan_deadline))
    return replace(target, connect_wait=min(WAIT, target.connect_wait), limits=limits)


def _revisions(target: Fact[Settings]) -> list[plain_history.Plain]:
    _require_location()
    known = target.value
    hidden = settings.secret_files(known) if known else [str(env_file.ENV_FILE)]
    environment = (settings.without_target(known) if known else subprocesses.programs()) | settings.nowhere()
    with children.started(hidden) as child:
        return child.call(
            plain_history.read, environment=environment, deadline=Deadline(SECONDS, _WHY, "PLAN_DEADLINE")
        )


def _models(target: Fact[Settings]) -> Found:
    _require_location()
    return unimported.look(target.known())


def _require_location() -> None:
    if not revision_files.option("script_location"):
        raise NotCheckedError("the folder of the revision files is not known.")


def _reading(stack: ExitStack, target: Settings) -> Connection:
    """Open a session that cannot write. Through a pooler, a setting would stay in a session that others use."""
    if target.runtime == "embedded" and not target.external:
        require_running(target)
    connection = stack.enter_context(connections.connect(target, isolation_level="AUTOCOMMIT"))
    if not advisory_lock.is_pooled(connection):
        connection.execute(_READING)
    return connection


def folder_of_clusters() -> Path:
    """Return the folder of the embedded servers, and make none."""
    return ROOT / place.read().get("clusters", ".postgres")


def port_of(data: Path) -> int:
    """Return the port of the server that runs in a data folder, or 0."""
    return pidfile.port(data)


def require_running(target: Settings) -> None:
    """Raise UserError unless the embedded server runs at its port: a connection would start it."""
    port, wanted = port_of(folder_of_clusters() / "target"), target.database_url.port
    if port != wanted:
        raise UserError(
            f"The embedded server listens on port {port}, and .env names {wanted}."
            if port
            else "The embedded server is not running.",
            do="make up",
        )


def _scratch(stack: ExitStack, target: Settings) -> Connection:
    url = settings.scratch_server(target) or _embedded_scratch(target)
    there = replace(target, runtime="none", external=True, database_url=url, application_url=url, connect_wait=0)
    connection = stack.enter_context(connections.connect(there, isolation_level="AUTOCOMMIT"))
    connection.execute(_READING)
    return connection


def _embedded_scratch(target: Settings) -> URL:
    if target.runtime != "embedded":
        raise scratch.missing()
    data = folder_of_clusters() / "scratch"
    port = port_of(data)
    if not port:
        raise UserError("The scratch server is not running.")
    password = (data / embedded.SUPERUSER_FILE).read_text()
    return URL.create("postgresql+psycopg2", ADMINISTRATOR, password, "127.0.0.1", port, "postgres")


def revision_folders() -> list[str]:
    """Return the folders of the revision files, with git's names; none if alembic.ini cannot be read."""
    return fact(revision_files.folders).value or []
