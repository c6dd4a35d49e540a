"""make lint"""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from tests.conftest import Project
from tests.core import running
from tests.core.translating import translating

INDEX = 'op.create_index("ix_users_email", "users", ["email"])'
DROP = 'op.drop_index("ix_users_email")'


@pytest.fixture
def branch(project: Project, git: Callable[..., None], revisions: list[str]) -> Project:
    """A branch that is one revision ahead of main: an index that stops writes of users."""
    git("checkout", "--quiet", "-b", "feature")
    project.write_revision("abcd01", revisions[-1], INDEX, DROP)
    project.environment["ACCEPT"] = "drift"  # no model describes that index
    return project


def test_what_blocks_is_told_with_the_safe_way_and_exits_1(branch: Project) -> None:
    result = branch.run("lint", POSTGRES_DB="no_such_database")

    assert result.returncode == 1
    assert result.stdout == (
        "  H03 block  alembic/versions/abcd01.py:12  users is read to build ix_users_email, which blocks writes"
        " until the commit.\n"
        "      Writes go on with:\n"
        "      with op.get_context().autocommit_block():\n"
        '          op.create_index("ix_users_email", "users", ["email"], postgresql_concurrently=True,'
        " if_not_exists=True)\n"
        "✗ 1 of 1 finding blocks, in 1 revision.\n"
    )
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("folder", "setting"),
    [
        ("alembic/versions/2026", "recursive_version_locations = true"),
        ("billing/migrations", "version_locations = %(here)s/alembic/versions:%(here)s/billing/migrations"),
    ],
)
def test_a_revision_is_looked_at_wherever_alembic_finds_it(branch: Project, folder: str, setting: str) -> None:
    ini, file = branch.path / "alembic.ini", branch.versions / "abcd01.py"
    ini.write_text(ini.read_text().replace("[alembic]\n", f"[alembic]\n{setting}\n"))
    (branch.path / folder).mkdir(parents=True)
    file.rename(branch.path / folder / file.name)

    result = branch.run("lint")

    assert result.returncode == 1
    assert f"  H03 block  {folder}/abcd01.py:12  users is read to build ix_users_email" in result.stdout
    assert "in 1 revision." in result.stdout


def test_a_file_of_the_main_branch_that_only_moved_is_not_new(branch: Project, revisions: list[str]) -> None:
    ini = branch.path / "alembic.ini"
    ini.write_text(ini.read_text().replace("[alembic]\n", "[alembic]\nrecursive_version_locations = true\n"))
    for file in branch.versions.glob("*.py"):
        (branch.versions / file.stem).mkdir()
        file.rename(branch.versions / file.stem / "same_name.py")

    result = branch.run("lint")

    assert "H03 block  alembic/versions/abcd01/same_name.py:12" in result.stdout
    assert "in 1 revision." in result.stdout


def test_what_the_main_branch_has_is_looked_at_when_asked_for(branch: Project, git: Callable[..., None]) -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message=index")
    git("branch", "--force", "main")

    assert branch.run("lint").stdout == (
        "✓ Nothing blocks in 0 revisions. make lint ALL=1 checks those of the main branch, too.\n"
    )
    assert branch.run("lint", "--all").returncode == 1


VECTOR = """

import sqlalchemy as sa
from app.database import Base
class Vector(sa.types.UserDefinedType):
    def get_col_spec(self): return "geometry"
class Place(Base):
    __tablename__ = "places"
    id = sa.Column(sa.Integer, primary_key=True)
    at = sa.Column(Vector)
class Visit(Base):
    __tablename__ = "visits"
    id = sa.Column(sa.Integer, primary_key=True)
    place_id = sa.Column(sa.ForeignKey("places.id"))
class Photo(Base):
    __tablename__ = "photos"
    id = sa.Column(sa.Integer, primary_key=True)
    visit_id = sa.Column(sa.ForeignKey("visits.id"))
"""
PLUG_IN = """
from alembic.autogenerate import comparators
from alembic.operations import MigrateOperation
class Create(MigrateOperation):
    def to_diff_tuple(self): return "create_entity", "public.shop"
    def reverse(self): return self
class DropOp(Create):
    class target: pass
@comparators.dispatch_for("schema")
def compare(found, operations, schemas):
    DropOp.target.role = found.connection.engine.url.username  # as alembic_utils does
    operations.ops += [Create(), DropOp()]
"""


