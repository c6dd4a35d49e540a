"""The same faults are told whatever language the server speaks"""

import os
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy.engine import URL

from scripts.core.errors import DatabaseMissingError, PasswordError, UserError
from scripts.core.migrate import alembic_commands
from scripts.core.postgres import advisory_lock, connection_fault, connections, roles
from scripts.core.settings import Settings
from tests.conftest import Project
from tests.core.running import call
from tests.core.translating import WORDS, translating


@pytest.fixture
def abroad(configured: Settings) -> Iterator[Settings]:
    """Settings whose server speaks another language."""
    with translating(configured.database_url) as url:
        yield replace(configured, database_url=url, application_url=url)


def fault(target: Settings, **parts: str) -> UserError:
    with pytest.raises(UserError) as caught, connections.connect(target, target.database_url.set(**parts)):  # type: ignore[arg-type]
        pass
    return caught.value


def test_a_wrong_password(abroad: Settings) -> None:
    error = fault(abroad, password="wr0ng-secret")

    assert isinstance(error, PasswordError)
    assert "refuses the password of user" in error.problem
    assert "wr0ng-secret" not in str(error)


def test_a_missing_database(abroad: Settings) -> None:
    error = fault(abroad, database='it\'s 100% "not" there')

    assert isinstance(error, DatabaseMissingError)
    assert 'has no database it\'s 100% "not" there.' in error.problem


def test_a_login_that_is_not_allowed(abroad: Settings, new_role: Callable[..., URL]) -> None:
    role = new_role("secret", "NOLOGIN")

    error = fault(abroad, username=str(role.username), password="secret")

    assert type(error) is UserError
    assert error.problem.startswith("Cannot connect to postgres at ")
    assert WORDS in error.problem


def test_a_database_that_may_not_be_entered_is_not_missing(
    abroad: Settings, new_role: Callable[..., URL], new_database: Callable[..., URL], superuser_sql: Callable[..., None]
) -> None:
    role, closed = new_role("secret"), str(new_database().database)
    superuser_sql(f"REVOKE CONNECT ON DATABASE {closed} FROM PUBLIC")

    error = fault(abroad, username=str(role.username), password="secret", database=closed)

    assert type(error) is UserError
    assert error.problem.startswith(f"Cannot connect to {closed} at ")


@pytest.fixture
def superuser_sql(configured: Settings) -> Callable[[str], None]:
    def run(statement: str) -> None:
        with connections.connect(configured, isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)

    return run


@contextmanager
def answering(*answers: bytes) -> Iterator[URL]:
    """A port where each connection gets one of the answers and is closed; the last of them again and again."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            left = list(answers)
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    client.recv(8)
                    client.sendall(left.pop(0) if len(left) > 1 else left[0])

        Thread(target=answer, daemon=True).start()
        yield URL.create("postgresql+psycopg2", "ada", "x", "127.0.0.1", listening.getsockname()[1], "app")


def refusal(code: str) -> bytes:
    body = b"SFATAL\0C" + code.encode() + b"\0M" + WORDS.encode() + b"\0\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


@pytest.mark.parametrize(
    ("answer", "starting"),
    [
        (refusal("57P03"), True),
        (b"", True),  # as what forwards a published port closes it
        (refusal("28000"), False),
        (refusal("53300"), False),
        (b"R" + struct.pack("!ii", 8, 0), False),
        (b"S", False),
    ],
)
def test_what_a_server_that_is_starting_answers(answer: bytes, starting: bool) -> None:
    with answering(answer) as url:
        assert connection_fault.is_starting(url) is starting


def test_a_server_that_is_starting_is_waited_for(configured: Settings) -> None:
    with answering(refusal("57P03")) as url:
        error = fault(replace(configured, database_url=url, connect_wait=0.5))

    assert error.problem == f"No PostgreSQL answered at 127.0.0.1:{url.port} within 0.5 s."


def test_statements_are_told_by_their_sqlstate(abroad: Settings, new_database: Callable[..., URL]) -> None:
    """A lock timeout leads to another attempt, and no message calls anything our bug."""
    url = abroad.database_url.set(database=new_database().database)

    alembic_commands.upgrade(replace(abroad, database_url=url, application_url=url), "head", lambda _: None)


def test_roles_are_not_said_to_be_right_while_the_application_cannot_log_in(abroad: Settings, owned: Project) -> None:
    url = abroad.database_url.set(database=None)
    elsewhere = {"POSTGRES_HOST": str(url.host), "POSTGRES_PORT": str(url.port)}
    owned.sql(f"REVOKE CONNECT ON DATABASE {owned.url.database} FROM PUBLIC")

    fits = call(owned, "roles", **elsewhere)
    other = call(owned, "roles", APP_DB_PASSWORD="an0ther", **elsewhere)

    assert (fits.returncode, other.returncode) == (0, 1), fits.stderr
    assert "✓ The application is " in fits.stdout
    assert "✓" not in other.stdout
    assert "may not create roles" in other.stderr


def test_roles_tell_why_the_application_cannot_log_in(two_roles: Settings) -> None:
    name = two_roles.application_url.username
    with connections.connect(replace(two_roles, database_url=two_roles.database_url)) as connection:
        connection.exec_driver_sql(f"REVOKE CONNECT ON DATABASE {two_roles.database_url.database} FROM {name}, PUBLIC")
        connection.commit()

    with pytest.raises(UserError, match="The application cannot log in: Cannot connect to "):
        roles.require_login(two_roles, two_roles.database_url.database)


PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.fixture
def through_pgbouncer(configured: Settings) -> Iterator[Settings]:
    """Settings whose server is PgBouncer, with the defaults that reject libpq's options."""
    server = configured.database_url
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "users").write_text(f'"{server.username}" "{server.password}"\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host={server.host} port={server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {folder}/users\npool_mode = transaction\n"
        )
        folder.chmod(0o755)
        account = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
        command = [str(PGBOUNCER), "--quiet", str(folder / "ini")]
        with subprocess.Popen(command, user=account, stderr=subprocess.DEVNULL) as process:
            url = server.set(host="127.0.0.1", port=port)
            yield replace(configured, database_url=url, application_url=url)
            process.terminate()


@pytest.mark.skipif(not PGBOUNCER, reason="pgbouncer is not installed")
def test_pgbouncer_is_named_with_and_without_options(through_pgbouncer: Settings) -> None:
    with connections.connect(through_pgbouncer) as connection, pytest.raises(UserError) as first:
        advisory_lock.refuse_pooler(connection)
    with (
        pytest.raises(UserError) as second,
        connections.connect(through_pgbouncer, options="-c lock_timeout=1s"),
    ):
        pass

    assert str(first.value) == str(second.value)
    assert "goes through a pooler" in second.value.problem
