"""python -m scripts.app --watch"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import Project, copy_project
from tests.core.running import Running, is_alive, wait_until

# It says its version and its number, and serves until it is ended.
SERVES = "import os, time\nfrom app.words import WORD\nprint(WORD, os.getpid(), flush=True)\ntime.sleep(100)\n"


class Watched(Running):
    """The application of a copy of the project, which nothing but its own database settings knows."""

    def __init__(self, project: Project, command: str = "python -m app", **environment: str) -> None:
        self.app = project.path / "app"
        self.failed = project.path / ".postgres" / "app.failed"
        path = project.path / "pyproject.toml"
        path.write_text(re.sub(r"(?m)^command = .*", lambda _: f"command = {json.dumps(command)}", path.read_text()))
        super().__init__(project, "scripts.app", ("--watch",), environment)

    def write(self, word: str) -> None:
        (self.app / "words.py").write_text(word if "\n" in word else f"WORD = {word!r}\n")

    def starts(self, word: str) -> int:
        """Wait until it has said this word, and return its number."""
        wait_until(lambda: f"{word} " in self.printed)
        return int(re.findall(rf"^{word} (\d+)$", self.printed, re.MULTILINE)[-1])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(
        copy_project(tmp_path), URL.create("postgresql", "app", host="127.0.0.1", port=1, database="none")
    )
    (project.path / "app" / "__main__.py").write_text(SERVES)
    (project.path / "app" / "words.py").write_text("WORD = 'one'\n")
    return project


Start = Callable[..., Watched]


@pytest.fixture
def start(project: Project) -> Iterator[Start]:
    made: list[Watched] = []

    def begin(command: str = "python -m app", **environment: str) -> Watched:
        made.append(Watched(project, command, **environment))
        return made[-1]

    yield begin
    for one in made:
        one.kill()


def group(number: int) -> list[int]:
    """The processes of a group, also those that have ended and were not waited for."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if path.read_text().rpartition(") ")[2].split()[2] == str(number):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_changed_code_starts_it_again_and_so_does_a_corrected_error(start: Start) -> None:
    watched = start()
    first = watched.starts("one")

    watched.write("two")
    second = watched.starts("two")
    watched.write("WORD =\n")
    wait_until(watched.failed.exists)
    why = watched.failed.read_text()
    watched.write("three")
    third = watched.starts("three")

    assert not watched.failed.exists()
    assert [is_alive(one) for one in (first, second, third)] == [False, False, True]
    assert why == "The application ended with exit code 1. It starts again when its code changes."
    said = [line for line in watched.printed.splitlines() if "application" in line]
    assert said == [
        "Starting the application again: app/words.py changed.",
        "Starting the application again: app/words.py changed.",
        why,
        "Starting the application again: app/words.py changed.",
    ]
    watched.send(signal.SIGTERM)
    wait_until(lambda: not watched.runs)
    assert group(third) == []


def test_only_python_files_of_the_packages_count(start: Start, project: Project) -> None:
    package = project.path / "src" / "blog"
    package.mkdir(parents=True)
    declared = project.path / "pyproject.toml"
    declared.write_text(declared.read_text().replace('packages = ["app"]', 'packages = ["app", "src/blog"]'))
    watched = start()
    first = watched.starts("one")

    for name in (
        *("backups/a.py", "reports/a.py", ".git/a.py", "alembic/versions/a.py", "a.py", "src/a.py"),
        *("app/data.json", "app/__pycache__/a.pyc", "app/words.py~", "app/.words.py.swp"),
    ):
        (project.path / name).parent.mkdir(exist_ok=True)
        (project.path / name).write_text("")
    os.symlink("nowhere", project.path / "app" / ".#words.py")  # as Emacs locks a file
    (package / "new.py").write_text("")
    wait_until(lambda: watched.printed.count("one ") == 2)

    assert watched.starts("one") != first
    assert [line for line in watched.printed.splitlines() if "again" in line] == [
        "Starting the application again: src/blog/new.py changed."
    ]


