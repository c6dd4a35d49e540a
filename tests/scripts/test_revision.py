"""make revision"""

import ast
import fcntl
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from mako.template import Template

from tests.conftest import ROOT, Project
from tests.core.running import Running, begin, wait_until
from tests.core.terminal import Terminal

COLUMN = "    note: Mapped[str | None] = mapped_column(String(99))\n"
MODELS = Path("app/models")
KEEP = "To keep all differences as they are: make revision ACCEPT=differences\n"
CHECK = '    __table_args__ = (sa.CheckConstraint("id > 0", name="k"),)\n'
PARTED = '    __table_args__ = {"postgresql_partition_by": "RANGE (id)"}\n'
UNLOGGED = '    __table_args__ = {"prefixes": ["UNLOGGED"]}\n'
MISSING = """class Missing(sa.types.UserDefinedType):
    def get_col_spec(self):
        return "missing"
"""

HOSTILE = [
    'say "hi"',
    '"quoted"',
    '"""',
    "'''",
    'ends in """',
    'ends in "',
    "ends in \\",
    "\\",
    "\\n \\x41 \\N{BULLET} \\u0041 \\",
    "two\nlines",
    "two\r\nlines\ttab",
    "$(touch pwned) `touch pwned` ; touch pwned",
    "${HOME} ${message} <% x %> %(here)s 100% %%",
    "## no comment of Mako",
    "% if True:",
    "</%doc>",
    "größe 尺寸 📏 \u202e \u200b",
    "language tag \U000e0001",
    "bell \x07 escape \x1b[31m",
    "{0} {name} %s",
    "# type: ignore",
    "--flag",
    "../../../etc/passwd",
    "CON.py",
    "x" * 3000,
]


def add_column(project: Project) -> None:
    file = project.path / MODELS / "user.py"
    file.write_text(file.read_text() + COLUMN)


def files(project: Project) -> set[Path]:
    return set(project.versions.glob("*.py"))


def docstring(path: Path) -> str:
    """The message of a revision file: its docstring without the lines about itself."""
    found = ast.get_docstring(ast.parse(path.read_text()), clean=False)
    assert found is not None
    return found.partition("\n\nRevision: ")[0]


@pytest.mark.parametrize("message", HOSTILE)
def test_the_template_takes_any_message_literally(message: str) -> None:
    text = Template(filename=str(ROOT / "alembic" / "script.py.mako")).render(
        message=message,
        up_revision="ab12",
        down_revision=None,
        create_date="2026-01-01",
        imports="",
        branch_labels=None,
        depends_on=None,
        upgrades="",
        downgrades="",
    )

    module = ast.parse(text)
    said = ast.get_docstring(module, clean=False)
    assert said is not None
    assert said.startswith(f"{message}\n\nRevision: ab12")
    assert len(module.body) == 9, "nothing but the docstring became code"


def test_writes_what_the_models_have_and_the_database_lacks(project: Project) -> None:
    before = files(project)
    add_column(project)

    result = project.run("revision", "--message", "add a note")

    assert result.returncode == 0, result.stderr
    (path,) = files(project) - before
    assert re.fullmatch(r"20\d{6}_[0-9a-f]{12}_add_a_note\.py", path.name)
    assert f"✓ Wrote alembic/versions/{path.name}" in result.stdout
    assert 'op.add_column("users", sa.Column("note", sa.String(length=99), nullable=True))' in path.read_text()
    assert docstring(path) == "add a note"
    assert project.run("migrate").returncode == 0
    assert project.sql("SELECT note FROM users") == []


def test_what_it_writes_is_formatted_and_lint_clean(edited: Project) -> None:
    before = files(edited)
    add_column(edited)

    edited.run("revision", "--message", "add a note")
    (path,) = files(edited) - before
    # Nothing is compared, so the first may be pending.
    empty = edited.run("revision", "--message", "by hand", "--empty")

    assert empty.returncode == 0, empty.stderr
    (by_hand,) = files(edited) - before - {path}
    assert "\nimport sqlalchemy as sa\nfrom alembic import op\n" in by_hand.read_text()
    for words in (("format", "--check"), ("check",)):
        checked = edited.call(sys.executable, "-m", "ruff", *words, "--no-cache", str(path), str(by_hand))
        assert checked.returncode == 0, checked.stdout + by_hand.read_text()


