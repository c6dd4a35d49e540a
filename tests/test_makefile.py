"""The Makefile, and what stands between it and the scripts: scripts/setup.sh and scripts/runtime.sh."""

import ast
import os
import pty
import re
import shlex
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.core import env_file
from tests.conftest import ROOT, Project, copy_project

MAKEFILE = (ROOT / "Makefile").read_text()
MENU = re.findall(r"^([a-z-]+):.*## (.*?)(?:  +\((.*)\))?$", MAKEFILE, re.MULTILINE)

# None of them may be read by make or by a shell: each would leave a file named canary.
HOSTILE = [
    """it's a "quoted" word""",
    "'",
    '"',
    "$HOME ${HOME} $$ $(HOME) $@",
    "$(shell touch canary)",
    "${shell touch canary}",
    "$(touch canary)",
    "`touch canary`",
    "x; touch canary #",
    "x && touch canary || touch canary & touch canary | touch canary",
    '"; touch canary; "',
    "'; touch canary; '",
    "two\nlines\n\ttouch canary",
    "x > canary",
    "100% %s %(here)s",
    "--sql",
    "-x",
    "\\ \\n \\",
    "* ? [a] ~ {a,b} !",
    "größer → 🐘",
    "a = b := c # d",
]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh copy of the project, in which nothing has run yet."""
    return copy_project(tmp_path)


@pytest.fixture
def checkout(project: Project) -> Project:
    """A copy whose targets run in its .venv, on a database of its own."""
    project.environment = {
        "RUNTIME": "embedded",
        "DATABASE_URL": project.url.render_as_string(hide_password=False),
    }
    return project


@pytest.fixture
def recorder(clone: Path) -> Path:
    """A copy whose Makefile calls a runtime.sh that only writes down its words, and CONFIRM."""
    (clone / "scripts" / "runtime.sh").write_text('printf \'%s\\0\' "$@" "CONFIRM=$CONFIRM" END >>words\n')
    return clone


def recorded(recorder: Path) -> list[list[str]]:
    """The words of each call since the last time."""
    written = (recorder / "words").read_text()
    (recorder / "words").unlink()
    return [call.split("\0") for call in written.split("\0END\0")[:-1]]


def run(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command in a folder, with nothing in its environment but PATH and these variables."""
    variables = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(
        words, cwd=folder, env=variables, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def path_with(folder: Path, **programs: str) -> str:
    """A PATH on which these programs, given as shell code, come before all others."""
    folder.mkdir(exist_ok=True)
    for name, code in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{code}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def env_of(folder: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", (folder / ".env").read_text(), re.MULTILINE))


# The menu


def test_make_alone_prints_every_target_with_its_options(clone: Path) -> None:
    result = run(clone, "make")

    assert result.returncode == 0
    assert len(MENU) >= 20
    for target, text, options in MENU:
        assert re.search(rf"^  make {target} +{re.escape(text)} *{re.escape(f'({options})') if options else ''} *$",
                         result.stdout, re.MULTILINE), target  # fmt: skip


def test_every_target_stands_in_the_menu() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))

    assert targets == {target for target, _, _ in MENU}


def test_the_menu_asks_no_engine_and_makes_nothing(clone: Path, tmp_path: Path) -> None:
    before = sorted(clone.rglob("*"))
    path = path_with(tmp_path / "bin", docker="touch called", python="touch called", sh="touch called")

    result = run(clone, "make", PATH=path)

    assert result.returncode == 0
    assert sorted(clone.rglob("*")) == before


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_the_menu_is_coloured_on_a_terminal_unless_told_otherwise(
    clone: Path, variables: dict[str, str], coloured: bool
) -> None:
    ours, theirs = pty.openpty()
    subprocess.run(["make"], cwd=clone, env={"PATH": os.environ["PATH"], **variables}, stdout=theirs, check=True)
    os.close(theirs)

    assert (b"\x1b[" in os.read(ours, 65536)) is coloured
    assert "\x1b" not in run(clone, "make").stdout


