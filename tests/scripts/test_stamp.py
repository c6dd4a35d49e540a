"""make stamp"""

import pytest

from tests.conftest import Project
from tests.core.terminal import Terminal


def test_says_what_it_changes_and_runs_nothing(project: Project, revisions: list[str]) -> None:
    refused = project.run("stamp", revisions[0][:4])
    result = project.run("stamp", revisions[0][:4], ACCEPT="stamp")

    assert refused.returncode == 1
    assert f"✗ The database has another schema than {revisions[0]}:\n    " in refused.stderr
    assert "    table social_posts is not expected\n" in refused.stderr
    assert "Override with ACCEPT=stamp." in refused.stderr
    assert result.returncode == 0, result.stderr
    assert f"The recorded revision changes from {revisions[-1]} to {revisions[0]}. No revision runs:" in result.stdout
    assert f"{revisions[-1]}  create social tables: counts as pending" in result.stdout
    assert project.version == revisions[:1]
    log = "SELECT revision, overrides FROM migration_log WHERE direction = 'stamp'"
    assert project.sql(log) == [(revisions[0], "ACCEPT=stamp")]
    assert project.sql("SELECT to_regclass('social_posts')::text") == [("social_posts",)]


def test_a_schema_that_was_made_without_alembic_can_be_stamped(project: Project, revisions: list[str]) -> None:
    project.sql("DROP TABLE alembic_version, migration_log")
    stopped = project.run("migrate", SCRATCH_HOST="")

    found = project.run("stamp")
    written = project.sql("SELECT to_regclass('alembic_version')::text")
    result = project.run("stamp", "head")

    assert "make stamp, which finds the revision of this schema" in stopped.stderr
    assert found.returncode == 0, found.stderr
    assert found.stdout == (
        f"✓ The schema is that of {revisions[-1]}  create social tables\n"
        f"  To record it: make stamp REV={revisions[-1]}\n"
    )
    assert written in ([(None,)], [("alembic_version",)]), "make migrate may have made it, but it is empty"
    assert result.returncode == 0, result.stderr
    for revision in revisions:
        assert f"{revision}  create" in result.stdout
    assert result.stdout.count("counts as applied") == len(revisions)
    assert f"✓ The recorded revision is {revisions[-1]}." in result.stdout
    assert project.version == revisions[-1:]


def test_what_counts_as_pending_is_listed_oldest_first(project: Project, revisions: list[str]) -> None:
    project.write_revision("0abc01", revisions[-1])
    project.sql("UPDATE alembic_version SET version_num = '0abc01'")

    result = project.run("stamp", "base", ACCEPT="stamp")

    listed = [line.split()[0] for line in result.stdout.splitlines() if "counts as pending" in line]
    assert listed == [*revisions, "0abc01"], result.stderr


@pytest.fixture
def branches(project: Project, revisions: list[str]) -> Project:
    """abcd01 and, on another branch, abcd02 and abcd03; abcd04 joins them; abcd05 needs a row; abcd07 cannot run."""
    add, drop = 'op.execute("ALTER TABLE users ADD {} int")', 'op.execute("ALTER TABLE users DROP {}")'
    for revision, down in (("abcd01", revisions[-1]), ("abcd02", revisions[-1]), ("abcd03", "abcd02")):
        project.write_revision(revision, down, add.format(revision), drop.format(revision))
    path = project.write_revision("abcd04", "abcd03")
    path.write_text(path.read_text().replace("'abcd03'", "('abcd01', 'abcd03')"))
    project.write_revision("abcd05", "abcd04", 'op.get_bind().exec_driver_sql("SELECT id FROM users").one()')
    project.write_revision("abcd06", "abcd05", add.format("abcd06"))
    project.write_revision("abcd07", "abcd06", "op.drop_table('nothing')")
    project.write_revision("abcd08", "abcd07")
    return project


