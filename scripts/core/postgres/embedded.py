"""PostgreSQL from a Python wheel: start and stop this checkout's servers on a machine without a Docker engine.

The target's data and the scratch server's are two clusters under `.postgres/`. They listen on 127.0.0.1 only, with
the passwords of .env. The target's superuser has no known password: its work is done while the server does not run.
The password of the scratch server's superuser is in that server's data folder. Only the wheel's programs are used. Its
Python layer changes the modes of parent folders and creates a system account, which a development tool must not do.
"""

import contextlib
import fcntl
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL

from scripts.core import overrides, place
from scripts.core.errors import UserError
from scripts.core.postgres import cluster_roles, pidfile, ports, wheel
from scripts.core.settings import Settings

SUPERUSER, ADMINISTRATOR = "postgres", "scratch_administrator"
"""The superusers of the target and of the scratch server. No role of the target may have the second name."""
# The scratch server holds throwaway databases only. Losing them costs nothing, but waiting for the disk costs time.
OFF = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum")
THROWAWAY = (*(f"{name}=off" for name in OFF), "wal_level=minimal", "max_wal_senders=0")
SUPERUSER_FILE = "superuser_password"
"""It has the password of the superuser, in the data folder of the scratch server."""
OPEN = 0o027
"""Modes of a data folder with which PostgreSQL does not start."""
LOCKS = "max_locks_per_transaction=1024"  # for tables and indexes; set at each start, also of older clusters


@dataclass(frozen=True)
class Cluster:
    name: str
    user: str
    password: str
    port: int
    """0: any free port."""
    settings: tuple[str, ...] = ()
    logins: tuple[URL, ...] = ()
    """The owner's login and the application's, which are created besides the superuser."""
    keeps_password: bool = False
    """Whether the superuser's password is in a file of the data folder."""
    home: Path = field(default_factory=wheel.home)
    """The folder of its data and its log."""

    @property
    def data(self) -> Path:
        return self.home / self.name

    @property
    def log(self) -> Path:
        return self.home / f"{self.name}.log"

    @property
    def password_file(self) -> Path:
        return self.data / SUPERUSER_FILE

    def is_old(self) -> bool:
        """Return whether it dates from when the scratch server had one login. Such a cluster is created again."""
        return self.keeps_password and self.data.exists() and not self.password_file.exists()


def target(settings: Settings) -> Cluster:
    """Return the server with the data, at the address in .env."""
    logins = (settings.database_url, settings.application_url)
    return Cluster("target", SUPERUSER, secrets.token_hex(20), settings.database_url.port or 5432, logins=logins)


def scratch() -> Cluster:
    """Return the server of throwaway databases, on any free port."""
    return Cluster("scratch", ADMINISTRATOR, secrets.token_hex(20), 0, THROWAWAY, keeps_password=True)


def start_scratch(cluster: Cluster | None = None) -> URL:
    """Start the scratch server, and return its administrator's login. Raise UserError as `start` does."""
    cluster = cluster or scratch()
    port, password = start(cluster), cluster.password_file.read_text()
    return URL.create("postgresql+psycopg2", ADMINISTRATOR, password, "127.0.0.1", port, "postgres")


def start(cluster: Cluster) -> int:
    """Create and start the cluster unless it runs, and return its port.

    Raise UserError if the port is taken, the data is of another major version, or the server does not start.
    """
    port = running(cluster)
    if port and cluster.port in (0, port) and not cluster.is_old():
        return port
    with _alone(cluster):
        if cluster.is_old():
            stop(cluster)
            shutil.rmtree(cluster.data)
        port = running(cluster)
        if port and cluster.port not in (0, port):
            # DB_PORT has changed, and everything else expects the server there.
            ports.require_free(cluster.port, cluster.data)
            stop(cluster)
            port = 0
        if not port:
            _ensure_data(cluster)
            port = cluster.port or ports.any_free()
            _start(cluster, port)
    return port


def stop(cluster: Cluster) -> bool:
    """Stop the cluster, and return whether it was running."""
    if not running(cluster):
        return False
    data = cluster.data
    code, said = wheel.run("pg_ctl", "stop", "--wait", "--mode=fast", f"--pgdata={wheel.here(data)}", data=data)
    if code:
        problem = f"The embedded {cluster.name} server does not stop:{_last_lines(said)}"
        raise UserError(problem, state="it may still run.")
    return True