def test_when_models_and_migrations_match_nothing_is_written(settled: Project) -> None:
    before = files(settled)

    result = settled.run("revision", "--message", "nothing new")

    assert result.returncode == 0
    assert "✓ Models and migrations match: there is nothing to write." in result.stdout
    assert 'make revision m="nothing new" EMPTY=1' in result.stdout
    assert files(settled) == before


@pytest.mark.parametrize("words", [(), ("--message", ""), ("--message", " \t\n "), ("--empty",)])
def test_a_message_is_needed(settled: Project, words: tuple[str, ...]) -> None:
    before = files(settled)

    result = settled.run("revision", *words)

    assert result.returncode == 2
    assert "✗ A revision needs a message." in result.stderr
    assert files(settled) == before


@pytest.mark.parametrize(
    "message",
    [
        "\n".join(text for text in HOSTILE if len(text) < 100),
        'ends in """',
        "größe " * 500 + "\\",
    ],
    ids=["all at once", "quotes", "long with a backslash"],
)
def test_any_message_becomes_a_docstring_and_a_revision_that_runs(project: Project, message: str) -> None:
    before = files(project)

    result = project.run("revision", f"--message={message}", "--empty")

    assert result.returncode == 0, result.stderr
    (path,) = files(project) - before
    assert docstring(path) == message.strip()
    assert not list(project.path.rglob("pwned"))
    migrated = project.run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert project.version[0] in path.name


def test_a_revision_that_python_could_not_read_is_refused(project: Project) -> None:
    ini = project.path / "alembic.ini"
    ini.write_text(ini.read_text().replace("[alembic]\n", "[alembic]\noutput_encoding = latin-1\n"))
    before = files(project)

    result = project.run("revision", "--message=für", "--empty")

    assert result.returncode == 2
    assert result.stderr.startswith("✗ output_encoding of Alembic's configuration is latin-1.")
    assert files(project) == before


@pytest.mark.parametrize(
    ("imports", "problem", "missing"),
    [
        ("", "The metadata has no tables.", "app/models/social.py, app/models/user.py"),
        ("from app.models.user import User as User\n", "Some models are not in the metadata.", "app/models/social.py"),
    ],
    ids=["none", "one"],
)
def test_models_that_are_not_imported_are_named_instead_of_dropped(
    edited: Project, imports: str, problem: str, missing: str
) -> None:
    (edited.path / MODELS / "__init__.py").write_text(f"from app.database import Base as Base\n{imports}")
    before = files(edited)

    result = edited.run("revision", "--message", "drop everything")

    assert result.returncode == 1
    assert f"✗ {problem}" in result.stderr
    assert f"Not imported by app/models/__init__.py: {missing}" in result.stderr
    assert files(edited) == before


def test_an_application_without_any_model_gets_no_revision_that_drops_everything(edited: Project) -> None:
    for name in ("user", "social"):
        (edited.path / MODELS / f"{name}.py").unlink()
    (edited.path / MODELS / "__init__.py").write_text("from app.database import Base as Base\n")
    before = files(edited)

    result = edited.run("revision", "--message", "drop everything")

    assert result.returncode == 1
    assert "✗ The metadata has no tables." in result.stderr
    assert files(edited) == before


def test_the_database_is_not_used(edited: Project) -> None:
    """It may be behind, ahead or changed by hand, or no server may run."""
    before = files(edited)
    add_column(edited)

    result = edited.run("revision", "--message", "add a note", POSTGRES_PORT="1")

    assert result.returncode == 0, result.stderr
    (path,) = files(edited) - before
    assert "add_column" in path.read_text()


def test_what_autogenerate_does_not_see_is_written_too(edited: Project) -> None:
    before = files(edited)
    user = edited.path / MODELS / "user.py"
    user.write_text("import sqlalchemy as sa\n" + user.read_text().replace("(Base):\n", "(Base):\n" + CHECK, 1))

    result = edited.run("revision", "--message", "a check")

    assert result.returncode == 0, result.stdout
    (path,) = files(edited) - before
    assert 'op.execute("ALTER TABLE users ADD CONSTRAINT ck_users_k CHECK ((id > 0))")' in path.read_text()
    assert 'op.execute("ALTER TABLE users DROP CONSTRAINT ck_users_k")' in path.read_text()


