"""make status"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Project

KEY = "    import sqlalchemy as sa\n    id = sa.Column(sa.Integer, primary_key=True)\n"


def look(project: Project) -> tuple[int, dict[str, Any]]:
    """The exit code and the facts of status --json."""
    return json_of(project.run("status", "--json"))


def json_of(result: "subprocess.CompletedProcess[str]") -> tuple[int, dict[str, Any]]:
    assert result.stderr == ""
    return result.returncode, json.loads(result.stdout)


def test_at_head_it_says_where_the_database_stands(settled: Project, revisions: list[str]) -> None:
    code, facts = look(settled)

    assert code == 0
    server, user = facts.pop("server"), settled.url.username
    assert server.startswith("PostgreSQL 1")
    assert facts.pop("models") in (None, []), "another test may have compared them"
    assert facts == {
        "runtime": "none",
        "address": f"{settled.url.host}:{settled.url.port}",
        "database": settled.url.database,
        "environment": "development",
        "current": revisions[-1:],
        "head": revisions[-1],
        "heads": revisions[-1:],
        "pending": [],
        "unknown": [],
        "fitting": [],
        "uncommitted": [],
        "edited": [],
        "never_ran": [],
        "owner": {"name": user, "superuser": True, "creates_databases": True, "bootstrap": True},
        "application": {"name": user, "exists": True, "dangers": ["is a superuser"], "lacking": []},
        "rollback": None,
        "not_imported": [],
        "models_fault": "",
        "not_looked_at": [],
    }


def test_for_people_it_is_a_line_for_each_fact_and_the_next_commands(settled: Project, revisions: list[str]) -> None:
    result = settled.run("status", "--next")

    assert result.returncode == 0
    facts, _, following = result.stdout.partition("\nNext:\n")
    lines = dict(line.split(maxsplit=1) for line in facts.splitlines())
    assert lines["Database"] == settled.url.database
    assert lines["Environment"] == "development"
    assert lines["Current"] == lines["Head"] == revisions[-1]
    assert lines["Pending"] == "nothing"
    assert 'make revision m="what it does"' in following


def test_an_application_that_could_drop_tables_is_warned_of_and_no_fault(settled: Project) -> None:
    result = settled.run("status")

    assert result.returncode == 0
    assert f"Migrates as  {settled.url.username}: may create databases, superuser\n" in result.stdout
    assert f"Application  {settled.url.username}: could drop tables\n" in result.stdout
    assert result.stderr == "! The application could drop tables: it is a superuser. Correct it: make roles\n"


def test_a_role_of_the_application_that_the_server_lacks_is_warned_of(settled: Project) -> None:
    result = settled.run("status", APP_DB_USER="nobody_there", APP_DB_PASSWORD="x9")

    assert result.returncode == 0
    assert "Application  nobody_there: no such role on this server\n" in result.stdout
    assert result.stderr == "! The application cannot log in: there is no role nobody_there. Create it: make roles\n"


def test_behind_it_names_what_is_pending(empty_project: Project, revisions: list[str]) -> None:
    code, facts = look(empty_project)

    assert code == 1
    assert facts["current"] == []
    assert facts["pending"] == revisions


def test_a_database_without_an_environment_counts_as_production(project: Project) -> None:
    project.sql(f"COMMENT ON DATABASE {project.url.database} IS 'the shop'")

    result = project.run("status")

    assert result.returncode == 0
    assert "not set (treated as production)" in result.stdout


def test_many_revisions_are_counted_and_none_is_no_merge(edited: Project, revisions: list[str]) -> None:
    for number in range(11, 30):
        edited.write_revision(f"abcd{number}", f"abcd{number - 1}" if number > 11 else revisions[-1])
    many = edited.run("status").stdout
    for path in edited.versions.glob("*.py"):
        path.unlink()
    none = edited.run("status").stdout

    assert "Pending      19: abcd11, abcd12, abcd13, abcd14, abcd15, abcd16, abcd17, … abcd29\n" in many
    assert "Head          none: there is no revision yet   (make revision m=...)\n" in none


def test_two_heads_are_in_doubt(edited: Project, revisions: list[str]) -> None:
    for revision in ("abcd01", "abcd02"):
        edited.write_revision(revision, revisions[-1])

    code, facts = look(edited)

    assert code == 1
    assert facts["head"] is None
    assert sorted(facts["heads"]) == sorted(facts["pending"]) == ["abcd01", "abcd02"]


def test_a_revision_without_a_file_is_in_doubt(project: Project) -> None:
    project.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    code, facts = look(project)

    assert code == 1
    assert facts["unknown"] == facts["current"] == ["abcd01"]
    assert facts["pending"] == []


def test_a_model_that_is_not_imported_is_in_doubt(edited: Project) -> None:
    model = 'from app.database import Base\n\n\nclass Order(Base):\n    __tablename__ = "orders"\n' + KEY
    (edited.path / "app" / "models" / "order.py").write_text(model)

    code, facts = look(edited)

    assert code == 1
    assert facts["not_imported"] == ["app/models/order.py"]


UNIMPORTED = {
    "annotated": 'from app.database import Base\nclass A(Base):\n    __tablename__: str = "a"\n' + KEY,
    "bases": "from sqlalchemy.orm import DeclarativeBase\nclass Other(DeclarativeBase): pass\n"
    'class B(Other):\n    __tablename__ = "users"\n' + KEY,
    "declared": "from sqlalchemy.orm import declared_attr\nfrom app.database import Base\nclass Named:\n"
    "    @declared_attr.directive\n    def __tablename__(cls): return cls.__name__.lower()\n"
    "class D(Named, Base):\n" + KEY,
    "factory": 'from app.models.tables import make\nf = make("f")\n',
    "imperative": "import sqlalchemy as sa\nfrom sqlalchemy.orm import registry\nclass I: pass\nmine = registry()\n"
    'mine.map_imperatively(I, sa.Table("i", mine.metadata, sa.Column("id", sa.Integer, primary_key=True)))\n',
}
OTHERS = {
    "tables": "import sqlalchemy as sa\ndef make(name): return sa.Table(name, sa.MetaData())\n",
    "text": 'text = """\nclass T(Base):\n    __tablename__ = "t"\n"""\n',
    "prints": 'import os\nprint("hello", flush=True)\nos.environ["POSTGRES_PORT"] = "1"\n',
    "ends": 'import sys\n\nsys.exit("the end")\n',
    "circular": "from app.models.circle import x\n",
    "circle": "from app.models.circular import y\n",
    "latin": 'x = "\xe9"\n',
    "windows": "import sys\r\n\r\nimport nothing_of_that_name\r\n",
}


def test_models_are_found_by_what_registers_whatever_their_spelling(edited: Project) -> None:
    models = edited.path / "app" / "models"
    for name, text in {**UNIMPORTED, **OTHERS}.items():
        (models / f"{name}.py").write_bytes(text.encode("latin-1"))
    main = edited.path / "app" / "__main__.py"
    main.write_text("from pathlib import Path\nPath('ran').touch()\n" + main.read_text())

    code, facts = json_of(result := edited.run("status", "--json"))

    assert code == 1
    assert facts["not_imported"] == [f"app/models/{name}.py" for name in UNIMPORTED]
    circle, _, ends, latin, windows = facts["not_looked_at"]
    assert circle.startswith("app/models/circular.py, line 1: ImportError: cannot import name 'x' from partially")
    assert ends == "app/models/ends.py, line 3: SystemExit(…) would end the whole command"
    assert latin.startswith("app/models/latin.py, line 1: SyntaxError: (unicode error) 'utf-8' codec can't decode")
    assert windows == "app/models/windows.py, line 3: ModuleNotFoundError: No module named 'nothing_of_that_name'"
    assert "hello" not in result.stdout
    assert not (edited.path / "ran").exists()


@pytest.mark.faults
def test_a_module_that_does_not_end_is_named(edited: Project) -> None:
    (edited.path / "app" / "slow.py").write_text("import time\n\ntime.sleep(999)\n")

    result = edited.run("status", PLAN_DEADLINE="5")

    assert result.returncode == 0
    assert "! Not looked at for models: app/slow.py, line 3, was still running after 5 s.\n" in result.stderr


def test_without_any_imported_model_it_names_them_all(edited: Project) -> None:
    (edited.path / "app" / "models" / "__init__.py").write_text("from app.database import Base as Base\n")

    code, facts = look(edited)

    assert code == 1
    assert facts["not_imported"] == ["app/models/social.py", "app/models/user.py"]


def test_what_the_last_comparison_found_is_known_until_what_it_depends_on_changes(edited: Project) -> None:
    user = edited.path / "app" / "models" / "user.py"
    user.write_text(user.read_text() + '    import os\n\n    os.environ.get("COLOUR"), os.environ.get("PGHOST")\n')
    checked = edited.run("alembic", "check", COLOUR="red")

    known = edited.run("status", COLOUR="red", SCRATCH_USER="nobody_there")
    environment = edited.run("status", COLOUR="blue").stdout
    server = edited.run("status", COLOUR="red", SCRATCH_PORT="1").stdout
    user.write_text(user.read_text() + "    # edited\n")
    file = edited.run("status", COLOUR="red")

    assert checked.returncode == known.returncode == file.returncode == 0, checked.stderr + file.stderr
    assert "Models and revision files match.\n" in checked.stderr
    assert "Models       match the revision files\n" in known.stdout
    user.write_text(user.read_text() + "    note: Mapped[str | None] = mapped_column(String(9))\n")
    differing = edited.run("alembic", "check", COLOUR="red").stderr
    ahead = [edited.run("status", *words, COLOUR="red") for words in ((), ("--next",))]
    unknown = "Models       not compared: make lint\n"
    assert "The models read COLOUR from the environment. With other values they may describe other tables." in differing
    assert [result.returncode for result in ahead] == [1, 0], "make up ends with --next"
    assert "Models       1 difference from the revision files: make lint shows them\n" in ahead[0].stdout
    assert all(unknown in printed for printed in (environment, server, file.stdout)), file.stdout


def test_revision_files_that_git_does_not_have_are_named(project: Project, git: Callable[..., None]) -> None:
    project.write_revision("abcd01", None)
    git("add", "--all")
    git("commit", "--quiet", "--message=add abcd01")
    (project.versions / "abcd01.py").unlink()

    code, facts = look(project)

    assert code == 0
    assert facts["uncommitted"] == ["alembic/versions/abcd01.py"]


def test_a_missing_database_is_an_error(project: Project) -> None:
    project.url = project.url.set(database=f"{project.url.database}_missing")

    result = project.run("status")

    assert result.returncode == 1
    assert f"has no database {project.url.database}." in result.stderr
    assert "Do:    make migrate   (creates it)" in result.stderr


def test_who_stops_reading_early_breaks_nothing(project: Project) -> None:
    result = project.call("sh", "-c", f"{sys.executable} -m scripts.status | true")

    assert "Traceback" not in result.stderr
    assert "bug" not in result.stderr
