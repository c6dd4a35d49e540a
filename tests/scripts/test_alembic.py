"""make alembic, history, current, merge — and `alembic` typed by hand"""

import py_compile
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.core.running import by_hand


def test_typed_by_hand_it_migrates_and_rolls_back_and_stamps(empty_project: Project, revisions: list[str]) -> None:
    steps = {
        ("upgrade", "head"): revisions[-1:],
        ("downgrade", "-1"): revisions[-2:-1],
        ("stamp", "head"): revisions[-1:],
    }

    for words, version in steps.items():
        result = empty_project.call(sys.executable, "-m", "alembic", *words)

        assert result.returncode == 0, result.stderr
        assert "INFO  [alembic.runtime.migration] Running " in result.stderr
        assert result.stderr.count("Context impl ") == 1
        assert empty_project.version == version


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"POSTGRES_PASSWORD": "wr0ng-pw"}, "refuses the password of user"),
        ({"DATABASE_URL": "mysql://a:s3cret-pw@b/c"}, "this environment is for PostgreSQL"),
    ],
)
def test_typed_by_hand_it_has_our_errors(settled: Project, environment: dict[str, str], words: str) -> None:
    result = by_hand(settled, "upgrade", "head", **environment)

    assert result.returncode not in (0, 3)
    assert words in result.stdout + result.stderr
    assert "s3cret-pw" not in result.stdout + result.stderr


def test_typed_by_hand_it_says_which_revision_has_no_file(project: Project) -> None:
    project.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    result = by_hand(project, "upgrade", "head")

    assert result.returncode not in (0, 3)
    assert "The database is at revision abcd01, which has no file in this checkout." in result.stdout + result.stderr


def test_sql_for_somebody_else_needs_no_database_and_no_settings(settled: Project, revisions: list[str]) -> None:
    nothing = dict.fromkeys(settled.variables().keys() - {"PATH", "HOME", "PYTHONDONTWRITEBYTECODE"}, "")

    result = by_hand(settled, "upgrade", "head", "--sql", **nothing)

    assert result.returncode == 0, result.stderr
    assert "CREATE TABLE social_posts" in result.stdout
    assert f"UPDATE alembic_version SET version_num='{revisions[-1]}'" in result.stdout
    assert result.stdout.count("COMMIT;") >= len(revisions)


def test_a_revision_that_looks_into_the_database_is_a_fault_of_its_file_with_sql(
    edited: Project, revisions: list[str]
) -> None:
    edited.write_revision("abcd01", revisions[-1], "import sqlalchemy as sa; sa.inspect(op.get_bind())")

    result = by_hand(edited, "upgrade", f"{revisions[-1]}:head", "--sql")

    assert result.returncode != 0
    assert "alembic/versions/abcd01.py, line 12: NoInspectionAvailable" in result.stdout + result.stderr
    assert "context.is_offline_mode()" in result.stdout + result.stderr


@pytest.mark.parametrize("words", [("show head",), ("show", "head")])
def test_any_command_is_taken_as_words_or_as_one_text(
    settled: Project, revisions: list[str], words: tuple[str, ...]
) -> None:
    result = settled.run("alembic", *words)

    assert result.returncode == 0, result.stderr
    assert f"Rev: {revisions[-1]} (head)" in result.stdout


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", 2, "No Alembic command was given."),
        (" ", 2, "No Alembic command was given."),
        ("show 'head", 2, "c=show 'head is not a command: No closing quotation."),
        ("nonsense", 2, "invalid choice: 'nonsense'"),
        ("show zzzz", 1, "Can't locate revision identified by 'zzzz'"),
        ("show head; touch pwned $(touch pwned) `touch pwned` > pwned", 2, "unrecognized arguments: "),
    ],
)
def test_what_is_no_command_is_refused_and_nothing_else_is_run(
    settled: Project, text: str, code: int, words: str
) -> None:
    result = settled.run("alembic", text)

    assert result.returncode == code
    assert words in result.stdout + result.stderr
    assert not list(settled.path.rglob("pwned*"))