def test_what_is_not_written_is_named(edited: Project) -> None:
    before = files(edited)
    user = edited.path / MODELS / "user.py"
    user.write_text(user.read_text().replace("(Base):\n", "(Base):\n" + PARTED, 1))

    nothing = edited.run("revision", "--message", "parts")
    unwritten = files(edited) - before
    add_column(edited)
    written = edited.run("revision", "--message", "a note")

    line = "  table users: TABLE, expected TABLE PARTITION BY RANGE (id)\n"
    assert nothing.returncode == 1
    assert unwritten == set()
    assert nothing.stdout.startswith("✗ Models and revision files differ in what Alembic does not write:\n")
    assert line in nothing.stdout
    assert nothing.stdout.endswith(f'  Write it by hand: make revision m="parts" EMPTY=1. {KEEP}')
    (path,) = files(edited) - before
    assert written.returncode == 1
    assert written.stdout.startswith(f"✗ Wrote alembic/versions/{path.name}, but the models describe more:\n")
    assert line in written.stdout
    assert written.stdout.endswith(f"  Add this by hand. {KEEP}")


def test_accepted_differences_are_no_difference(edited: Project) -> None:
    user = edited.path / MODELS / "user.py"
    user.write_text(user.read_text().replace("(Base):\n", "(Base):\n" + UNLOGGED, 1))

    accepted = edited.run("revision", ACCEPT="differences")
    known = edited.run("revision", "--message", "nothing")
    user.write_text(user.read_text().replace("UNLOGGED", "TEMPORARY"))
    other = edited.run("revision", "--message", "another")

    assert accepted.stdout == "✓ Wrote 3 differences to alembic/accepted_differences.txt. Review and commit it.\n"
    assert known.returncode == 0
    assert "✓ Models and migrations match, but for 3 differences in alembic/accepted_differences.txt:" in known.stdout
    assert other.returncode == 1, other.stdout


def test_a_history_that_needs_rows_stops_nothing(edited: Project, revisions: list[str]) -> None:
    row = 'op.get_bind().exec_driver_sql("SELECT id FROM users").one()[0]'
    edited.write_revision("abcd01", revisions[-1], row)
    before = files(edited)
    add_column(edited)

    result = edited.run("revision", "--message", "add a note")

    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = files(edited) - before
    assert "add_column" in path.read_text()


def test_findings_stand_under_the_file(edited: Project) -> None:
    user = edited.path / MODELS / "user.py"
    user.write_text(user.read_text().replace("String(255)", "String(200)"))

    result = edited.run("revision", "--message", "shorter")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "✓ Wrote alembic/versions/" in result.stdout
    assert "  H07 " in result.stdout


def test_a_file_that_does_not_run_is_no_written_revision(edited: Project) -> None:
    user = edited.path / MODELS / "user.py"
    user.write_text(user.read_text() + COLUMN.replace("String(99)", "Missing()"))
    user.write_text("import sqlalchemy as sa\n" + user.read_text().replace("class User", MISSING + "\n\nclass User", 1))

    result = edited.run("revision", "--message", "of no type")

    assert result.returncode == 1
    assert ', line 21: type "missing" does not exist' in result.stderr
    assert "was written, but it does not run. Your database was not used." in result.stderr


def test_a_file_that_runs_only_once_is_no_written_revision(edited: Project) -> None:
    """Its downgrade leaves what no schema shows. It runs in another process than the models."""
    template = edited.path / "alembic" / "script.py.mako"
    once = "    assert 'app.models' not in __import__('sys').modules\n    op.execute('SELECT lo_create(4711)')\n"
    text = template.read_text().replace("def upgrade() -> None:\n", f"def upgrade() -> None:\n{once}")
    assert once in text
    template.unlink()
    template.write_text(text)
    add_column(edited)

    result = edited.run("revision", "--message", "add a note")

    assert result.returncode == 1, result.stdout
    assert 'duplicate key value violates unique constraint "pg_largeobject' in result.stderr
    assert "was written, but it does not run after its downgrade. Your database was not used." in result.stderr


def test_two_heads_have_to_be_merged_first(edited: Project, revisions: list[str]) -> None:
    for revision in ("abcd01", "abcd02"):
        edited.write_revision(revision, revisions[-1])
    before = files(edited)

    result = edited.run("revision", "--message", "on which of them?")

    assert result.returncode == 1
    assert "✗ There are 2 heads:" in result.stderr
    assert files(edited) == before


