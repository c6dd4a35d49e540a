"""make restore"""

import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import Project
from tests.core import forking_python


def name(project: Project) -> str:
    return str(project.url.database)


def restore(project: Project, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Restore with the name typed."""
    return project.run("restore", *words, **{"CONFIRM": name(project), **environment})


def users(project: Project) -> object:
    return project.sql("SELECT count(*) FROM users")[0][0]


@pytest.fixture
def _forking_python(backed_up: Project) -> Iterator[None]:
    """Make targets of the project have their Python forked."""
    with forking_python.served() as text:
        (backed_up.path / ".venv" / "bin" / "python").write_text(text)
        yield


@pytest.fixture
def backed_up(project: Project) -> Iterator[Project]:
    """A project with one user, and a backup from before he was the second."""
    project.sql("INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com')")
    assert project.run("backup", "--name=one").returncode == 0
    project.sql("INSERT INTO users (username, email) VALUES ('bob', 'bob@example.com')")
    yield project
    for old_name in databases(project):
        project.sql_on_server(f'DROP DATABASE "{old_name}"')


def databases(project: Project) -> list[str]:
    """What was made beside the project's database."""
    found = project.sql(f"SELECT datname FROM pg_database WHERE starts_with(datname, '{name(project)}_')")
    return [str(row[0]) for row in found]


def test_a_table_that_was_dropped_by_mistake_comes_back_by_what_the_output_says(backed_up: Project) -> None:
    sources = backed_up.sql("SELECT sha256, packed::text FROM migration_source ORDER BY 1")
    backed_up.sql("DROP TABLE social_posts; DROP TABLE migration_source")
    refused = backed_up.run("restore", "latest")

    (command,) = re.findall(r"Do: +make restore (.*)", refused.stderr)
    words = dict(word.split("=", 1) for word in shlex.split(command))
    result = backed_up.run("restore", words["BACKUP"], CONFIRM=words["CONFIRM"])

    assert refused.returncode == 1
    assert "✗ Not confirmed: no name was given." in refused.stderr
    assert result.returncode == 0, result.stderr
    assert f"✓ {name(backed_up)} is as it was at 20" in result.stdout
    assert backed_up.sql("SELECT count(*) FROM social_posts") == [(0,)]
    assert backed_up.sql("SELECT sha256, packed::text FROM migration_source ORDER BY 1") == sources != []
    assert users(backed_up) == 1


def test_the_commands_that_go_back_and_that_drop_the_old_one_work_as_they_are_printed(
    backed_up: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed into a shell, through make."""
    backed_up.environment = {
        "RUNTIME": "embedded",
        "DATABASE_URL": backed_up.url.render_as_string(hide_password=False),
    }
    result = restore(backed_up, "one")
    (go_back,) = re.findall(r"Restore it:  (.*)", result.stdout)

    back = backed_up.call("sh", "-c", go_back)

    assert back.returncode == 0, back.stderr
    assert f"✓ {name(backed_up)} is the kept database " in back.stdout
    assert users(backed_up) == 2
    (old_name,) = databases(backed_up)
    (drop,) = re.findall(r"Drop it:     (.*)", back.stdout)
    assert backed_up.call("sh", "-c", drop).returncode == 0
    assert old_name not in databases(backed_up)


@pytest.mark.usefixtures("_forking_python")
def test_names_that_a_shell_would_read_are_printed_as_they_are_typed(backed_up: Project) -> None:
    odd = f"{name(backed_up)}_o'dd $x \\"
    assert backed_up.run("restore", "one", f"--to={odd}").returncode == 0
    backed_up.environment = {
        "RUNTIME": "embedded",
        "DATABASE_URL": backed_up.url.set(database=odd).render_as_string(hide_password=False),
    }
    assert backed_up.run("backup", "--name=two").returncode == 0

    refused = restore(backed_up, "two", CONFIRM="another")
    result = _typed(backed_up, "Do: +", refused.stderr)
    back = _typed(backed_up, "Restore it:  ", result)
    _typed(backed_up, "Drop it:     ", back)

    assert databases(backed_up) == [odd]


def _typed(project: Project, before: str, said: str) -> str:
    (command,) = re.findall(f"{before}(.*)", said)
    result = project.call("sh", "-c", command)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.usefixtures("_forking_python")
@pytest.mark.parametrize("target", ["restore", "verify-backup"])
def test_a_backup_whose_name_begins_like_an_option_is_a_backup(backed_up: Project, target: str) -> None:
    backed_up.environment = {
        "RUNTIME": "embedded",
        "DATABASE_URL": backed_up.url.render_as_string(hide_password=False),
    }

    result = backed_up.call("make", target, "BACKUP=-x_y-20261127T092242Z")

    assert "There is no backup -x_y-20261127T092242Z" in result.stderr


@pytest.mark.parametrize("typed", ["", "yes", "{name} ", "postgres"])
def test_the_name_must_be_typed(backed_up: Project, typed: str) -> None:
    result = restore(backed_up, "one", CONFIRM=typed.format(name=name(backed_up)))

    assert result.returncode == 1
    assert "✗ Not confirmed" in result.stderr
    assert users(backed_up) == 2
    assert databases(backed_up) == []


def test_a_database_without_rows_needs_no_name(backed_up: Project) -> None:
    backed_up.sql("DELETE FROM users")

    result = backed_up.run("restore", "one")

    assert result.returncode == 0, result.stderr
    assert users(backed_up) == 1


def test_beside_the_database_nothing_is_swapped(backed_up: Project) -> None:
    other = f"{name(backed_up)}_beside"

    result = backed_up.run("restore", "one", f"--to={other}")
    again = backed_up.run("restore", "one", f"--to={other}")
    long = backed_up.run("restore", "one", f"--to={'x' * 64}")

    assert result.returncode == 0, result.stderr
    assert f"make psql, then: \\connect {other}\n  Drop it:       make psql c=" in result.stdout
    assert databases(backed_up) == [other]
    assert users(backed_up) == 2
    assert again.returncode == 2
    assert f"✗ TO={other} exists already." in again.stderr
    assert long.returncode == 2


def test_a_kept_database_changes_places_and_nothing_else(backed_up: Project) -> None:
    restore(backed_up, "one")
    (old_name,) = databases(backed_up)

    result = restore(backed_up, old_name, "--to=other")

    assert result.returncode == 2
    assert users(backed_up) == 1
    assert databases(backed_up) == [old_name]


def test_whose_backup_it_is_is_told_before_the_name_is_typed(backed_up: Project) -> None:
    (made,) = (backed_up.path / "backups").iterdir()
    other = f"{name(backed_up)}_other"
    backed_up.sql_on_server(f"CREATE DATABASE {other} TEMPLATE {name(backed_up)}")
    backed_up.sql_on_server(f"COMMENT ON DATABASE {other} IS 'environment=development'")

    result = backed_up.run("restore", f"backups/{made.name}/", POSTGRES_DB=other)

    assert result.returncode == 1
    assert (
        f"! {made.name} is a backup of the database {name(backed_up)}. It will be restored to {other} at "
        in result.stderr
    )
    assert f"Do:    make restore BACKUP=backups/{made.name}/ CONFIRM={other}" in result.stderr


def test_a_damaged_backup_changes_nothing(backed_up: Project) -> None:
    (folder,) = (backed_up.path / "backups").iterdir()
    with (folder / "dump" / "toc.dat").open("ab") as file:
        file.write(b"x")

    result = restore(backed_up, "one")

    assert result.returncode == 1
    assert "is damaged: dump/toc.dat was changed." in result.stderr
    assert users(backed_up) == 2
    assert databases(backed_up) == []


def test_a_database_marked_as_something_else_is_not_touched(backed_up: Project) -> None:
    backed_up.sql(f"COMMENT ON DATABASE {name(backed_up)} IS 'environment=production'")

    result = restore(backed_up, "one")

    assert result.returncode == 1
    assert f"✗ Refusing to touch {name(backed_up)}: its environment is production." in result.stderr


def test_pending_revisions_are_told(backed_up: Project, revisions: list[str]) -> None:
    backed_up.write_revision("abcd01", revisions[-1])

    assert "  1 pending revision: make migrate\n" in restore(backed_up, "one").stdout


def test_switching_branches_restores_the_database_of_the_branch(backed_up: Project, revisions: list[str]) -> None:
    """The other branch has a revision that this one has not."""
    path = backed_up.write_revision("abcd01", revisions[-1])
    assert backed_up.run("migrate").returncode == 0
    assert backed_up.run("backup", "--name=other").returncode == 0
    path.unlink()

    migrate, status = backed_up.run("migrate"), backed_up.run("status")
    (command,) = re.findall(r"This backup fits the checkout: make restore BACKUP=(.*)", migrate.stderr)
    result = restore(backed_up, command)

    assert (migrate.returncode, status.returncode) == (1, 1)
    assert f"make restore BACKUP={command}\n" in status.stdout
    assert result.returncode == 0, result.stderr
    assert backed_up.version == [revisions[-1]]


@pytest.mark.parametrize("wanted", ["", "nothing", "../one"])
def test_a_backup_that_is_not_there_is_usage(backed_up: Project, wanted: str) -> None:
    result = restore(backed_up, *([wanted] if wanted else []))

    assert result.returncode == 2
    assert users(backed_up) == 2