def test_history_marks_where_the_database_is(settled: Project, revisions: list[str]) -> None:
    result = settled.run("alembic", "history", "--indicate-current")

    assert result.returncode == 0
    assert f"{revisions[-1]} (head) (current)" in result.stdout


def test_two_heads_can_be_merged_and_migrated(project: Project, revisions: list[str]) -> None:
    for revision in ("abcd01", "abcd02"):
        project.write_revision(revision, revisions[-1])

    results = [project.run("alembic", "merge", "--message", "merge 'em", "heads"), project.run("migrate")]

    assert [result.returncode for result in results] == [0, 0], results
    (merged,) = project.version
    assert merged not in (*revisions, "abcd01", "abcd02")


def test_check_says_whether_models_and_migrations_match(edited: Project) -> None:
    before = edited.run("alembic", "check", POSTGRES_PORT="1")
    user = edited.path / "app" / "models" / "user.py"
    user.write_text(user.read_text() + "    note: Mapped[str | None] = mapped_column(String(99))\n")

    after = edited.run("alembic", "check")

    assert before.returncode == 0
    assert "Models and revision files match." in before.stderr
    assert after.returncode == 1
    assert "Models and revision files differ:\n    table users, column note is missing\n" in after.stderr


AUTOGENERATE = ("revision", "--autogenerate", "-m", "by hand")


def test_autogenerate_typed_by_hand_writes_what_make_revision_writes_and_proves_it(project: Project) -> None:
    """Your database is not used: it is behind, and another tool has made a partitioned table there."""
    project.sql(
        "CREATE TABLE theirs (id int) PARTITION BY RANGE (id); CREATE TABLE theirs_1 PARTITION OF theirs DEFAULT"
    )
    before = {*project.versions.glob("*.py")}
    user = project.path / "app" / "models" / "user.py"
    text = user.read_text()
    check = '    __table_args__ = (sa.CheckConstraint("id > 0", name="k"),)\n'
    user.write_text("import sqlalchemy as sa\n" + text.replace("(Base):\n", f"(Base):\n{check}", 1))

    written = by_hand(project, *AUTOGENERATE, "--rev-id", "abcd01")
    nothing = by_hand(project, *AUTOGENERATE)
    user.write_text(user.read_text().replace("email:", "mail:"))
    silent = by_hand(project, *AUTOGENERATE)
    agreed = by_hand(project, *AUTOGENERATE, "--rev-id", "abcd02", RENAME="users.email:mail")

    first, second = (next(project.versions.glob(f"*_{one}_by_hand.py")) for one in ("abcd01", "abcd02"))
    assert written.returncode == 0, written.stderr
    assert f"✓ Wrote alembic/versions/{first.name}. It ran up, down and up on the scratch server.\n" in written.stdout
    assert "printed" not in written.stderr, "what Alembic detects on throwaway databases"
    assert "ADD CONSTRAINT ck_users_k CHECK" in first.read_text()
    assert "✓ Models and migrations match: there is nothing to write." in nothing.stdout
    assert silent.returncode not in (0, 3)
    assert "RENAME=users.email:mail; to drop them: ACCEPT=drop.users.email" in silent.stderr
    assert agreed.returncode == 0, agreed.stderr
    assert "RENAME email TO mail" in second.read_text()
    assert "theirs" not in first.read_text() + second.read_text()
    assert {*project.versions.glob("*.py")} - before == {first, second}