@pytest.mark.parametrize(
    ("code", "cause"),
    [("import no_such_module\n", "ModuleNotFoundError: No module named"), ("def broken(:\n", "SyntaxError: ")],
)
def test_a_model_that_cannot_be_imported_is_told_with_its_place(edited: Project, code: str, cause: str) -> None:
    (edited.path / MODELS / "user.py").write_text(f'"""Broken."""\n\n{code}')

    result = edited.run("revision", "--message", "add")

    assert result.returncode == 1
    assert f"✗ app/models/user.py, line 3 cannot be imported: {cause}" in result.stderr


def test_files_that_are_not_in_utf_8_are_named(edited: Project, revisions: list[str]) -> None:
    path = edited.write_revision("abcd01", revisions[-1])
    path.write_bytes(path.read_bytes() + b'odd = "\xe9"\n')
    revision = edited.run("revision", "--message", "add")
    path.unlink()
    user = edited.path / MODELS / "user.py"
    user.write_bytes(user.read_bytes() + b'odd = "\xe9"\n')
    model = edited.run("revision", "--message", "add")

    assert (revision.returncode, model.returncode) == (1, 1)
    assert "✗ alembic/versions/abcd01.py" in revision.stderr
    assert "✗ app/models/user.py" in model.stderr
    assert "'utf-8' codec can't decode byte 0xe9" in revision.stderr
    assert "'utf-8' codec can't decode byte 0xe9" in model.stderr


@pytest.fixture
def renamed(edited: Project) -> Project:
    """A project whose model calls email mail, with an index and a unique constraint on it."""
    user = edited.path / MODELS / "user.py"
    text = user.read_text().replace("mapped_column(String(255))", "mapped_column(String(255), unique=True, index=True)")
    user.write_text(text)
    assert edited.run("revision", "--message", "unique").returncode == 0
    user.write_text(text.replace("email:", "mail:"))
    return edited


def test_what_may_be_a_rename_is_not_dropped_without_a_word(renamed: Project) -> None:
    before = files(renamed)

    silent = renamed.run("revision", "--message", "mail")
    wrong = renamed.run("revision", "--message", "mail", "--rename=users.email:nothing")

    assert silent.returncode == 1
    assert "✗ The models no longer describe users.email." in silent.stderr
    assert "RENAME=users.email:mail; to drop them: ACCEPT=drop.users.email" in silent.stderr
    assert wrong.returncode == 2
    assert "✗ RENAME=users.email:nothing does not fit." in wrong.stderr
    assert files(renamed) == before


def test_a_rename_takes_the_names_of_the_convention_along(renamed: Project) -> None:
    before = files(renamed)

    result = renamed.run("revision", "--message", "mail", "--rename=users.email:mail")

    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = files(renamed) - before
    found = re.findall(r"op\.(\w+\(.*)\)", path.read_text())
    assert found == [
        'execute("ALTER TABLE users RENAME email TO mail"',
        'execute("ALTER INDEX ix_users_email RENAME TO ix_users_mail"',
        'execute("ALTER INDEX ix_users_mail RENAME TO ix_users_email"',
        'execute("ALTER TABLE users RENAME mail TO email"',
    ]


def test_on_a_terminal_it_asks_for_the_new_name_of_a_column_and_the_value_of_another(renamed: Project) -> None:
    before = files(renamed)
    user = renamed.path / MODELS / "user.py"
    user.write_text(user.read_text() + "    plan: Mapped[str] = mapped_column(String(9))\n")
    terminal = Terminal(
        ["-m", "scripts.revision", "--message=mail"], renamed.path, {**renamed.variables(), **renamed.environment}
    )

    terminal.read_until(lambda: "Is mail the new name of users.email? [y/N]" in "".join(terminal.lines))
    terminal.write("y\n")
    terminal.read_until(lambda: "Value of users.plan in the rows that are there" in "".join(terminal.lines))
    terminal.write("free\n")

    assert terminal.end() == 0, terminal.lines
    (path,) = files(renamed) - before
    assert "RENAME email TO mail" in path.read_text()
    assert 'server_default="free"' in path.read_text()