def test_models_with_an_extension_that_the_scratch_server_lacks_are_named_and_the_rest_is_compared(
    edited: Project, revisions: list[str]
) -> None:
    models = edited.path / "app" / "models" / "__init__.py"
    models.write_text(models.read_text() + VECTOR + PLUG_IN)
    create = (
        'op.execute("CREATE EXTENSION postgis"); op.execute("CREATE TABLE places (id int PRIMARY KEY, at geometry)")'
    )
    for table, to in (("visits", "place"), ("photos", "visit")):
        words = f"CREATE TABLE {table} (id serial PRIMARY KEY, {to}_id int REFERENCES {to}s)"
        create += f'; op.execute("{words}")'
    edited.write_revision("abcd01", revisions[-1], f'{create}; op.execute("ALTER TABLE users ADD extra int")')

    result = edited.run("lint", "--all")

    left_out = "places, constraint fk_visits_place_id_places of visits, photos, visits"
    assert f"! Not compared: {left_out}. The scratch server lacks postgis. " in result.stderr
    assert (
        "  table users, column extra is not expected\n"
        "  a plug-in of Alembic wants: create entity public.shop\n"
        "✗ Models and revision files differ." in result.stdout
    )
    assert "places" not in result.stdout.rpartition("in 3 revisions.")[2]

    models.write_text(models.read_text().replace(PLUG_IN, ""))
    edited.write_revision("abcd01", revisions[-1], create)
    match = edited.run("revision", "--message", "nothing").stdout
    assert "✓ Models and migrations match, but for 4 objects that could not be compared: there is " in match


def test_two_heads_fail_on_the_main_branch_too(branch: Project, git: Callable[..., None], revisions: list[str]) -> None:
    branch.write_revision("abcd02", revisions[-1])
    results = [branch.run("lint")]
    git("add", "--all")
    git("commit", "--quiet", "--message=both")
    git("branch", "--force", "main")
    results.append(branch.run("lint"))

    for result in results:
        assert result.returncode == 1
        assert "✗ There are 2 heads:" in result.stderr
        assert 'make merge m="merge the two"' in result.stderr


def test_a_model_that_is_not_imported_fails(edited: Project) -> None:
    text = 'import sqlalchemy as sa\nfrom app.database import Base\nt = sa.Table("t", Base.metadata)\n'
    (edited.path / "app" / "extra.py").write_text(text)

    result = edited.run("lint", "--all")

    assert result.returncode == 1
    assert "  app/extra.py makes a table, and it is not imported by app/models/__init__.py\n" in result.stdout


ROLES = (
    'op.execute("GRANT SELECT ON users TO missing_app"); op.execute("CREATE POLICY own ON users TO \\"The Readers\\"");'
    ' op.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO missing_app")'
)
NO_ROLES = (
    'op.execute("ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM missing_app");'
    ' op.execute("DROP POLICY own ON users");'
    ' op.execute("REVOKE SELECT ON users FROM missing_app")'
)
CHILD = (
    'op.execute("CREATE TABLE pets (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users)")\n'
    '    op.execute("CREATE TABLE notes (user_id int REFERENCES users)")\n'
    '    op.execute("INSERT INTO notes VALUES (NULL)")\n'
    '    op.execute("CREATE TABLE later (user_id int REFERENCES users DEFERRABLE INITIALLY DEFERRED)")'
)
REFERS = (
    'op.execute("INSERT INTO pets SELECT 1, 1"); op.execute("INSERT INTO pets SELECT 2, (SELECT id FROM users)")\n'
    '    op.execute("UPDATE notes SET user_id = 1")\n'
    '    op.execute("INSERT INTO later VALUES (1)")'
)
LOOP = (
    'for id, in op.get_bind().exec_driver_sql("SELECT id FROM users").fetchall():\n'
    '        op.execute(f"UPDATE users SET email = upper(email) WHERE id = {id}")'
)
FIRST = 'op.execute("ALTER TABLE pets ADD name text"); op.get_bind().exec_driver_sql("SELECT id FROM users").one()[0]'
GONE = 'op.execute("ALTER TABLE pets ADD CHECK (owner > 0)")'