def test_the_nearest_revision_is_found_on_branches_and_among_those_that_can_run(branches: Project) -> None:
    branches.sql("ALTER TABLE users ADD abcd02 int")
    branch = branches.run("stamp")
    branches.sql("ALTER TABLE users ADD abcd03 int, ADD abcd01 int")
    merged = branches.run("stamp")
    branches.sql("ALTER TABLE users ADD CONSTRAINT k CHECK (username IN ('a', 'b')), DROP email")
    nearest = branches.run("stamp")
    unable = branches.run("stamp", "abcd08")

    assert "The schema is that of abcd02  abcd02 message\n  To record it: make stamp REV=abcd02\n" in branch.stdout
    assert "The schema is that of abcd05  abcd05 message\n  abcd04  abcd04 message: has the same" in merged.stdout
    assert "! abcd07 and those after it are not compared, because it does not run alone:" in merged.stderr
    assert "! abcd05 needs rows or an extension. What it makes after that is not compared.\n" in merged.stderr
    assert nearest.returncode == 1
    assert "The nearest one is abcd05  abcd05 message, with 2 differences:\n" in nearest.stdout
    assert "    table users, column email is missing\n    table users, constraint k is not expected\n" in nearest.stdout
    assert "make stamp REV=abcd05 ACCEPT=stamp" in nearest.stdout
    assert unable.returncode == 1
    assert "The schema of abcd08 cannot be compared with that of the database: " in unable.stderr


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_of_another_encoding_and_files_of_windows(
    edited: Project, revisions: list[str], encoding: str
) -> None:
    name = f"{edited.url.database}_{encoding.lower()}"
    edited.sql_on_server(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    project = Project(edited.path, edited.url.set(database=name), {"APP_ENV": "development", "ACCEPT": "drift"})
    project.sql_on_server(f"COMMENT ON DATABASE {name} IS 'environment=development'")
    path = project.write_revision("abcd01", revisions[-1], "op.execute(\"COMMENT ON TABLE users IS 'é'\")")
    path.write_bytes(path.read_text().replace("\n", "\r\n").encode())

    results = [project.run("migrate"), project.run("stamp"), project.run("status"), project.run("lint", "--all")]
    project.sql_on_server(f"DROP DATABASE {name}")

    assert [result.returncode for result in results] == [0, 0, 0, 0], results
    assert "The schema is that of abcd01  abcd01 message" in results[1].stdout
    assert "H12 warn" in results[3].stdout


@pytest.mark.faults
def test_the_first_search_shows_on_a_terminal_how_far_it_is(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], 'op.execute("SELECT pg_sleep(0.5)")')
    project.write_revision("abcd02", "abcd01", 'op.execute("SELECT pg_sleep(1)")')
    terminal = Terminal(["-m", "scripts.stamp"], project.path, {**project.variables(), **project.environment})

    terminal.read_until(lambda: " of 4 revisions" in "".join(terminal.lines))

    assert terminal.end() == 0, terminal.lines
    assert " of 4 revisions" not in "".join(terminal.lines)
    assert any(line.startswith("✓ The schema is that of abcd02") for line in terminal.lines)


def test_an_empty_database_has_no_revision(empty_project: Project) -> None:
    (empty_project.path / "app" / "models" / "__init__.py").write_text("import nothing_there\n")

    result = empty_project.run("stamp")

    assert result.returncode == 1
    assert "✗ The database has no tables, so no revision is applied.\n  Do:    make migrate\n" in result.stderr


def test_base_is_a_place_too(project: Project) -> None:
    result = project.run("stamp", "base", ACCEPT="stamp")

    assert result.returncode == 0, result.stderr
    assert "✓ The recorded revision is base." in result.stdout
    assert project.version == []


def test_what_the_database_says_already_is_nothing_to_do(settled: Project, revisions: list[str]) -> None:
    result = settled.run("stamp", "head")

    assert result.returncode == 0
    assert result.stdout == f"✓ Nothing to do: the recorded revision is {revisions[-1]} already.\n"


def test_is_the_way_out_when_a_revision_has_no_file(project: Project, revisions: list[str]) -> None:
    project.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    result = project.run("stamp", revisions[-1])

    assert result.returncode == 0, result.stderr
    assert "abcd01 (no file here) is deleted" in result.stdout
    assert project.version == revisions[-1:]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("zzzz",), "REV=zzzz is no revision of this checkout"),
    ],
)
def test_without_a_revision_that_exists_nothing_is_stamped(
    settled: Project, revisions: list[str], words: tuple[str, ...], said: str
) -> None:
    result = settled.run("stamp", *words)

    assert result.returncode == 2
    assert said in result.stderr
    assert settled.version == revisions[-1:]