def make_roles(cluster: Cluster) -> None:
    """Create or repair the roles of the cluster. A running server is stopped for that moment.

    Raise UserError if PostgreSQL refuses the roles.
    """
    with _alone(cluster):
        port = running(cluster)
        if port:
            stop(cluster)
        try:
            _ensure_data(cluster)
            _make_roles(cluster.data, cluster.logins)
        finally:
            if port:
                _start(cluster, cluster.port or port)


def running(cluster: Cluster) -> int:
    """Return the port that the cluster listens on, or 0 when it does not run."""
    return pidfile.port(cluster.data)


def _ensure_data(cluster: Cluster) -> None:
    version = cluster.data / "PG_VERSION"
    if version.exists():
        major = version.read_text().strip()
        if major != wheel.MAJOR:
            raise UserError(
                f"{cluster.data} holds data of PostgreSQL {major}; the embedded server is PostgreSQL {wheel.MAJOR}.",
                do=f"move {cluster.data} away, or dump it with PostgreSQL {major} and restore it here",
            )
        return
    if not cluster.logins:
        _initdb(cluster)
        return
    place.check_new(overrides.accepted("new"))
    _initdb(cluster)
    place.record_embedded(cluster.data)


def _initdb(cluster: Cluster) -> None:
    """Create the data folder under another name and rename it, so that an interrupted start leaves no broken one."""
    # The password is plain in .env, so it is hashed once: 4,096 rounds would cost each connection 3 ms.
    new = cluster.data.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    wheel.give(new)
    with tempfile.NamedTemporaryFile("w", dir=cluster.home) as password:
        password.write(cluster.password)
        password.flush()
        wheel.give(Path(password.name))
        code, said = wheel.run(
            *("initdb", f"--pgdata={wheel.here(new)}", f"--username={cluster.user}"),
            f"--pwfile=../{Path(password.name).name}",
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--set=scram_iterations=1"),
            data=new,
        )
        if cluster.keeps_password:
            shutil.copy(password.name, new / cluster.password_file.name)
    if code:
        raise UserError(f"initdb failed:{_last_lines(said)}")
    with (new / "postgresql.conf").open("a") as configuration:
        configuration.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
        configuration.writelines(f"{setting}\n" for setting in cluster.settings)
    if cluster.logins:
        _make_roles(new, cluster.logins)
    new.rename(cluster.data)


def _make_roles(data: Path, logins: tuple[URL, ...]) -> None:
    """Create the roles in single-user mode. It needs no password, and it ends if this process is killed."""
    # It prints only the error, without the statement, which may contain a password.
    quiet = ("exit_on_error=on", "log_min_messages=fatal", "log_error_verbosity=terse", "log_min_error_statement=panic")
    options = [word for setting in (*quiet, "log_statement=none") for word in ("-c", setting)]
    words = ("postgres", "--single", "-j", *options, "-D", wheel.here(data), "postgres")
    code, said = wheel.run(*words, data=data, typed=cluster_roles.sql(*logins))
    if code:
        raise UserError(
            f"The roles cannot be created: {said.rpartition('FATAL:')[2].strip()}", do="name other roles in .env"
        )


def _start(cluster: Cluster, port: int) -> None:
    ports.require_free(port, cluster.data)
    if cluster.data.stat().st_mode & OPEN:
        raise UserError(
            f"Other accounts may write or read {cluster.data}.",
            why="PostgreSQL does not start with such a data folder.",
            do=f"chmod 700 {shlex.quote(str(cluster.data))}",
        )
    words = ("pg_ctl", "start", "--wait", f"--pgdata={wheel.here(cluster.data)}", f"--options=-p {port} -c {LOCKS}")
    code, said = wheel.run(*words, data=cluster.data, log=cluster.log)
    if code:
        raise UserError(f"The embedded {cluster.name} server did not start:{_last_lines(said)}")


def _last_lines(said: str) -> str:
    """Return the end of what a program said. The reason is not always in its last line."""
    return "".join(f"\n    {line}" for line in said.splitlines()[-5:])


@contextlib.contextmanager
def _alone(cluster: Cluster) -> Iterator[None]:
    """Let one process start servers in this checkout at a time. The lock ends with the process."""
    with (cluster.home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
