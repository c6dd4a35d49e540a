"""The extensions of [tool.app]: in the target and in its copies, and who creates them"""

import json
from collections.abc import Callable

import pytest
from sqlalchemy.engine import URL

from tests.conftest import Project
from tests.core.running import call, session

UNTRUSTED = "pageinspect"
KINDS = 'op.execute("CREATE TABLE kinds (id int PRIMARY KEY, a words.hstore, b citext)")'


def declare(project: Project, *names: str) -> None:
    path = project.path / "pyproject.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("extensions = ")]
    lines.insert(lines.index("[tool.app]") + 1, f"extensions = {json.dumps(names)}")
    path.write_text("\n".join(lines) + "\n")


def owners(project: Project) -> dict[object, object]:
    return {
        name: owner
        for name, owner in project.sql("SELECT extname, pg_get_userbyid(extowner)::text FROM pg_extension")
        if name != "plpgsql"
    }


@pytest.fixture
def administrator(owned: Project, server: URL) -> Callable[[str], None]:
    """Runs a statement in the project's database, as a superuser."""

    def run(statement: str) -> None:
        with session(server.set(database=owned.url.database)) as connection:
            connection.exec_driver_sql(statement)
            connection.commit()

    return run


def test_they_are_there_before_the_first_revision_and_in_each_new_database(owned: Project) -> None:
    declare(owned, "hstore SCHEMA words", "citext")
    head = max(path.stem for path in owned.versions.glob("*.py")).split("_")[1]
    owned.write_revision("abcd01", head, KINDS, 'op.execute("DROP TABLE kinds")')
    owned.environment |= {"ACCEPT": "drift", "CONFIRM": str(owned.url.database)}
    own = {"citext": owned.url.username, "hstore": owned.url.username}

    linted, migrated = call(owned, "lint", "--all"), call(owned)

    assert "hstore" not in linted.stdout + linted.stderr
    assert "✓ Created the extension hstore.\n✓ Created the extension citext.\n" in migrated.stdout, migrated.stderr
    assert owners(owned) == own
    assert owned.sql("SELECT 1 FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE nspname = 'words'")
    backup = call(owned, "backup")
    for verb, words in (("verify_staging", ()), ("reset", ()), ("restore", ("latest",)), ("rollback", ("--steps=1",))):
        done = call(owned, verb, *words)
        assert done.returncode == 0, (verb, backup.stdout, done.stdout + done.stderr)
        assert owners(owned) == own, verb

    declare(owned)
    assert call(owned).returncode == 0
    assert owners(owned) == own, "one that is taken off the list stays"
    for (name,) in owned.sql(f"SELECT datname FROM pg_database WHERE datname LIKE '{owned.url.database}\\_\\_kept%'"):
        owned.sql_on_server(f'DROP DATABASE "{name}"')


def test_what_only_a_superuser_may_create_is_said_with_its_statement(
    owned: Project, administrator: Callable[[str], None], revisions: list[str]
) -> None:
    database, user = owned.url.database, owned.url.username
    declare(owned, UNTRUSTED, "uuid-ossp SCHEMA ids")
    missing = call(owned)
    declare(owned, UNTRUSTED)
    here = call(owned)
    elsewhere = call(owned, DATABASE_URL=owned.url.render_as_string(hide_password=False))
    roles = call(owned, "roles")

    if "uuid-ossp" not in {row[0] for row in owned.sql("SELECT name FROM pg_available_extensions")}:
        assert (
            "does not have the extension uuid-ossp.\n  Why:   [tool.app] in pyproject.toml names it" in missing.stderr
        )
        assert "set POSTGRES_IMAGE in .env to an image that has it" in missing.stderr
    for result in (here, elsewhere, roles):
        assert result.returncode == 1
        assert f"✗ {user} may not create the extension {UNTRUSTED} in {database}." in result.stderr
        assert f'\n    CREATE EXTENSION IF NOT EXISTS "{UNTRUSTED}" CASCADE;' in result.stderr
    assert f"make up; or without make, in docker compose exec db psql -U postgres -d {database}:" in here.stderr
    assert f"have an administrator type this into psql, in {database}; then run this again:" in elsewhere.stderr
    assert not owned.sql("SELECT to_regclass('alembic_version')")[0][0]

    administrator(f'CREATE EXTENSION "{UNTRUSTED}"')
    view = "CREATE VIEW pages AS SELECT get_raw_page('users', 0) AS page"
    owned.write_revision("abcd01", revisions[-1], f'op.execute("{view}")', 'op.execute("DROP VIEW pages")')
    assert call(owned).returncode == 0
    assert call(owned, "verify_staging", ACCEPT="drift").returncode == 0


def test_a_line_that_names_none_is_wrong_and_one_that_the_scratch_server_lacks_stops_nothing(owned: Project) -> None:
    declare(owned, "citext with words")
    wrong = call(owned)
    declare(owned, "postgis")
    head = max(path.stem for path in owned.versions.glob("*.py")).split("_")[1]
    table = 'op.execute("CREATE TABLE places (id int PRIMARY KEY, at geometry)")'
    owned.write_revision("abcd01", head, table, 'op.execute("DROP TABLE places")')

    linted = call(owned, "lint", "--all")

    assert wrong.returncode == 2
    assert "extensions is not a list of texts of the form name, or name SCHEMA schema" in wrong.stderr
    assert "  needs postgis  alembic/versions/abcd01.py:12  The statement failed without this" in linted.stdout
    assert "does not exist" not in linted.stdout + linted.stderr
