"""make app"""

import re
import sys

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

    known = "apt, command, extensions, health, metadata, packages, seed, url_variables"
    assert f"    comand is not one of {known}\n" in said["comand = 'x'"]
    assert "    command is not a text\n" in said["command = ['x']"]
    assert (
        "command in [tool.app] of pyproject.toml cannot be split into words: No closing"
        in said["command = 'sh -c \"x'"]
    )
    assert "✗ nosuchprogram is not installed." in said["command = 'nosuchprogram -v'"]
    assert "✗ pyproject.toml cannot be read: Invalid value (at line " in said["command = "]


def test_packages_in_other_folders_are_found(empty_project: Project, revisions: list[str]) -> None:
    """Also two from one folder, one in a folder that is no name in Python, and one without __init__.py."""
    files = {
        "src/blog/__main__.py": "from blog import words\nprint(words.GREETING)\n",
        "src/blog/words.py": "GREETING = 'hello'\n",
        "src/shop/__init__.py": "",
        "my-shop/src/my_shop/__init__.py": "",
        "libs/acme/billing/prices.py": "import my_shop\n",
    }
    for path, text in files.items():
        (empty_project.path / path).parent.mkdir(parents=True, exist_ok=True)
        (empty_project.path / path).write_text(text)
    packages = 'packages = ["app", "src/blog", "src/shop", "my-shop/src/my_shop", "libs/acme"]'
    declare(empty_project, f'command = "python -m blog"\n{packages}')
    imports = "import blog.words, shop, my_shop, acme.billing.prices"
    empty_project.write_revision("abcd01", revisions[-1], imports)
    shell = empty_project.path / "shell"
    shell.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m alembic heads")
    shell.chmod(0o700)

    assert empty_project.run("app").stdout == "hello\n"
    assert empty_project.run("shell", SHELL=str(shell)).stdout == "abcd01 (head)\n"
    for verb, *words in (("lint", "--all"), ("migrate",), ("plan",)):
        done = empty_project.run(verb, *words)
        assert done.returncode == 0, (verb, done.stdout + done.stderr)
    for wrong, why in {
        '["app", "src/blok"]': "✗ packages in [tool.app] of pyproject.toml names src/blok, and there is no such",
        '["app", "src/scripts"]': "    packages has src/scripts: a package of this environment has that name\n",
    }.items():
        declare(empty_project, f"packages = {wrong}")
        result = empty_project.run("history")
        assert (result.returncode, why in result.stderr) == (2, True), result.stderr
