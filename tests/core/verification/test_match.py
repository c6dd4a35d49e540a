"""Changes of models that plain autogenerate takes for none: every command that says "match" finds each of them."""

import json

from tests.conftest import Project
from tests.core import running
from tests.core.verification.conftest import Verify
from tests.core.verification.reports import execute, gate

BEFORE = [
    "CREATE TYPE mood AS ENUM ('good')",
    "CREATE TABLE plain (id int PRIMARY KEY, n int NOT NULL, mood mood, name varchar,"
    " twice int GENERATED ALWAYS AS (n * 2) STORED, CONSTRAINT ck_plain_small CHECK (n < 9))",
    "CREATE INDEX few ON plain (n) WHERE n > 1",
    "CREATE INDEX wide ON plain (n)",
    "CREATE INDEX fast ON plain (name)",
    "CREATE TABLE keyed (a int NOT NULL, b int NOT NULL, CONSTRAINT pk_keyed PRIMARY KEY (a))",
    "CREATE TABLE refers (id int CONSTRAINT pk_refers PRIMARY KEY,"
    " plain_id int CONSTRAINT fk_refers_plain_id_plain REFERENCES plain)",
]
NOW = """import sqlalchemy as sa
from app.database import Base

class Plain(Base):
    __tablename__ = "plain"
    id = sa.Column(sa.Integer, primary_key=True, autoincrement=False)
    n = sa.Column(sa.Integer, nullable=False)
    mood = sa.Column(sa.Enum("good", "bad", name="mood"))
    name = sa.Column(sa.String(collation="C"))
    twice = sa.Column(sa.Integer, sa.Computed("n * 3", persisted=True))
    __table_args__ = (
        sa.CheckConstraint("n < 10", name="small"),
        sa.CheckConstraint("n > 0", name="new"),
        sa.Index("few", "n", postgresql_where=sa.text("n > 2")),
        sa.Index("wide", "n", postgresql_include=["id"]),
        sa.Index("fast", "name", postgresql_using="hash"),
    )

class Keyed(Base):
    __tablename__ = "keyed"
    a = sa.Column(sa.Integer, nullable=False)
    b = sa.Column(sa.Integer, primary_key=True, autoincrement=False)

class Refers(Base):
    __tablename__ = "refers"
    id = sa.Column(sa.Integer, primary_key=True, autoincrement=False)
    plain_id = sa.Column(sa.ForeignKey("plain.id", deferrable=True))
"""
CHANGES = {
    "enum mood: 'good', expected 'good', 'bad'": "ALTER TYPE mood ADD VALUE",
    "table plain, column name: ": 'ALTER name TYPE varchar COLLATE "C"',
    "table plain, column twice: ": "n * 3",
    "table plain, constraint ck_plain_small: ": "CHECK ((n < 10))",
    "table plain, constraint ck_plain_new is missing": "CHECK ((n > 0))",
    "table plain, index few: ": "WHERE (n > 2)",
    "table plain, index wide: ": "INCLUDE (id)",
    "table plain, index fast: ": "USING hash",
    "table keyed, constraint pk_keyed: PRIMARY KEY (a), expected PRIMARY KEY (b)": "PRIMARY KEY (b)",
    "table refers, constraint fk_refers_plain_id_plain: ": "deferrable=True",
}
"""What is printed of each change, and what the revision file has."""


def test_each_false_match_is_found_by_every_command(project: Project, revisions: list[str], verify: Verify) -> None:
    project.write_revision("abcd01", revisions[-1], execute(*BEFORE), execute("DROP TABLE refers, keyed, plain"))
    models = project.path / "app" / "models" / "__init__.py"
    (models.parent / "kinds.py").write_text(NOW)
    models.write_text(models.read_text() + "import app.models.kinds\n")
    everywhere = {}

    verify(project, "upgrade", "drift")
    everywhere["verify-staging"] = "\n".join(gate(project, "drift")["details"])
    everywhere["alembic check"] = "".join(running.by_hand(project, "check").stdout)
    linted = running.call(project, "lint", "--all")
    everywhere["lint"] = linted.stdout
    status = running.call(project, "status").stdout
    before = {*project.versions.glob("*.py")}
    written = running.call(project, "revision", "--message", "kinds")
    (path,) = {*project.versions.glob("*.py")} - before

    for command, printed in everywhere.items():
        assert [line for line in CHANGES if line not in printed] == [], command + printed
    assert linted.returncode == 1
    assert f"Models       {len(CHANGES)} differences from the revision files: make lint shows them\n" in status
    assert [text for text in CHANGES.values() if text not in path.read_text()] == []
    assert "✓ Wrote " in written.stdout, "it makes all that the models describe"