def test_a_drop_that_is_agreed_to_is_written(edited: Project) -> None:
    before = files(edited)
    user = edited.path / MODELS / "user.py"
    user.write_text(user.read_text().replace("    email: Mapped[str] = mapped_column(String(255))\n", ""))

    result = edited.run("revision", "--message", "no email", ACCEPT="drop.users.email")

    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = files(edited) - before
    assert 'op.drop_column("users", "email")' in path.read_text()


def test_a_table_with_a_new_name_keeps_its_rows_and_a_table_of_others_stays(
    edited: Project, revisions: list[str]
) -> None:
    theirs = 'op.execute("CREATE TABLE theirs (id int PRIMARY KEY) PARTITION BY RANGE (id)");'
    theirs += ' op.execute("CREATE TABLE theirs_1 PARTITION OF theirs DEFAULT")'
    edited.write_revision("abcd01", revisions[-1], theirs, 'op.execute("DROP TABLE theirs")')
    assert edited.run("revision", ACCEPT="differences").returncode == 0
    before = files(edited)
    social = edited.path / MODELS / "social.py"
    social.write_text(social.read_text().replace('__tablename__ = "social_posts"', '__tablename__ = "posts"'))

    result = edited.run("revision", "--message", "posts", "--rename=social_posts:posts")

    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = files(edited) - before
    assert 'op.execute("ALTER TABLE social_posts RENAME TO posts")' in path.read_text()
    assert "theirs" not in path.read_text()
    assert "drop" not in path.read_text()


def test_names_that_only_postgresql_quotes_are_dropped_and_renamed_too(edited: Project) -> None:
    user = edited.path / MODELS / "user.py"
    text = user.read_text()
    more = [COLUMN.replace("note", name) for name in ("position", "Big", "time")]
    user.write_text(text + "".join(more))
    assert edited.run("revision", "--message", "more").returncode == 0
    before = files(edited)
    user.write_text(text + more[2].replace("time", "Time") + more[1].replace("Big", "Large"))
    unsaid = edited.run("revision", "--message", "less")
    user.write_text(text + more[2].replace("time", "Time"))

    silent = edited.run("revision", "--message", "less")
    result = edited.run(
        "revision", "--message", "less", "--rename=users.time:Time", ACCEPT='drop.users."position",drop.users.Big'
    )

    assert """RENAME='users."Big":"Large",users."position":"Time"'""" in unsaid.stderr
    drops = """ACCEPT='drop.users."Big",drop.users."position",drop.users."time"'"""
    assert drops in silent.stderr
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = files(edited) - before
    assert set(re.findall(r"op\.drop_column\(.*\)", path.read_text())) == {
        'op.drop_column("users", "Big")',
        'op.drop_column("users", "position")',
    }
    assert """op.execute('ALTER TABLE users RENAME "time" TO "Time"')""" in path.read_text()


SQL = """-- first
CREATE TABLE people (id int, note text DEFAULT '50% :of {all}');

CREATE FUNCTION one() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 1; END;
CREATE INDEX on_users ON users (username);
INSERT INTO people VALUES (1, '100%;%s:name ' || $$a;b$$);
"""


def test_sql_files_beside_it_are_executed_statement_by_statement(project: Project) -> None:
    made = project.run("revision", "--message", "in sql", "--sql", POSTGRES_PORT="1")
    assert made.returncode == 0, made.stderr
    path = next(path for path in files(project) if "in_sql" in path.name)
    up, down = path.with_suffix(".up.sql"), path.with_suffix(".down.sql")
    assert [f"✓ Wrote alembic/versions/{one.name}" for one in (path, up, down)] == made.stdout.splitlines()[:3]
    checked = [sys.executable, "-m", "ruff"]
    assert project.call(*checked, "check", str(path)).stdout.strip() == "All checks passed!"
    assert project.call(*checked, "format", "--check", str(path)).returncode == 0
    assert "scripts" not in path.read_text()

    up.write_bytes(SQL.replace("\n", "\r\n").encode())
    down.write_text("DROP TABLE people;\nDROP FUNCTION one(); DROP INDEX on_users")
    plan = project.run("plan")
    assert f"{up.name}:5  users is read to build on_users" in plan.stdout, plan.stdout + plan.stderr
    up.write_text(SQL.replace("CREATE INDEX", "-- safe: H03 few users\nCREATE INDEX"))
    assert f"H03 silenced  alembic/versions/{up.name}:6" in project.run("plan").stdout
    assert "'100%;%s:name ' || $$a;b$$);" in project.run("alembic", "upgrade --sql head").stdout

    assert project.run("migrate").returncode == 0
    assert project.sql("SELECT * FROM people") == [(1, "100%;%s:name a;b")]
    assert project.sql("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'people'::regclass") == [
        ("'50% :of {all}'::text",)
    ]
    down.write_text("DROP TABLE people;\n\nDROP FUNCTION two();\n")
    assert f"{path.name} was edited" not in (status := project.run("status").stdout)
    assert "after it was applied" in status
    failed = project.run("rollback", CONFIRM=str(project.url.database))
    assert f"{down.name}" in failed.stdout + failed.stderr
    assert "line 3: function two() does not exist" in failed.stdout + failed.stderr