# A user's text


TEXTS = [
    ("revision", "m", "--message={}"),
    ("merge", "m", "--message={}"),
    ("alembic", "c", "{}"),
    ("psql", "c", "--command={}"),
    ("logs", "c", "{}"),
    ("migrate", "REV", "{}"),
    ("rollback", "REV", "--rev={}"),
    ("rollback", "STEPS", "--steps={}"),
    ("stamp", "REV", "{}"),
    ("test", "T", "{}"),
    ("reset", "CONFIRM", "CONFIRM={}"),
    ("backup", "NAME", "--name={}"),
    ("backup", "EXCLUDE", "--exclude={}"),
    ("backups", "KEEP", "--keep={}"),
    ("restore", "BACKUP", "{}"),
    ("restore", "TO", "--to={}"),
    ("load", "FILE", "{}"),
    ("verify-backup", "BACKUP", "{}"),
    ("verify-backup", "MODE", "--mode={}"),
]


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_users_text_arrives_literally_and_runs_nothing(recorder: Path, way: str) -> None:
    targets = list(dict.fromkeys(target for target, _, _ in TEXTS))
    for text in HOSTILE:
        given = {variable: text for _, variable, _ in TEXTS}
        words = [f"{variable}={text}" for variable in given] if way == "argument" else []
        result = run(recorder, "make", *targets, *words, **({} if words else given))

        assert result.returncode == 0, (text, result.stderr)
        called = dict(zip(targets, recorded(recorder), strict=True))
        assert [row for row in TEXTS if row[2].format(text) not in called[row[0]]] == [], text
        assert not list(recorder.rglob("canary")), text


@pytest.mark.parametrize("variable", ["EMPTY", "JSON", "DATABASE"])
def test_a_switch_is_only_on_or_off(recorder: Path, variable: str) -> None:
    target = {"EMPTY": "revision", "JSON": "status", "DATABASE": "adopt"}[variable]

    run(recorder, "make", target, f"{variable}=$(shell touch canary)`touch canary`")
    (on,) = recorded(recorder)
    run(recorder, "make", target)
    (off,) = recorded(recorder)

    assert [word for word in on if word not in off] == [f"--{variable.lower()}"]
    assert not list(recorder.rglob("canary"))


@pytest.mark.parametrize(
    ("way", "text"),
    [
        ("argument", "\n".join(HOSTILE)),
        ("environment", "\n".join(HOSTILE)),
        ("argument", "--sql"),
        ("environment", "'"),
    ],
    ids=["argument", "environment", "argument like an option", "environment, a quote"],
)
def test_a_message_stands_in_the_revision_file_as_it_was_typed(checkout: Project, way: str, text: str) -> None:
    before = set(checkout.versions.glob("*.py"))

    if way == "argument":
        result = checkout.make("revision", f"m={text}", "EMPTY=1")
    else:
        result = checkout.make("revision", "EMPTY=1", m=text)

    assert result.returncode == 0, result.stderr
    (written,) = set(checkout.versions.glob("*.py")) - before
    docstring = ast.get_docstring(ast.parse(written.read_text()), clean=False) or ""
    assert docstring.startswith(f"{text}\n\nRevision: ")
    assert not list(checkout.path.rglob("canary"))


@pytest.mark.parametrize("words", [[], ["m="], ["m=   "]])
def test_without_a_message_there_is_usage_and_no_file(clone: Path, words: list[str]) -> None:
    before = sorted(clone.glob("alembic/versions/*.py"))

    result = run(clone, "make", "revision", *words, RUNTIME="embedded")

    assert "revision] Error 2" in result.stderr
    assert 'make revision m="what it does"' in result.stderr
    assert sorted(clone.glob("alembic/versions/*.py")) == before


