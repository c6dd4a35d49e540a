"""DATABASE_URL in the spelling of each driver: what the scripts and what the application make of it"""

import pytest
from sqlalchemy.engine import URL, make_url

from scripts.core import database_url, settings
from scripts.core.settings import ApplicationSettings
from scripts.core.variables import Reader

PARTS = {"POSTGRES_USER": "me", "POSTGRES_PASSWORD": "p@ss", "POSTGRES_HOST": "h", "POSTGRES_DB": "shop"}


def read(**values: str) -> tuple[ApplicationSettings, list[str]]:
    reader = Reader(values, dict.fromkeys(values, 1), "a test")
    return settings.application(reader), reader.faults


@pytest.mark.parametrize(
    "driver",
    ["postgres", "postgresql", *(f"postgresql+{name}" for name in ("psycopg2", "psycopg", "asyncpg", "pg8000"))],
)
def test_the_scripts_read_every_driver_s_url_and_the_application_gets_it_as_it_was_written(driver: str) -> None:
    given = f"{driver}://me:p%40ss@db.example.com:6543/shop?sslmode=require"

    found, faults = read(DATABASE_URL=given)

    assert faults == []
    assert found.external
    assert found.url == URL.create(
        "postgresql+psycopg2", "me", "p@ss", "db.example.com", 6543, "shop", {"sslmode": "require"}
    )
    assert settings.application_environment(found)["DATABASE_URL"] == given
    assert make_url(f"{database_url.driver(found.given)}://").get_backend_name() == "postgresql"


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        ("ssl=require", {"sslmode": "require"}),
        ("ssl=true", {"sslmode": "require"}),
        ("ssl=False", {"sslmode": "disable"}),
        ("ssl=verify-full&timeout=5", {"sslmode": "verify-full", "connect_timeout": "5"}),
        ("prepared_statement_cache_size=0&statement_cache_size=0&command_timeout=60", {}),
        ("prepare_threshold=0&application_name=web", {"application_name": "web"}),
        ("host=a:1&host=b:2&target_session_attrs=any", {"host": ("a:1", "b:2"), "target_session_attrs": "any"}),
        # It is libpq that says so, with the name: a mistyped sslmode is no reason to connect without TLS.
        ("sslmod=require", {"sslmod": "require"}),
    ],
)
def test_options_of_other_drivers_become_those_of_libpq(query: str, meaning: dict[str, str]) -> None:
    found, faults = read(DATABASE_URL=f"postgresql+asyncpg://me@h/shop?{query}")

    assert (dict(found.url.query), faults) == (meaning, [])


@pytest.mark.parametrize(
    ("name", "driver"),
    [
        ("", "postgresql"),
        ("asyncpg", "postgresql+asyncpg"),
        ("psycopg", "postgresql+psycopg"),
        ("psycopg2", "postgresql+psycopg2"),
    ],
)
def test_from_its_parts_the_application_gets_the_driver_that_it_names(name: str, driver: str) -> None:
    found, faults = read(**PARTS, APP_DRIVER=name)

    assert faults == []
    assert settings.application_environment(found)["DATABASE_URL"] == f"{driver}://me:p%40ss@h:5432/shop"
    assert found.url.drivername == "postgresql+psycopg2"


def test_an_unknown_driver_is_a_fault() -> None:
    _, faults = read(**PARTS, APP_DRIVER="mysql")

    assert faults == ["APP_DRIVER is 'mysql', not one of psycopg2, psycopg, psycopg_async, asyncpg, pg8000 (line 1)"]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("sqlite:///app.db", "DATABASE_URL is for sqlite (line 1): this environment is for PostgreSQL"),
        ("mysql://u:geheim@h/d", "DATABASE_URL is for mysql (line 1): this environment is for PostgreSQL"),
        ("mysql+pymysql://u:geheim@h/d", "DATABASE_URL is for mysql+pymysql (line 1)"),
        ("postgresql://u:geheim@h/", "DATABASE_URL names no database (line 1)"),
        ("postgresql://u:geheim@h:port/d", "DATABASE_URL is not a URL (line 1): write %40 for @"),
        ("postgresql://u:x@geheim@h/d", "DATABASE_URL is not a URL (line 1): write %40 for @"),
        ("geheim", "DATABASE_URL is not a URL (line 1)"),
    ],
)
def test_a_url_that_is_not_for_postgresql_is_refused(url: str, fault: str) -> None:
    _, (found,) = read(DATABASE_URL=url)

    assert found.startswith(fault)
    assert "geheim" not in found