def test_an_sql_file_that_cannot_be_read_is_named(project: Project) -> None:
    project.run("revision", "--message", "in sql", "--sql", POSTGRES_PORT="1")
    (up,) = project.versions.glob("*_in_sql.up.sql")

    up.write_bytes(b"SELECT 1;\n" + "SELECT 2;".encode("utf-16"))
    undecoded = project.run("migrate")
    up.unlink()
    missing = project.run("plan")

    assert f"✗ alembic/versions/{up.name}, line 2: this is not UTF-8.\n" in undecoded.stderr
    assert "State: the database is at " in undecoded.stderr
    assert f"✗ There is no alembic/versions/{up.name}.\n" in missing.stderr


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("--rename=:", "It needs a name, : and what follows."),
        ("--rename=users.email", "It needs a name, : and what follows."),
        ("--rename=:mail", "It needs a name, : and what follows."),
        ("--rename=users.email:a,users.email:b", "users.email is there twice."),
        ("--fill==", "It needs a name, = and what follows."),
        ("--fill=users.plan", "It needs a name, = and what follows."),
        ("--fill=users.plan=", "It needs a name, = and what follows."),
        ("--fill=.=x", "It needs a name, = and what follows."),
        ('--fill=users.plan=a,"users".plan=b', '"users".plan is there twice.'),
    ],
)
def test_an_answer_without_a_name_or_a_value_is_refused(edited: Project, word: str, why: str) -> None:
    result = edited.run("revision", "--message", "wrong", word)

    assert result.returncode == 2, result.stderr
    assert f"✗ {word[2:].partition('=')[0].upper()}={word.partition('=')[2]} does not fit.\n" in result.stderr
    assert f"Why:   {why}\n" in result.stderr


PLAN = "    plan: Mapped[str] = mapped_column(String(9))\n    seats: Mapped[int]\n"


def test_a_new_column_that_is_not_null_gets_a_value_or_may_be_null_for_now(edited: Project) -> None:
    before = files(edited)
    user = edited.path / MODELS / "user.py"
    user.write_text(user.read_text() + PLAN)

    wrong = edited.run("revision", "--message", "plans", "--fill=users.email=x")
    silent = edited.run("revision", "--message", "plans", "--fill=users.seats=1")
    (unfilled,) = files(edited) - before
    text = unfilled.read_text()
    late = edited.run("revision", "--message", "plans", "--fill=users.plan=x")
    unfilled.unlink()
    filled = edited.run("revision", "--message", "plans", "--fill=users.plan='it''s, 5%',users.seats=1")
    (path,) = files(edited) - before
    again = edited.run("revision", "--message", "no defaults")

    assert (wrong.returncode, late.returncode) == (2, 2)
    assert "✗ FILL=users.email does not fit." in wrong.stderr
    assert f"Why:   alembic/versions/{unfilled.name} adds this column already.\n" in late.stderr
    assert f"rm alembic/versions/{unfilled.name}. If one has, give the rows a value" in late.stderr
    assert silent.returncode == 1
    assert (
        "  users.plan may be NULL in this revision, because the rows that are there have no value.\n" in silent.stdout
    )
    assert "Or remove this file, and: FILL=users.plan=value" in silent.stdout
    assert 'op.add_column("users", sa.Column("plan", sa.String(length=9), nullable=True))' in text
    assert filled.returncode == 0, filled.stdout + filled.stderr
    assert not re.search(r"  H\d\d (?:block|warn)", filled.stdout), filled.stdout
    assert """sa.Column("plan", sa.String(length=9), server_default="it's, 5%", nullable=False)""" in path.read_text()
    assert "accepted_differences.txt lists it. Without that line, the next make revision drops the" in filled.stdout
    assert "✓ Models and migrations match, but for 2 differences in alembic/accepted_differences.txt" in again.stdout