CHAIN = [
    (ROLES, NO_ROLES),
    (CHILD, 'op.drop_table("pets"); op.drop_table("later")'),
    (REFERS, "pass"),
    (LOOP, "pass"),
    (FIRST, "pass"),
    ('op.execute("ALTER TABLE pets ADD owner int")', "pass"),
    (INDEX, DROP),
    (GONE, "pass"),
    ("1 / 0", "pass"),
    ("pass", "pass"),
]
NEEDS_ROWS = [
    "abcd02.py:12  The statement needs rows that the copy does not have. make verify-staging tests it.",
    "abcd02.py:13  The statement needs rows that the copy does not have. make verify-staging tests it.",
    "abcd02.py:14  The statement needs rows that the copy does not have. make verify-staging tests it.",
    "abcd03.py:12  This loop found no rows, so what it does is of unknown size. make verify-staging tests it.",
    "abcd04.py:12  Its code needs a row here, so its rest and its downgrade were not tried."
    " make verify-staging tests it.",
    "abcd08.py:1  It failed, and abcd04 was not finished: alembic/versions/abcd08.py, line 12: ZeroDivisionError"
    " (its text may hold contents of rows: not shown). make verify-staging tests it.",
    "abcd09.py:1  It was not tried, because abcd04 was not finished. make verify-staging tests it.",
]


def write_chain(branch: Project) -> None:
    [down] = branch.version
    for number, (up, back) in enumerate(CHAIN):
        branch.write_revision(f"abcd0{number}", down, up, back)
        down = f"abcd0{number}"


def test_a_role_or_a_row_that_only_the_target_has_does_not_fail(
    branch: Project, git: Callable[..., None], administration: Connection, server: URL
) -> None:
    """The errors of the server are in another language."""
    (branch.versions / "abcd01.py").unlink()
    write_chain(branch)

    with translating(server) as url:
        result = running.call(branch, "lint", SCRATCH_HOST=str(url.host), SCRATCH_PORT=str(url.port))

    assert result.returncode == 1, result.stderr
    assert result.stderr == ""
    found = [line.split("alembic/versions/", 1)[1] for line in result.stdout.splitlines() if "  needs rows  " in line]
    assert found == NEEDS_ROWS
    assert "H03 block  alembic/versions/abcd06.py:12" in result.stdout
    for undone, difference in {"abcd01": "table notes", "abcd05": "table pets, column owner"}.items():
        assert f"H12 warn  alembic/versions/{undone}.py" in result.stdout
        assert f"{difference} is not expected" in result.stdout
    assert administration.execute(
        text("SELECT rolcanlogin FROM pg_roles WHERE rolname IN ('missing_app', 'The Readers')")
    ).all() == [
        (False,),
        (False,),
    ]

    git("add", "--all")
    git("commit", "--quiet", "--message=on main now")
    git("branch", "--force", "main")
    (branch.versions / "abcd08.py").unlink()
    branch.write_revision("abcd08", "abcd07", "pass")
    branch.write_revision("abcd09", "abcd08", "pass")
    branch.write_revision("abcd10", "abcd09", DROP, INDEX)

    later = running.call(branch, "lint")

    assert (later.returncode, later.stderr) == (0, ""), later.stdout


MIXED = "CREATE TABLE pets (user_id int REFERENCES users); INSERT INTO pets VALUES (1)"


def test_a_text_of_several_statements_that_needs_a_row_does_not_fail(branch: Project) -> None:
    branch.write_revision("abcd02", "abcd01", 'op.execute("-- its author said so\\nINSERT INTO old VALUES (1)")')
    branch.write_revision("abcd03", "abcd02", f'op.execute("{MIXED}")', 'op.drop_table("pets")')
    branch.write_revision("abcd04", "abcd03", 'op.execute("ALTER TABLE pets ADD name text")')
    [before] = branch.version
    branch.write_revision("abcd01", before, 'op.execute("CREATE TABLE old (user_id int REFERENCES users)")')

    result = running.call(branch, "lint")

    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    assert "abcd02.py:12  The statement needs rows that the copy does not have." in result.stdout
    assert "abcd03.py:12  A statement of this text needs rows that the copy does not have, so the text" in result.stdout
    assert "abcd04.py:1  It failed, and abcd03 was not finished: " in result.stdout


def test_a_reason_silences_a_hazard_and_is_shown(branch: Project) -> None:
    file = branch.versions / "abcd01.py"
    file.write_text(file.read_text() + "# safe: H03 empty until launch\n")

    result = branch.run("lint")

    assert result.returncode == 0
    assert "H03 silenced  alembic/versions/abcd01.py:12  index not CONCURRENTLY: empty until launch\n" in result.stdout
    (revision,) = json.loads(branch.run("lint", "--json").stdout)["revisions"]
    assert revision["findings"][0]["silenced"] == "empty until launch"


@pytest.mark.parametrize("comment", ["# safe: H03", "# safe: H05 empty until launch", 'x = "# safe: H03 empty"'])
def test_what_gives_no_reason_for_this_hazard_silences_nothing(branch: Project, comment: str) -> None:
    file = branch.versions / "abcd01.py"
    file.write_text(f"{file.read_text()}{comment}\n")

    assert branch.run("lint").returncode == 1


