"""Settings as the nouns take them, and roles with any password."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import URL

from scripts.core import settings
from scripts.core.settings import Settings


@pytest.fixture(autouse=True)
def _never_the_database_of_this_checkout(server: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nouns run in this process: what loads the settings by itself gets a database that is not there."""
    nowhere = server.set(drivername="postgresql", database="no_database_of_the_tests")
    monkeypatch.setenv("DATABASE_URL", nowhere.render_as_string(hide_password=False))
    monkeypatch.setenv("RUNTIME", "none")
    monkeypatch.setenv("SCRATCH_HOST", str(server.host))
    monkeypatch.setenv("SCRATCH_PORT", str(server.port))


@pytest.fixture
def configured(server: URL) -> Settings:
    """Settings whose target is the maintenance database of this project's own server."""
    return replace(settings.load(), app_env="development", runtime="none", external=False, database_url=server)


@pytest.fixture
def target(configured: Settings, new_database: Callable[..., URL]) -> Settings:
    """Settings whose target is an empty database of its own, marked development."""
    return replace(configured, database_url=new_database())


@pytest.fixture
def new_role(server: URL) -> Iterator[Callable[..., URL]]:
    """Makes roles that last for the test: new_role(password, options)."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    names: list[str] = []

    def make(password: str, options: str = "LOGIN") -> URL:
        names.append(f"test_role_{random.getrandbits(31)}")
        literal = "'" + password.replace("'", "''").replace("%", "%%") + "'"
        connection.exec_driver_sql(f"CREATE ROLE {names[-1]} {options} PASSWORD {literal}")
        return server.set(username=names[-1], password=password)

    with engine.connect() as connection:
        yield make
        for name in names:
            connection.exec_driver_sql(f"DROP ROLE IF EXISTS {name}")