def test_a_table_and_its_columns_are_renamed_at_once_and_back(edited: Project) -> None:
    social = edited.path / MODELS / "social.py"
    text = social.read_text()
    odd = text.replace("    url: Mapped", '    title: Mapped[str] = mapped_column("a,b:c", String(9))\n    url: Mapped')
    social.write_text(odd)
    assert edited.run("revision", "--message", "odd", "--fill=social_pages.\"a,b:c\"='a,b'").returncode == 0
    before = files(edited)
    changed = odd.replace('"a,b:c"', '"title"').replace('"social_pages"', '"pages"').replace("social_pages.", "pages.")
    social.write_text(changed.replace("account_id:", "account:"))

    half = edited.run("revision", "--message", "pages", "--rename=social_pages:pages")
    words = '--rename=social_pages:pages,pages."a,b:c":title,social_pages.account_id:account'
    result = edited.run("revision", "--message", "pages", words)

    assert """RENAME='social_pages:pages,pages."a,b:c":title,pages.account_id:account'""" in half.stderr
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = files(edited) - before
    written = path.read_text()
    up, down = (
        re.findall(r'RENAME (?:\w+ )?(?:\S+ )?TO (\S+?)[\'"]\)', part) for part in written.split("def downgrade")
    )
    assert set(up) >= {"pages", "title", "account", "pk_pages", "ix_pages_account", "pages_id_seq"}
    assert len(down) == len(up)
    assert "drop" not in written.lower()
    assert "add_column" not in written


def unproven(project: Project) -> list[Path]:
    """Files that no other command finds."""
    return [*project.versions.glob(".unproven-*/*.py")]


def begun_and_written(edited: Project) -> tuple[Running, Path]:
    """The command, and its file that it has not tried yet."""
    add_column(edited)
    command = begin(edited, "revision", "--message=slow")
    wait_until(lambda: [path for path in unproven(edited) if path.stat().st_size])
    return command, unproven(edited)[0]


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_file_and_no_database(edited: Project, number: int) -> None:
    databases = "SELECT count(*) FROM pg_database WHERE datname ~ '^scratch_[0-9]+_[0-9]+'"
    before, there = files(edited), edited.sql(databases)
    command, _ = begun_and_written(edited)

    command.send(number)

    assert command.end().returncode == 130
    assert {*edited.versions.rglob("*.py")} == before
    assert edited.sql(databases) == there


@pytest.mark.faults
def test_a_kill_leaves_nothing_that_another_command_finds(edited: Project) -> None:
    before = files(edited)
    command, _ = begun_and_written(edited)

    command.kill()
    found, known = files(edited), edited.run("alembic", "heads")
    again = edited.run("revision", "--message", "again")

    assert found == before
    assert known.stdout.count("(head)") == 1
    assert again.returncode == 0, again.stderr
    assert len(files(edited) - before) == 1
    assert unproven(edited) == []


def test_only_what_a_killed_command_left_is_removed(edited: Project) -> None:
    left, running = (edited.versions / f".unproven-{name}" for name in ("left", "running"))
    for folder in (left, running):
        folder.mkdir()
        (folder / "abcd01.py").write_text("half a fi")
    held = os.open(running, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)

    made = edited.run("revision", "--message", "by hand", "--empty")
    os.close(held)

    assert made.returncode == 0, made.stderr
    assert unproven(edited) == [running / "abcd01.py"]
    assert not left.exists()


@pytest.mark.faults
def test_a_file_that_is_edited_while_it_is_tried_is_not_called_proven(edited: Project) -> None:
    command, path = begun_and_written(edited)
    trial = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'alembic-trace' AND datname LIKE 'scratch%'"
    wait_until(lambda: edited.sql(trial))
    text = path.read_text() + "# mine\n"
    path.write_text(text)

    result = command.end()

    assert result.returncode == 1
    assert f"✗ alembic/versions/{path.name} was edited while it was tried." in result.stderr
    assert (edited.versions / path.name).read_text() == text