def test_autogenerate_typed_by_hand_refuses_what_is_not_proven_or_not_all(project: Project) -> None:
    before = {*project.versions.glob("*.py")}
    models = project.path / "app" / "models"
    user = models / "user.py"
    text = user.read_text()
    refused = [
        by_hand(project, *AUTOGENERATE, "--splice", "--head", "513e1095b140"),
        by_hand(project, "revision", "--autogenerate"),
    ]
    (models / "order.py").write_text(
        'import sqlalchemy as sa\nfrom app.database import Base\nx = sa.Table("x", Base.metadata)\n'
    )
    refused.append(by_hand(project, *AUTOGENERATE))
    (models / "order.py").unlink()
    unwritten = {*project.versions.glob("*.py")} - before
    parted = '    __table_args__ = {"postgresql_partition_by": "RANGE (id)"}\n'
    user.write_text(text.replace("(Base):\n", f"(Base):\n{parted}", 1))
    partial = by_hand(project, *AUTOGENERATE)
    missing = 'class Missing(sa.types.UserDefinedType):\n    def get_col_spec(self):\n        return "missing"\n\n\n'
    more = "    note: Mapped[str | None] = mapped_column(Missing())\n"
    user.write_text("import sqlalchemy as sa\n" + text.replace("class User", f"{missing}class User", 1) + more)
    broken = by_hand(project, *AUTOGENERATE, "--rev-id", "abcd01")

    assert all(result.returncode not in (0, 3) for result in [*refused, partial, broken])
    assert "--autogenerate does not take --splice, --head here." in refused[0].stderr
    assert "A revision needs a message." in refused[1].stderr
    assert "Not imported by app/models/__init__.py: app/models/order.py" in refused[2].stderr
    assert unwritten == set()
    assert "  table users: TABLE, expected TABLE PARTITION BY RANGE (id)\n" in partial.stdout
    assert "State: no revision was written." in partial.stderr
    assert "_abcd01_by_hand.py was written, but it does not run. Your database was not used." in broken.stderr


def test_alembic_means_the_package_not_our_folder(settled: Project) -> None:
    result = settled.call(sys.executable, "-c", "import alembic; print(alembic.__file__)")

    assert Path(result.stdout.strip()).parent.parent.name == "site-packages"


@pytest.mark.faults
def test_the_version_table_of_alembic_ini_is_used_by_every_command(
    empty_project: Project, revisions: list[str]
) -> None:
    ini = empty_project.path / "alembic.ini"
    options = "[alembic]\nversion_table = Odd Version's\nversion_table_schema = meta\n"
    ini.write_text(ini.read_text().replace("[alembic]\n", options))
    versions = 'SELECT version_num FROM meta."Odd Version\'s"'

    results = [
        # A process of its own reads the options; a forked one has those of this checkout.
        empty_project.call(sys.executable, "-m", f"scripts.{verb}", *words, CONFIRM=str(empty_project.url.database))
        for verb, *words in (
            ("migrate",),
            ("status",),
            ("backup",),
            ("rollback", "--steps", "1"),
            ("migrate",),
            ("verify_backup",),
            ("verify_staging",),
            ("health",),
            ("diagram",),
            ("alembic", "current"),
        )
    ]

    assert [result.returncode for result in results] == [0] * 10, results
    assert empty_project.sql(versions) == [(revisions[-1],)]
    assert empty_project.sql("SELECT to_regclass('alembic_version')") == [(None,)]
    assert results[3].stdout.count(revisions[-1])
    assert "Odd" not in results[8].stdout
    assert results[9].stdout.startswith(revisions[-1])


OPTIONS = """
[tool.alembic]
script_location = "%(here)s/db/migrations"
version_locations = ["%(here)s/db/migrations/versions", "%(here)s/billing"]
recursive_version_locations = true
prepend_sys_path = ["%(here)s", "%(here)s/lib"]
file_template = "%%(epoch)s_%%(slug)s"
truncate_slug_length = 8
timezone = "Asia/Kolkata"
"""


@pytest.fixture
def moved(project: Project) -> Project:
    """Everything of Alembic's is elsewhere, and pyproject.toml says so."""
    ini, pyproject = project.path / "alembic.ini", project.path / "pyproject.toml"
    ini.write_text(re.sub(r"(?s)\[alembic\].*?\n\n", "", ini.read_text()))
    pyproject.write_text(pyproject.read_text() + OPTIONS)
    (project.path / "db").mkdir()
    (project.path / "alembic").rename(project.path / "db/migrations")
    for folder in ("billing/2026", "lib"):
        (project.path / folder).mkdir(parents=True)
    (project.path / "lib/words.py").write_text('TYPE = "text"\n')
    return project