def test_outside_development_it_is_the_application_itself_and_needs_no_watchfiles(start: Start) -> None:
    watched = start("python -c 'import os; print(os.getpid())'", APP_ENV="staging")

    result = watched.end()

    assert (result.returncode, result.stdout) == (0, f"{watched.pid}\n")


def test_its_success_ends_it_too_and_a_missing_program_is_named(start: Start) -> None:
    done, missing, none = start("true").end(), start("nosuchprogram").end(), start("").end()

    assert (done.returncode, done.stdout) == (0, "")
    assert missing.returncode == 1
    assert missing.stderr.startswith("✗ nosuchprogram is not installed.\n  Do:    correct command in [tool.app]")
    assert none.returncode == 2
    assert none.stderr.startswith("✗ The application has no command.\n  Why:   command in [tool.app]")


@pytest.mark.faults
def test_a_change_while_it_starts_is_seen(start: Start, project: Project) -> None:
    (project.path / "app" / "__init__.py").write_text("import time\nfrom app import words\ntime.sleep(1)\n")
    watched = start()
    wait_until(lambda: watched.failed.parent.exists() or list(Path("/proc").glob(f"{watched.pid}/task")))

    for word in ("two", "three"):
        watched.write(word)
    watched.starts("three")


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_all_that_it_has_started_ends_with_it_and_before_the_next_start(start: Start, number: int) -> None:
    """Also what ignores SIGTERM, and however we end."""
    deaf = "(trap '' TERM; while :; do sleep 1; done) & (trap '' TERM; exec sleep 1000) & exec python -m app"
    watched = start(f'sh -c "{deaf}"')
    first = watched.starts("one")
    wait_until(lambda: len(group(first)) >= 3)

    watched.write("two")
    second = watched.starts("two")
    assert group(first) == []

    watched.send(number)
    wait_until(lambda: not watched.runs)
    wait_until(lambda: group(second) == [])


@pytest.mark.faults
def test_a_folder_that_is_made_again_is_watched_again(start: Start, project: Project) -> None:
    """As git does when it goes to a branch and back."""
    watched = start()
    watched.starts("one")
    away = watched.app.rename(project.path / "away")
    wait_until(watched.failed.exists)
    shutil.copytree(away, watched.app)
    wait_until(lambda: watched.printed.count("one ") == 2)

    watched.write("two")

    watched.starts("two")
    assert "Starting the application again: app changed.\n" in watched.printed


@pytest.mark.faults
def test_it_looks_at_the_files_itself_where_the_system_says_nothing(start: Start, project: Project) -> None:
    """A second counts there: of two changes in one it may see only the first."""
    (project.path / ".env").write_text("WATCHFILES_FORCE_POLLING=true\n")
    os.utime(project.path / "app" / "words.py", (1, 1))
    watched = start()
    watched.starts("one")
    descriptors = [os.readlink(path) for path in Path(f"/proc/{watched.pid}/fd").iterdir()]

    watched.write("two")

    watched.starts("two")
    assert "anon_inode:inotify" not in descriptors


@pytest.mark.faults
def test_an_application_with_its_own_reloader_starts_again_and_ends_whole(start: Start) -> None:
    watched = start(f"{Path(sys.executable).parent}/watchfiles 'python -m app' app")
    watched.starts("one")

    watched.write("two")
    watched.starts("two")
    watched.write("three")
    last = watched.starts("three")
    leader = os.getpgid(last)

    watched.send(signal.SIGTERM)
    wait_until(lambda: not watched.runs)
    wait_until(lambda: group(leader) == [])


@pytest.mark.faults
def test_ten_changes_leave_no_process_behind(start: Start) -> None:
    watched = start()
    for number in range(10):
        watched.write(f"word{number}")
        watched.starts(f"word{number}")

    children = subprocess.run(
        ["ps", "-o", "stat=", "--ppid", str(watched.pid)], capture_output=True, text=True, check=True
    )

    assert len(children.stdout.split()) == 2  # the application, and the shell that would end it
    assert "Z" not in children.stdout