def test_a_project_with_accepted_differences_passes_everywhere(
    project: Project, revisions: list[str], verify: Verify
) -> None:
    project.write_revision(
        "abcd01", revisions[-1], execute("CREATE TABLE theirs (id int)"), execute("DROP TABLE theirs")
    )
    assert running.call(project, "revision", ACCEPT="differences").returncode == 0

    results = [running.by_hand(project, "check"), running.call(project, "alembic", "check")]
    results.append(running.call(project, "lint", "--all"))
    status = running.call(project, "status").stdout
    results.append(running.call(project, "revision", "--message", "nothing"))
    verify(project, "upgrade", "drift")

    assert [result.returncode for result in results] == [0] * 4, results
    assert "printed" not in results[0].stderr, "what the revisions do on throwaway databases"
    assert all("but for 1 difference in alembic/accepted_differences.txt" in results[n].stderr for n in (0, 1))
    assert "Models       match the revision files\n" in status
    assert gate(project, "drift")["status"] == "passed"


COMMANDS: list[tuple[str, ...]] = [("revision", "--message", "x"), ("lint", "--all"), ("alembic", "check")]


def test_models_that_cannot_be_compared_pass_nowhere(project: Project, verify: Verify) -> None:
    user = project.path / "app" / "models" / "user.py"
    user.write_text("import no_such_package\n" + user.read_text())

    broken = [running.call(project, *words) for words in COMMANDS]
    document = json.loads(running.call(project, "lint", "--all", "--json").stdout)
    status, current = running.call(project, "status"), running.call(project, "alembic", "current")
    verify(project, "upgrade", "drift")
    (project.path / "requirements.txt").write_text("No.Such-Package==1.0\n")
    listed = running.call(project, "lint", "--all").stderr

    problem = "app/models/user.py, line 1 cannot be imported: ModuleNotFoundError: No module named 'no_such_package'"
    assert [result.returncode for result in [*broken, status, current]] == [1, 1, 1, 1, 0]
    assert all(f"{problem}\n  Do: " in result.stdout + result.stderr for result in broken), broken
    assert (
        "Do:    add the package of no_such_package to pyproject.toml, then: make lock, make up; or" in broken[0].stderr
    )
    assert document["models"] is None
    assert f"Models       {problem}\n" in status.stdout, "and what the database is"
    assert gate(project, "drift")["summary"] == problem
    assert "make up   (it installs no_such_package, which this environment lacks). Override" in listed


def test_a_project_says_that_it_has_no_models(project: Project, verify: Verify) -> None:
    settings = project.path / "pyproject.toml"
    settings.write_text(settings.read_text().replace("app.models:", "shop.models:"))

    missing = [running.call(project, *words) for words in COMMANDS]
    settings.write_text(settings.read_text().replace('"shop.models:Base.metadata"', "[]"))
    none = [running.call(project, *words) for words in COMMANDS]
    verify(project, "upgrade", "drift")

    assert [result.returncode for result in missing] == [1] * 3
    assert all("There is no module shop, so no models." in f"{one.stdout}{one.stderr}" for one in missing), missing
    assert [result.returncode for result in none] == [1, 0, 0], "only make revision has nothing to do"
    assert (found := gate(project, "drift"))["status"] == "passed", found
    assert found["summary"].endswith("the revision files; metadata in [tool.app] of pyproject.toml names no models")


FILTERS = """

def include_name(name, kind, parents):
    return not (kind == "table" and name == "theirs")


def include_object(object, name, kind, reflected, compare_to):
    if name in ("ix_by_hand", "ck_users_by_hand"):
        return not reflected
    return name not in ("by_hand", "legacy")


import sqlalchemy as sa
from app.database import Base
sa.Table("legacy", Base.metadata, sa.Column("id", sa.Integer, primary_key=True))
"""
OTHERS = [
    "CREATE TABLE theirs (id int)",
    "ALTER TABLE users ADD by_hand int, ADD CONSTRAINT ck_users_by_hand CHECK (id > 0)",
    "CREATE INDEX ix_by_hand ON users (email)",
]


def test_the_filters_of_the_application_hold_everywhere(project: Project, revisions: list[str], verify: Verify) -> None:
    models = project.path / "app" / "models" / "__init__.py"
    models.write_text(models.read_text() + FILTERS)
    before = running.call(project, "revision", "--message", "nothing")
    project.write_revision("abcd01", revisions[-1], execute(*OTHERS[1:]), execute("ALTER TABLE users DROP by_hand"))
    project.sql(OTHERS[0])

    results = [before, running.by_hand(project, "check")]
    linted = running.call(project, "lint", "--all", "--json")
    assert running.call(project, "migrate").returncode == 0
    verify(project, "upgrade", "drift")
    results.append(running.by_hand(project, "revision", "--autogenerate", "-m", "by hand", "--rev-id", "abcd02"))

    assert [result.returncode for result in results] == [0] * 3, results
    assert json.loads(linted.stdout)["models"] == []
    for result in (before, results[2]):
        assert "✓ Models and migrations match: there is nothing to write." in result.stdout
    assert gate(project, "drift")["status"] == "passed", gate(project, "drift")
    assert [*project.versions.glob("*abcd02*")] == []