def test_an_alembic_command_is_split_and_not_run_by_a_shell(clone: Path) -> None:
    text = "c=show head ; touch canary $(shell touch canary) `touch canary`"

    result = run(clone, "make", "alembic", text, RUNTIME="embedded")

    assert "alembic] Error 2" in result.stderr
    assert "unrecognized arguments: ; touch canary $(shell touch canary) `touch canary`" in result.stderr
    assert not list(clone.rglob("canary"))


# .env


def test_the_first_target_makes_env_from_the_example(clone: Path) -> None:
    path = path_with(clone.parent / "bin", docker="exit 1", umask="")
    (clone / ".venv" / "bin" / "python").write_text("#!/bin/sh\n")

    result = run(clone, "sh", "-c", "umask 000 && exec make status", PATH=path)

    assert result.returncode == 0, result.stderr
    assert "Made .env (mode 0600, generated passwords): RUNTIME=embedded, because no Docker engine" in result.stderr
    assert stat.S_IMODE((clone / ".env").stat().st_mode) == 0o600
    made, example = env_of(clone), dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.M))
    assert list(made) == list(example)
    assert {name: made[name] for name in example if example[name]} == {k: v for k, v in example.items() if v}
    for name in ("POSTGRES_PASSWORD", "APP_DB_PASSWORD"):
        assert re.fullmatch(r"[0-9a-f]{40}", made[name])
    assert made["POSTGRES_PASSWORD"] != made["APP_DB_PASSWORD"]
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", made["COMPOSE_PROJECT_NAME"])
    assert 1024 < int(made["DB_PORT"]) < 32768
    assert (made["HOST_UID"], made["HOST_GID"]) == (str(os.getuid()), str(os.getgid()))
    assert env_file.read(clone / ".env").values["APP_ENV"] == "development"


@pytest.mark.parametrize(("answers", "runtime"), [("exit 0", "docker"), ("exit 1", "embedded")])
def test_the_runtime_is_docker_where_an_engine_answers(clone: Path, answers: str, runtime: str) -> None:
    run(clone, "sh", "scripts/setup.sh", PATH=path_with(clone.parent / "bin", docker=answers))

    assert env_of(clone)["RUNTIME"] == runtime


def test_no_two_clones_share_a_password_or_a_project_and_hardly_a_port(tmp_path: Path) -> None:
    clones = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        clones.append(copy_project(tmp_path / str(number)))
        run(clones[-1], "sh", "scripts/setup.sh", RUNTIME="embedded")

    made = [env_of(clone) for clone in clones]

    for name in ("POSTGRES_PASSWORD", "APP_DB_PASSWORD", "COMPOSE_PROJECT_NAME"):
        assert len({one[name] for one in made}) == 3
    assert len({one["DB_PORT"] for one in made}) > 1


def test_an_env_that_is_there_is_never_touched(clone: Path) -> None:
    (clone / ".env").write_text("RUNTIME=embedded\n# mine\n")
    (clone / ".env").chmod(0o640)

    result = run(clone, "sh", "scripts/setup.sh", RUNTIME="docker")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert (clone / ".env").read_text() == "RUNTIME=embedded\n# mine\n"
    assert stat.S_IMODE((clone / ".env").stat().st_mode) == 0o640


def test_a_copied_example_is_completed_and_no_trace_shows_a_password(clone: Path) -> None:
    """What has a value stays, also the mistakes."""
    example = (ROOT / ".env.example").read_text().replace("DB_PORT=\n", "DB_PORT=23456\n")
    (clone / ".env").write_text(example)
    (clone / ".env").chmod(0o644)

    result = run(clone, "sh", "-x", "scripts/setup.sh", RUNTIME="embedded")

    assert result.returncode == 0, result.stderr
    made = env_of(clone)
    assert (
        "! Filled in what was empty in .env (now mode 0600): RUNTIME COMPOSE_PROJECT_NAME POSTGRES_P" in result.stderr
    )
    assert stat.S_IMODE((clone / ".env").stat().st_mode) == 0o600
    assert (made["RUNTIME"], made["DB_PORT"]) == ("embedded", "23456")
    assert env_file.read(clone / ".env").values["APP_ENV"] == "development"
    assert len(made["POSTGRES_PASSWORD"]) == len(made["APP_DB_PASSWORD"]) == 40
    assert made["POSTGRES_PASSWORD"] not in result.stderr
    assert made["APP_DB_PASSWORD"] not in result.stderr

    (clone / ".env").chmod(0o644)
    again = run(clone, "sh", "scripts/setup.sh")

    assert again.stderr == "! Every account of this machine can read the passwords in .env: chmod 600 .env\n"
    assert env_of(clone) == made


