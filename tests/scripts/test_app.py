"""make app"""

import re

from tests.conftest import Project


def declare(project: Project, lines: str) -> None:
    path = project.path / "pyproject.toml"
    path.write_text(re.sub(r"(?s)\n\[tool\.app\].*?(?=\n\[|\Z)", "", path.read_text()) + f"\n[tool.app]\n{lines}\n")


def test_the_command_gets_the_login_of_the_application_s_role_and_what_stands_in_env(empty_project: Project) -> None:
    declare(
        empty_project,
        """command = "python -c 'import os; print(os.environ[\\"DATABASE_URL\\"], os.environ[\\"MINE\\"])'" """,
    )
    (empty_project.path / ".env").write_text(
        "MINE='a $b'\nAPP_DB_USER=rows\nAPP_DB_PASSWORD='p@ss'\nAPP_DRIVER=asyncpg\n"
    )

    result = empty_project.run("app")

    url = empty_project.url
    shown = f"postgresql+asyncpg://rows:p%40ss@{url.host}:{url.port}/{url.database} a $b\n"
    assert (result.stdout, result.returncode) == (shown, 0)


def test_its_exit_code_is_that_of_the_application(empty_project: Project) -> None:
    declare(empty_project, "command = 'sh -c \"exit 7\"'")

    assert empty_project.run("app").returncode == 7


def test_what_is_wrong_in_pyproject_is_named(empty_project: Project) -> None:
    said = {}
    for lines in (
        "comand = 'x'",
        "command = ['x']",
        "command = 'sh -c \"x'",
        "command = 'nosuchprogram -v'",
        "command = ",
    ):
        declare(empty_project, lines)
        result = empty_project.run("app")
        assert result.returncode in (1, 2)
        said[lines] = result.stderr

    known = "apt, command, health, metadata, packages, seed, url_variables"
    assert f"    comand is not one of {known}\n" in said["comand = 'x'"]
    assert "    command is not a text\n" in said["command = ['x']"]
    assert (
        "command in [tool.app] of pyproject.toml cannot be split into words: No closing"
        in said["command = 'sh -c \"x'"]
    )
    assert "✗ nosuchprogram is not installed." in said["command = 'nosuchprogram -v'"]
    assert "✗ pyproject.toml cannot be read: Invalid value (at line " in said["command = "]


def test_packages_in_other_folders_are_found(empty_project: Project, revisions: list[str]) -> None:
    package = empty_project.path / "src" / "blog"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text("from blog import words\nprint(words.GREETING)\n")
    (package / "words.py").write_text("GREETING = 'hello'\n")
    declare(empty_project, 'command = "python -m blog"\npackages = ["app", "src/blog"]')
    empty_project.write_revision("abcd01", revisions[-1], "from blog import words; print(words.GREETING)")

    assert empty_project.run("app").stdout == "hello\n"
    assert empty_project.run("migrate").returncode == 0