def test_the_json_document_is_that_of_a_plan(branch: Project) -> None:
    result = branch.run("lint", "--json")

    document = json.loads(result.stdout)
    assert result.returncode == 1
    assert document["format"] == 1
    (revision,) = document["revisions"]
    (finding,) = revision["findings"]
    assert {name: finding[name] for name in ("id", "hazard", "severity", "relation", "blocks", "line", "silenced")} == {
        "id": "H03",
        "hazard": "index not CONCURRENTLY",
        "severity": "block",
        "relation": "users",
        "blocks": "writes",
        "line": 12,
        "silenced": None,
    }
    assert set(finding) - {"message", "instead"} == {
        *("id", "hazard", "severity", "relation", "blocks", "file", "line", "silenced"),
    }
    assert revision["statements"][0]["scans"] == ["users"]


def test_github_shows_findings_beside_the_lines(branch: Project) -> None:
    printed = branch.run("lint", GITHUB_ACTIONS="true", ACCEPT="").stdout

    assert "::error file=alembic/versions/abcd01.py,line=12,title=H03 index not CONCURRENTLY::users is read" in printed
    assert "%0AWrites go on with:%0A" in printed
    assert "::error::Models and revision files differ.%0A" in printed


def test_a_revision_that_fails_is_told(branch: Project, revisions: list[str]) -> None:
    branch.write_revision("abcd02", "abcd01", 'op.drop_table("nowhere")')

    result = branch.run("lint", GITHUB_ACTIONS="true")

    assert result.returncode == 1
    assert 'alembic/versions/abcd02.py, line 12: table "nowhere" does not exist' in result.stderr
    assert "::error file=alembic/versions/abcd02.py,line=12::" in result.stdout
    assert "::error" not in branch.run("lint").stdout


def test_without_a_main_branch_it_says_how_to_get_one(project: Project) -> None:
    result = project.run("lint")

    assert result.returncode == 1
    assert "✗ There is no main branch to compare with." in result.stderr
    assert "make lint ALL=1" in result.stderr


@pytest.mark.parametrize("code", ['op.drop_column("users", "note")', 'op.execute("ALTER TABLE users DROP note")'])
def test_a_column_may_go_when_its_field_was_gone_on_the_main_branch(
    project: Project, git: Callable[..., None], revisions: list[str], code: str
) -> None:
    """And not while the main branch has it, whatever this branch's models say."""
    back = 'op.execute("ALTER TABLE users ADD note text")'
    project.write_revision("abcd01", revisions[-1], back, 'op.drop_column("users", "note")')
    git("add", "--all")
    git("commit", "--quiet", "--message=note")
    git("checkout", "--quiet", "-b", "feature")
    project.write_revision("abcd02", "abcd01", code, back)
    model = project.path / "app" / "models" / "user.py"
    without = model.read_text()

    gone = project.run("lint")
    git("checkout", "--quiet", "main")
    model.write_text(without + "    note: Mapped[str | None]\n")
    git("commit", "--quiet", "--message=field", "app")
    git("checkout", "--quiet", "feature")
    still_there = project.run("lint")

    assert gone.returncode == 0, gone.stdout
    assert "H07 warn" in gone.stdout
    assert still_there.returncode == 1
    assert "H08 block" in still_there.stdout
    assert "users.note is dropped, but running code uses it." in still_there.stdout


def test_models_that_differ_from_the_files_are_named(branch: Project) -> None:
    file = branch.versions / "abcd01.py"
    file.write_text(file.read_text() + "# safe: H03 empty until launch\n")

    accepted = branch.run("lint")
    found = branch.run("lint", ACCEPT="")
    document = json.loads(branch.run("lint", "--json", ACCEPT="").stdout)
    models = branch.path / "app" / "models" / "user.py"
    models.write_text(models.read_text() + "import no_such_module\n")
    broken = branch.run("lint", ACCEPT="")

    line = "table users, index ix_users_email is not expected"
    assert accepted.returncode == 0, accepted.stdout
    assert found.returncode == 1
    assert f"  {line}\n✗ Models and revision files differ. Override with ACCEPT=drift.\n" in found.stdout
    assert document["models"] == [line]
    assert broken.returncode == 1
    assert "✗ app/models/user.py, line" in broken.stderr
    assert "or correct that import. Override with ACCEPT=drift.\n" in broken.stderr
