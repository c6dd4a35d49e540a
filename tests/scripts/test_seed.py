"""make seed"""

import pytest

from tests.conftest import Project


def test_adds_rows_once(project: Project) -> None:
    results = [project.run("seed"), project.run("seed")]

    assert [result.stdout for result in results] == ["✓ Added 5 rows.\n", "✓ Nothing to do: there are rows already.\n"]
    assert project.sql("SELECT count(*) FROM social_posts") == [(2,)]


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("NULL", "Its environment is not set (treated as production)."),
        ("'environment=staging'", "its environment is staging."),
    ],
)
def test_a_database_that_is_not_marked_development_is_refused(project: Project, comment: str, words: str) -> None:
    project.sql(f"COMMENT ON DATABASE {project.url.database} IS {comment}")

    result = project.run("seed")

    assert result.returncode == 1
    assert "✗ Refusing to " in result.stderr
    assert words in result.stderr
    assert project.sql("SELECT count(*) FROM users") == [(0,)]


def test_another_environment_does_not_seed_a_development_database(project: Project) -> None:
    result = project.run("seed", APP_ENV="staging")

    assert result.returncode == 1
    assert "Why:   Its environment is development. APP_ENV is staging." in result.stderr
    assert project.sql("SELECT count(*) FROM users") == [(0,)]


def test_without_tables_it_says_what_is_missing(empty_project: Project) -> None:
    result = empty_project.run("seed")

    assert result.returncode == 1
    assert "The database is at base, " in result.stderr
    assert "Do:    make migrate, then make seed" in result.stderr


def test_models_without_a_revision_are_named(project: Project) -> None:
    project.sql("ALTER TABLE users DROP COLUMN email CASCADE")

    result = project.run("seed")

    assert result.returncode == 1
    assert "✗ The models are ahead of the database: column " in result.stderr
    assert 'Do:    make revision m="what it does"' in result.stderr


def test_what_is_wrong_with_the_application_s_function_is_named(project: Project) -> None:
    seed = project.path / "app" / "seed.py"
    said = {}
    for code in (
        "",
        "def seed(session): session.nothing()",
        "async def seed(session): return 1",
        "def seed(session): session.connection().exec_driver_sql('SELECT 1/0')",
        "import nosuchmodule",
    ):
        seed.write_text(f"\n{code}\n")
        result = project.run("seed")
        assert result.returncode == 1
        said[code.partition("(")[0]] = result.stderr

    assert "There are no example rows: module 'app.seed' has no attribute 'seed'." in said[""]
    assert "Why:   make seed calls app.seed:seed." in said[""]
    assert "✗ app/seed.py, line 2: " in said["def seed"]
    assert "it is async, and gets a session that is not." in said["async def seed"]
    assert "✗ app/seed.py, line 2: ModuleNotFoundError: No module named 'nosuchmodule'." in said["import nosuchmodule"]


def test_a_function_that_counts_nothing_is_enough(project: Project) -> None:
    (project.path / "app" / "seed.py").write_text("def seed(session):\n    pass\n")

    assert project.run("seed").stdout == "✓ Added the example rows.\n"
