"""Who may create and drop one, there as in the target"""

import json
from collections.abc import Callable

import pytest
from sqlalchemy.engine import URL
from sqlalchemy.exc import ProgrammingError

from scripts.core.postgres import extensions
from tests.conftest import Project
from tests.core.running import call, session

UNTRUSTED, TRUSTED = "pageinspect", "hstore"


def denied(statement: str) -> ProgrammingError:
    class DeniedError(Exception):
        pgcode = "42501"

    return ProgrammingError(statement, {}, DeniedError())


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("CREATE EXTENSION pageinspect", "pageinspect"),
        ("create extension\n if not exists PageInspect schema x", "pageinspect"),
        ('SELECT 1; CREATE EXTENSION "uuid-ossp"', "uuid-ossp"),
        ("CREATE TABLE pg_catalog.x ()", ""),
        ("SELECT 'CREATE EXTENSION x'", ""),
    ],
)
def test_the_extension_that_could_not_be_created_is_named_by_the_statement(statement: str, name: str) -> None:
    assert extensions.lacking(denied(statement)) == name


def test_of_another_error_no_extension_is_named() -> None:
    assert extensions.lacking(ValueError("CREATE EXTENSION x")) == ""
    assert extensions.lacking(None) == ""


@pytest.fixture
def migrated(owned: Project) -> Project:
    """At head, with an owner who is no superuser."""
    result = call(owned)
    assert result.returncode == 0, result.stderr
    owned.environment["ACCEPT"] = "drift"
    return owned


@pytest.fixture
def administrator(migrated: Project, server: URL) -> Callable[[str], None]:
    """Runs a statement in the project's database, as a superuser."""

    def run(statement: str) -> None:
        with session(server.set(database=migrated.url.database)) as connection:
            connection.exec_driver_sql(statement)
            connection.commit()

    return run


def pend(project: Project, upgrade: str, downgrade: str = "SELECT 1") -> None:
    code = [f"op.execute({statement!r})" for statement in (upgrade, downgrade)]
    project.write_revision("abcd01", project.version[0], *code)


def test_what_its_role_may_not_create_fails_before_it_fails_in_the_target(migrated: Project) -> None:
    pend(migrated, f"CREATE EXTENSION {UNTRUSTED}")
    for verb in ("plan", "verify_staging", "migrate"):
        result = call(migrated, verb)

        said = result.stdout + result.stderr
        assert result.returncode == 1, verb
        assert f'permission denied to create extension "{UNTRUSTED}"' in said
        assert f'It is created in the target database by: CREATE EXTENSION "{UNTRUSTED}"' in said


def test_without_a_target_the_administrator_creates_it_and_the_rest_is_tried_and_compared(migrated: Project) -> None:
    pend(migrated, f"CREATE EXTENSION {UNTRUSTED}; CREATE TABLE rest ()", "DROP TABLE rest")

    result = call(migrated, "lint", "--all", ACCEPT="")

    assert f"! Only a superuser may create the extension {UNTRUSTED}; the scratch server's has done it" in result.stderr
    assert "✓ Nothing blocks in 3 revisions.\n  table rest is not expected\n" in result.stdout


def test_what_the_administrator_has_created_is_there_and_its_drop_is_a_note(
    migrated: Project, administrator: Callable[[str], None]
) -> None:
    administrator(f"CREATE EXTENSION {UNTRUSTED}")
    pend(migrated, f"CREATE EXTENSION IF NOT EXISTS {UNTRUSTED}", f"DROP EXTENSION {UNTRUSTED}")

    plan = call(migrated, "plan", "--json")
    verified = call(migrated, "verify_staging")

    (found,) = json.loads(plan.stdout)["revisions"][0]["findings"]
    assert (found["id"], found["severity"]) == ("H12", "note")
    assert f"must be owner of extension {UNTRUSTED}" in found["message"]
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "cannot be undone: it drops an extension that another role owns" in verified.stdout
    assert call(migrated).returncode == 0


def test_what_its_role_owns_it_drops_there_too(migrated: Project) -> None:
    migrated.sql(f"CREATE EXTENSION {TRUSTED}")
    pend(migrated, f"DROP EXTENSION {TRUSTED}", f"CREATE EXTENSION {TRUSTED}")

    verified = call(migrated, "verify_staging")
    plan = call(migrated, "plan")

    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "after downgrade and upgrade: the same schema" in verified.stdout
    assert plan.returncode == 0, plan.stderr
    assert "must be owner" not in plan.stdout


def test_a_file_that_a_superuser_ran_builds_a_shadow_with_what_the_target_has(
    migrated: Project, administrator: Callable[[str], None]
) -> None:
    administrator(f"CREATE EXTENSION {UNTRUSTED}")
    pend(migrated, f"CREATE EXTENSION {UNTRUSTED}")
    migrated.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    result = call(migrated, "verify_staging", ACCEPT="")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "the migrated copy equals the revision files and the models" in result.stdout


def test_lint_takes_what_older_files_create_for_created(migrated: Project) -> None:
    """It asks no target."""
    pend(migrated, f"CREATE EXTENSION {UNTRUSTED}")
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for words in (("init", "--quiet", "--initial-branch=main"), ("add", "--all"), ("commit", "--quiet", "-m", "begin")):
        assert migrated.call(*git, *words).returncode == 0
    migrated.write_revision("abcd02", "abcd01", 'op.execute("CREATE TABLE x (id int)")', 'op.execute("DROP TABLE x")')

    result = call(migrated, "lint")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Nothing blocks in 1 revision" in result.stdout


def test_a_revision_writes_a_dictionary_into_an_hstore_column_as_with_alembic_alone(project: Project) -> None:
    """psycopg2 needs the number of that type, which only the connection that migrates asks for."""
    project.sql("CREATE EXTENSION hstore; CREATE TABLE tagged (tags hstore)")
    insert = 'op.get_bind().exec_driver_sql("INSERT INTO tagged VALUES (%s)", ({"colour": "red"},))'
    project.write_revision("abcd01", project.version[0], insert)

    result = call(project, ACCEPT="drift")

    assert result.returncode == 0, result.stderr
    assert project.sql("SELECT tags -> 'colour' FROM tagged") == [("red",)]
