"""make environment"""

import pytest

from tests.conftest import Project

COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"


def comment(project: Project) -> object:
    return project.sql(COMMENT)[0][0]


def test_marks_the_database_that_is_confirmed(empty_project: Project) -> None:
    name = str(empty_project.url.database)

    result = empty_project.run("environment", "staging", CONFIRM=name)

    assert result.returncode == 0, result.stderr
    assert f"{name} at " in result.stdout
    assert "Environment of " in result.stdout
    assert f"✓ The environment of {name} is staging." in result.stdout
    assert comment(empty_project) == "environment=staging"


def test_the_rest_of_the_comment_stays(empty_project: Project) -> None:
    name = str(empty_project.url.database)
    empty_project.sql(f"COMMENT ON DATABASE {name} IS E'Ada''s shop, 100%\\nenvironment=staging\\n\\nask ops'")

    for environment in ("production", "development"):
        assert empty_project.run("environment", environment, CONFIRM=name).returncode == 0

        assert comment(empty_project) == f"Ada's shop, 100%\n\nask ops\nenvironment={environment}"


def test_two_that_differ_are_refused_until_one_is_set(empty_project: Project) -> None:
    """The first of both was believed."""
    name = str(empty_project.url.database)
    empty_project.sql(
        f"COMMENT ON DATABASE {name} IS E'environment=development\nenvironment=production\nenvironment=development'"
    )

    for verb in ("migrate", "reset", "seed"):
        result = empty_project.run(verb, CONFIRM=name)
        assert result.returncode == 1
        assert f"✗ The comment of the database {name} says development and production." in result.stderr
        assert f"Do:    make environment ENV=production CONFIRM={name}\n" in result.stderr

    result = empty_project.run("environment", "development", CONFIRM=name)
    assert result.returncode == 0, result.stderr
    assert ": development and production.\n" in result.stdout
    assert comment(empty_project) == "environment=development"


def test_a_database_without_a_mark_gets_one(empty_project: Project) -> None:
    empty_project.sql(f"COMMENT ON DATABASE {empty_project.url.database} IS NULL")

    result = empty_project.run("environment", "test", CONFIRM=str(empty_project.url.database))

    assert result.returncode == 0, result.stderr
    assert "not set (treated as production)." in result.stdout
    assert comment(empty_project) == "environment=test"


@pytest.mark.parametrize("confirm", ["", "yes", "{name}_2", " {name}", "{name},{name}"])
def test_unconfirmed_nothing_is_marked(settled: Project, confirm: str) -> None:
    name = str(settled.url.database)

    result = settled.run("environment", "staging", CONFIRM=confirm.format(name=name))

    assert result.returncode == 1
    assert "✗ Not confirmed." in result.stderr
    assert f"Do:    make environment ENV=staging CONFIRM={name}\n" in result.stderr
    assert comment(settled) == "environment=development"


@pytest.mark.parametrize("words", [(), ("",), ("Staging",), ("prod",), ("environment=test",), ("test\ndevelopment",)])
def test_what_is_no_environment_is_refused(settled: Project, words: tuple[str, ...]) -> None:
    result = settled.run("environment", *words, CONFIRM=str(settled.url.database))

    assert result.returncode == 2
    assert "is not one of development, test, staging, production" in result.stderr
    assert "State: nothing was changed." in result.stderr
    assert comment(settled) == "environment=development"


def test_the_mark_that_is_there_is_nothing_to_do(settled: Project) -> None:
    result = settled.run("environment", "development")

    assert result.returncode == 0
    assert result.stdout == f"✓ Nothing to do: the environment of {settled.url.database} is development already.\n"
