"""Settings as the nouns take them, and roles with any password."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL

from scripts.core import messages, settings
from scripts.core.postgres import databases, session_timeouts, sql
from scripts.core.postgres.sql import Sql, compose
from scripts.core.settings import Settings
from tests.conftest import ADMINISTRATOR, Project, copy_project

TEMPLATES = text(
    "SELECT DISTINCT datname FROM pg_shdepend JOIN pg_database d ON d.oid = dbid JOIN pg_roles r ON r.oid = refobjid"
    " WHERE rolname = :name AND datname ~ '^(shadow|schema)_'"
)
"""Those with objects or grants of a role."""


@pytest.fixture(autouse=True)
def _never_the_database_of_this_checkout(server: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nouns run in this process: what loads the settings by itself gets a database that is not there."""
    nowhere = server.set(drivername="postgresql", database="no_database_of_the_tests")
    monkeypatch.setenv("DATABASE_URL", nowhere.render_as_string(hide_password=False))
    monkeypatch.setenv("RUNTIME", "none")
    monkeypatch.setenv("SCRATCH_HOST", str(server.host))
    monkeypatch.setenv("SCRATCH_PORT", str(server.port))
    for name, value in ADMINISTRATOR.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """What is said during the test."""
    lines: list[str] = []
    with messages.sent_to(lines.append):
        yield lines


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only reads waits for no lock of another session."""
    monkeypatch.setattr(session_timeouts, "READING_LOCK", "50ms")


@pytest.fixture
def configured(server: URL) -> Settings:
    """Settings whose target is the maintenance database of this project's own server."""
    ours = replace(settings.load(), app_env="development", runtime="none", external=False)
    return replace(ours, database_url=server, application_url=server)


@pytest.fixture
def target(configured: Settings, new_database: Callable[..., URL]) -> Settings:
    """Settings whose target is an empty development database of its own."""
    url = new_database()
    return replace(configured, database_url=url, application_url=url)


@pytest.fixture
def new_role(server: URL) -> Iterator[Callable[..., URL]]:
    """Makes roles that last for the test: new_role(password, options)."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    names: list[str] = []

    def make(password: str, options: str = "LOGIN") -> URL:
        names.append(f"test_role_{random.getrandbits(31)}")
        given = compose("CREATE ROLE {} {} PASSWORD {}", sql.name(names[-1]), Sql(options), sql.value(password))
        sql.run(connection, given)
        return server.set(username=names[-1], password=password)

    with engine.connect() as connection:
        yield make
        for name in names:
            for template in connection.scalars(TEMPLATES, {"name": name}).all():
                databases.drop(connection, template)
            connection.exec_driver_sql(f"DROP ROLE IF EXISTS {name}, {name}__scratch")


@pytest.fixture
def two_roles(
    configured: Settings, new_database: Callable[..., URL], new_role: Callable[..., URL]
) -> Iterator[Settings]:
    """Settings with an owner who is no superuser, a role of the application, and an empty database of that owner."""
    application = new_role("p@ss of the application")
    owner = new_role("p@ss of the owner", f"LOGIN CREATEDB IN ROLE {application.username}, pg_read_all_stats")
    name = f"{new_database().database}_ours"
    made = replace(configured, database_url=owner.set(database=name), application_url=application.set(database=name))
    databases.ensure(made)
    yield made
    server = create_engine(configured.database_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def owned(two_roles: Settings, tmp_path: Path) -> Project:
    """A copy of the project whose commands run as that owner."""
    application = two_roles.application_url
    logins = {"APP_DB_USER": str(application.username), "APP_DB_PASSWORD": str(application.password)}
    return Project(copy_project(tmp_path), two_roles.database_url, logins)
