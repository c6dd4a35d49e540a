"""The scripts work as the owner, the application as its own role"""

from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from scripts.core import settings
from scripts.core.errors import UserError
from scripts.core.postgres import cluster_roles
from scripts.core.variables import read

PARTS = {"POSTGRES_USER": "owner", "POSTGRES_PASSWORD": "o", "POSTGRES_DB": "shop", "POSTGRES_HOST": "db"}
ROLE = {"APP_DB_USER": "rows", "APP_DB_PASSWORD": "r"}
WHOLE = {"DATABASE_URL": "postgresql://whole:w@pooler/shop"}
DIRECT = {"MIGRATION_DATABASE_URL": "postgresql://direct:d@db/shop"}
NOWHERE = Path("/nowhere/.env")


def login(url: URL) -> str:
    return f"{url.username}:{url.password}@{url.host}"


@pytest.mark.parametrize(
    ("given", "owner", "application", "external"),
    [
        (PARTS, "owner:o@db", "owner:o@db", False),
        (PARTS | ROLE, "owner:o@db", "rows:r@db", False),
        (PARTS | ROLE | WHOLE, "whole:w@pooler", "whole:w@pooler", True),
        (PARTS | ROLE | DIRECT, "direct:d@db", "rows:r@db", True),
        (WHOLE | DIRECT, "direct:d@db", "whole:w@pooler", True),
    ],
    ids=["one login", "two logins", "one URL", "parts and a URL", "two URLs"],
)
def test_the_owner_migrates_and_the_application_has_a_login_of_its_own(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], owner: str, application: str, external: bool
) -> None:
    monkeypatch.setattr(settings, "read", lambda: read(given, NOWHERE))

    found = settings.load()

    assert [login(found.database_url), login(found.application_url)] == [owner, application]
    assert found.external is external


def test_the_login_of_the_application_is_not_enough_to_migrate(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ROLE | {"POSTGRES_DB": "shop", "POSTGRES_USER": "owner"}
    monkeypatch.setattr(settings, "read", lambda: read(given, NOWHERE))

    with pytest.raises(UserError) as caught:
        settings.load()

    assert caught.value.problem.endswith("POSTGRES_PASSWORD is missing")


def test_in_the_container_of_the_application_the_service_with_the_login_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = ROLE | {"POSTGRES_DB": "shop", "POSTGRES_USER": "owner", "POSTGRES_HOST": "db", "APP_ENV": "staging"}
    monkeypatch.setattr(settings, "read", lambda: read({**given, "RUNTIME": "docker"}, NOWHERE))

    with pytest.raises(UserError) as caught:
        settings.load()

    assert dict(caught.value.facts)["Do"] == "docker compose run --rm --no-deps tools python -m scripts.migrate"
    assert "only the service tools has the owner's password" in dict(caught.value.facts)["Why"]


def test_no_password_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"DATABASE_URL": "postgresql://peer@/shop", "SCRATCH_HOST": "db"}
    monkeypatch.setattr(settings, "read", lambda: read(given, NOWHERE))
    found = settings.load()
    scratch = settings.scratch_server(found)

    assert scratch
    assert scratch.password is None
    assert "None" not in cluster_roles.sql(found.database_url, found.application_url)


def test_a_fault_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "read", lambda: read({**ROLE, "DB_PORT": "65536"}, NOWHERE))

    with pytest.raises(UserError) as caught:
        settings.load()

    assert caught.value.problem.splitlines()[1:] == [
        "    DB_PORT is '65536', not a number from 1 to 65535",
        "    POSTGRES_DB is missing",
        "    POSTGRES_USER is missing",
        "    POSTGRES_PASSWORD is missing",
    ]
