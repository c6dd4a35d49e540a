"""What a database that exists already needs once"""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core.adopt import database
from scripts.core.backups import create
from scripts.core.revisions import history
from scripts.core.settings import Settings
from tests.conftest import Project


def needs(target: Settings) -> dict[str, str]:
    """The lines, without their names and with one space between words."""
    return {need.name: " ".join(str(need).replace(need.name, "", 1).split()) for need in database.needs(target)}


@pytest.fixture
def target(two_roles: Settings, owned: Project, tmp_path: Path) -> Settings:
    """Settings of the project `owned`, with a folder of its own for backups."""
    folder = tmp_path / "backups"
    owned.environment["BACKUP_DIR"] = str(folder)
    return replace(two_roles, backups=replace(two_roles.backups, folder=folder))


def test_each_line_says_whether_it_is_done(target: Settings, owned: Project, revisions: list[str]) -> None:
    name, application = owned.url.database, target.application_url.username
    assert needs(target)["version"] == "✗ The database has no tables. Do: make migrate"
    assert owned.run("migrate").returncode == 0

    found = needs(target)
    assert found.pop("scratch server").startswith("✓ PostgreSQL 1")
    assert found == {
        "environment": "✓ development",
        "version": f"✓ {revisions[-1]} is recorded, and the schema is its own",
        "roles": f"✓ {application}: reads and writes rows",
        "first backup": f"✗ There is no backup of {name} on this server. Do: make backup",
    }
    assert owned.run("adopt", "--database").returncode == 1

    create.make(target, create.Wanted())
    result = owned.run("adopt", "--database")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("✓ environment     development\n")


def test_each_line_names_the_command_that_does_it(target: Settings, owned: Project, revisions: list[str]) -> None:
    name, application = owned.url.database, target.application_url.username
    *_, before, head = revisions
    described = " ".join(history.describe(history.load(), head).split())
    assert owned.run("migrate").returncode == 0
    backup = create.make(target, create.Wanted())
    owned.sql(
        f"COMMENT ON DATABASE {name} IS NULL; UPDATE alembic_version SET version_num = '{before}';"
        f" REVOKE SELECT ON users FROM {application}"
    )
    found = needs(target)
    assert found.pop("scratch server").startswith("✓ PostgreSQL 1")
    assert found == {
        "environment": "✗ The environment is not set (treated as production). Do: make environment ENV=development"
        f" CONFIRM={name} (one of development, test, staging, production)",
        "version": f"✗ Its schema is that of {described}. The recorded revision is {before}. Do: make stamp REV={head}",
        "roles": f"✗ {application}: may not SELECT on users. Do: make roles",
        "first backup": f"✓ {backup.name}; make verify-backup proves it",
    }

    owned.sql("ALTER TABLE users ADD COLUMN legacy text; DROP TABLE alembic_version")
    nowhere = replace(target, values={**target.values, "SCRATCH_HOST": ""}, application_url=target.database_url)
    found = needs(nowhere)
    assert found["scratch server"].startswith("✗ There is no scratch server. Do: set RUNTIME in .env, or")
    assert found["roles"] == "✗ The application has no role of its own: it could drop tables. Do: make roles"
    assert needs(target)["version"] == (
        f"✗ No revision has its schema. The nearest is {described}, with 1 difference. Do: make stamp"
    )