MODEL = "app/models/user.py"
COLUMN = "    {}: Mapped[str | None] = mapped_column(Text)\n"


@pytest.fixture
def noted(moved: Project, revisions: list[str]) -> Project:
    """The newest revision is in a folder below, and imports a module of prepend_sys_path."""
    moved.versions.mkdir(parents=True)
    add, drop = 'op.execute("ALTER TABLE users ADD note " + TYPE)', 'op.execute("ALTER TABLE users DROP note")'
    made = moved.write_revision("abcd01", revisions[-1], f"from words import TYPE; {add}", drop)
    made.rename(moved.path / "billing/2026/note.py")
    shutil.rmtree(moved.path / "alembic")
    model = moved.path / MODEL
    model.write_text(model.read_text().replace("import String", "import String, Text, text") + COLUMN.format("note"))
    return moved


@pytest.mark.faults
def test_other_folders_and_names_for_revisions_are_those_of_every_command(noted: Project) -> None:
    planned, applied = noted.run("plan"), noted.run("migrate")
    model = noted.path / MODEL
    model.write_text(model.read_text() + COLUMN.format("plan_of_user"))
    written = noted.run("revision", "--message", "plan of users")
    (file,) = (noted.path / "billing").glob("*_plan_of_.py")

    assert "ALTER TABLE users ADD note text" in planned.stdout, planned.stderr
    assert applied.returncode == 0, applied.stderr
    assert f"✓ Wrote billing/{file.name}. It ran up, down and up" in written.stdout, written.stderr
    assert "+05:30" in file.read_text(), "the time zone"
    assert noted.run("revision", "--message", "", ACCEPT="differences").returncode == 0
    assert noted.run("lint", "--all").stdout == "✓ Nothing blocks in 4 revisions.\n"
    assert noted.run("migrate").returncode == 0
    assert "Pending      nothing" in noted.run("status").stdout
    content = file.read_bytes()
    file.unlink()
    recovered = noted.run("recover", CONFIRM=noted.version[0])
    assert file.read_bytes() == content, recovered.stderr
    for verb, *words in (("rollback", "--steps=1"), ("stamp",), ("history",), ("alembic", "current"), ("diagram",)):
        done = noted.run(verb, *words, CONFIRM=str(noted.url.database))
        assert done.returncode == 0, (verb, done.stdout + done.stderr)
    assert noted.version == ["abcd01"]


@pytest.mark.faults
def test_a_merge_is_in_the_folder_of_what_it_joins(noted: Project) -> None:
    folder = noted.path / "billing/2026"
    for name in ("one", "two"):
        text = (folder / "note.py").read_text().replace('"abcd01"', f'"abcd{name}"').replace("note", name)
        (folder / f"{name}.py").write_text(re.sub("down_revision = .*", "down_revision = 'abcd01'", text))
    before = {*noted.path.rglob("*.py")}

    merged = noted.run("merge")

    (joined,) = {*noted.path.rglob("*.py")} - before
    assert merged.returncode == 0, merged.stderr
    assert joined.parent == noted.path / "billing"


def test_a_revision_without_its_source_and_a_first_one_for_several_folders(empty_project: Project) -> None:
    ini, folder = empty_project.path / "alembic.ini", empty_project.path / "more"
    several = "[alembic]\nversion_locations = %(here)s/alembic/versions:%(here)s/more\n"
    ini.write_text(ini.read_text().replace("[alembic]\n", several))
    for path in empty_project.versions.rglob("*.py*"):
        path.unlink()
    folder.mkdir()

    first = empty_project.run("revision", "--message", "first", "--empty")

    assert first.returncode == 0, first.stderr
    (made,) = empty_project.versions.glob("*_first.py")
    ini.write_text(ini.read_text().replace("[alembic]\n", "[alembic]\nsourceless = true\n"))
    py_compile.compile(str(made), str(folder / "abcd02.pyc"))
    made.unlink()
    refused = empty_project.run("history")
    assert refused.returncode == 1
    assert "✗ more/abcd02.pyc is compiled, and its source is not here.\n" in refused.stderr