def test_a_mistyped_environment_is_named(clone: Path) -> None:
    (clone / ".env").write_text("RUNTIME=docker\nAPP_ENV=developement\n")

    result = run(clone, "make", "status")

    assert "✗ APP_ENV is 'developement'. It must be development, test, staging or production." in result.stderr
    assert "status] Error 2" in result.stderr


def test_an_env_that_appears_meanwhile_is_not_replaced(clone: Path) -> None:
    """Two targets at once: the first one's password may be in a data directory already."""
    sed = f'case "$*" in *RUNTIME=*) echo "# another" >.env ;; esac\nexec {shutil.which("sed")} "$@"'

    result = run(clone, "sh", "scripts/setup.sh", RUNTIME="embedded", PATH=path_with(clone.parent / "bin", sed=sed))

    assert result.returncode == 0, result.stderr
    assert (clone / ".env").read_text() == "# another\n"
    assert list(clone.glob(".env.new*")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_setup_that_is_killed_leaves_no_half_env(clone: Path, tmp_path: Path, number: int) -> None:
    slow = f'case "$*" in *RUNTIME=*) echo APP_ENV=half; sleep 60 ;; esac\nexec {shutil.which("sed")} "$@"'
    setup = subprocess.Popen(
        ["sh", "scripts/setup.sh"],
        cwd=clone,
        env={"PATH": path_with(tmp_path / "bin", sed=slow), "RUNTIME": "embedded"},
        start_new_session=True,
    )
    wait_until(lambda: any(path.stat().st_size for path in clone.glob(".env.*new*")))

    os.killpg(setup.pid, number)

    assert setup.wait(10) != 0
    assert not (clone / ".env").exists()
    assert run(clone, "sh", "scripts/setup.sh", RUNTIME="embedded").returncode == 0
    assert env_file.read(clone / ".env").values["APP_ENV"] == "development"
    assert {path.name for path in clone.glob(".env*")} == {".env", ".env.example"}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("folder", ["two words", """it's "quoted" """, "Größe & |x", "---", "$(touch canary)"])
def test_a_checkout_may_lie_in_any_folder(tmp_path: Path, folder: str) -> None:
    clone = copy_project(tmp_path).rename(tmp_path / folder)

    result = run(clone, "make", "status", RUNTIME="embedded", DATABASE_URL="postgresql://h/d", PATH=stubbed(clone))

    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*-[0-9a-f]{6}", env_of(clone)["COMPOSE_PROJECT_NAME"])
    assert not list(tmp_path.rglob("canary"))


def test_docker_refuses_a_folder_with_a_colon(tmp_path: Path) -> None:
    clone = copy_project(tmp_path).rename(tmp_path / "a:b")
    docker = path_with(tmp_path / "bin", docker="exit 0")
    run(clone, "sh", "scripts/setup.sh", RUNTIME="docker", PATH=docker)

    result = run(clone, "make", "status", PATH=docker)

    assert result.returncode != 0
    assert f"✗ There is a colon in the path of this checkout, {clone}." in result.stderr
    assert "move the checkout to a path without a colon" in result.stderr


def stubbed(clone: Path) -> str:
    """A PATH as usual, after the copy's Python was replaced by one that does nothing."""
    (clone / ".venv" / "bin" / "python").write_text("#!/bin/sh\n")
    return os.environ["PATH"]


@pytest.mark.skipif(not shutil.which("dash"), reason="there is no dash, the strictest usual shell, on this machine")
@pytest.mark.parametrize("script", ["setup.sh", "runtime.sh ps"])
def test_the_shell_scripts_need_no_more_than_posix(clone: Path, script: str) -> None:
    stubbed(clone)

    result = run(clone, "dash", *f"scripts/{script}".split(), RUNTIME="embedded")

    assert result.returncode == 0, result.stderr
    assert env_of(clone)["RUNTIME"] == "embedded"


@pytest.mark.parametrize("volume", HOSTILE)
def test_a_name_in_a_printed_command_is_quoted_for_the_shell(volume: str) -> None:
    script = ". scripts/place.sh; . scripts/runtimes/docker_faults.sh; explain_start db 'external volume'"

    said = run(ROOT, "sh", "-c", script, DB_VOLUME=volume).stderr

    command = said.partition("  Do:    ")[2].rpartition("\n  State:")[0]
    assert shlex.split(command) == ["docker", "volume", "create", volume]


def test_a_docker_without_room_for_another_network_is_named() -> None:
    """The engine's default pools are enough for 31 networks."""
    said = "failed to create network x_default: could not find an available, non-overlapping IPv4 address pool among"
    script = '. scripts/place.sh; . scripts/runtimes/docker_faults.sh; explain_start db "$1"'

    result = run(ROOT, "sh", "-c", script, "sh", said)

    assert "✗ Docker has no addresses left for another network." in result.stderr
    assert "  Do:    make down in another checkout, or: docker network prune\n" in result.stderr


# RUNTIME


def test_runtime_on_the_command_line_overrides_that_of_env(clone: Path) -> None:
    (clone / ".env").write_text("RUNTIME=docker\n")
    (clone / ".venv" / "bin" / "python").write_text("#!/bin/sh\necho $RUNTIME $*\n")
    path = path_with(clone.parent / "bin", docker="touch called; exit 1")

    result = run(clone, "make", "status", "RUNTIME=embedded", PATH=path)

    assert result.stdout == "embedded -m scripts.status\n"
    assert not (clone / "called").exists()
    assert (clone / ".env").read_text() == "RUNTIME=docker\n"


def test_the_runtime_of_env_is_never_chosen_again(clone: Path) -> None:
    (clone / ".env").write_text("RUNTIME=embedded\n")
    (clone / ".venv" / "bin" / "python").write_text("#!/bin/sh\necho $RUNTIME\n")
    path = path_with(clone.parent / "bin", docker="touch called")

    result = run(clone, "make", "status", PATH=path)

    assert result.stdout == "embedded\n"
    assert not (clone / "called").exists()


@pytest.mark.parametrize("runtime", ["podman", "Docker", "x|e touch canary", "x|\ne touch canary\n#", "../runtime"])
def test_another_runtime_is_refused_and_nothing_is_made(clone: Path, runtime: str) -> None:
    before = sorted(clone.rglob("*"))

    result = run(clone, "make", "status", f"RUNTIME={runtime}")

    assert "status] Error 2" in result.stderr
    assert "It must be docker or embedded." in result.stderr
    assert sorted(clone.rglob("*")) == before


@pytest.mark.parametrize("line", ["", "RUNTIME=podman\n"])
def test_another_runtime_in_env_is_refused(clone: Path, line: str) -> None:
    (clone / ".env").write_text(line)

    result = run(clone, "make", "status")

    assert "status] Error 2" in result.stderr
    assert "set RUNTIME=docker or RUNTIME=embedded in .env" in result.stderr


@pytest.mark.parametrize("line", ["RUNTIME='embedded'\n", "export RUNTIME=embedded\n", "RUNTIME=embedded  # mine\r\n"])
def test_the_runtime_in_env_may_be_written_as_any_other_value(clone: Path, line: str) -> None:
    (clone / ".env").write_text(line)
    stubbed(clone)

    assert run(clone, "make", "status").returncode == 0
