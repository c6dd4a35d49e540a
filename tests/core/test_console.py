"""scripts/core/console.py"""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.core import console
from scripts.core.errors import UserError
from tests.conftest import ROOT

GREEN = "\x1b[32m"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], str]:
    """Runs something with a real terminal as standard output and error; returns what was printed there."""

    def show(work: Callable[[], None]) -> str:
        controller, end = pty.openpty()
        with open(end, "w") as stream, monkeypatch.context() as patch:
            patch.setattr("sys.stdout", stream)
            patch.setattr("sys.stderr", stream)
            work()
            return os.read(controller, 10_000).decode()

    monkeypatch.delenv("NO_COLOR", raising=False)
    return show


def test_a_terminal_gets_colours(terminal: Callable[[Callable[[], None]], str]) -> None:
    assert GREEN in terminal(lambda: console.done("It is done."))


def test_no_color_is_honoured(terminal: Callable[[Callable[[], None]], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    assert GREEN not in terminal(lambda: console.done("It is done."))


def test_a_pipe_gets_no_escape_codes(capsys: pytest.CaptureFixture[str]) -> None:
    console.done("It is done.")
    console.warn("Beware.")
    console.fail(UserError("It broke.", why="It was old.", do="mend it"))

    captured = capsys.readouterr()
    assert captured.out == "✓ It is done.\n"
    assert captured.err == (
        "! Beware.\n✗ It broke.\n  Why:   It was old.\n  Do:    mend it\n  State: nothing was changed.\n"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to postgresql://app:s3cret@db/app now", "to postgresql://app:***@db/app now"),
        ("postgres://:s3cret@db", "postgres://:***@db"),
        ("postgresql+psycopg2://a:s3@cret@db", "postgresql+psycopg2://a:***@db"),
        ("postgresql://app@db/app", "postgresql://app@db/app"),
        ("http://example.com:80/x", "http://example.com:80/x"),
    ],
)
def test_the_password_of_a_url_is_never_shown(capsys: pytest.CaptureFixture[str], text: str, shown: str) -> None:
    console.say(text)

    assert capsys.readouterr().out == shown + "\n"


def test_what_a_name_brings_along_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("red \x1b[31m bell \x07 back \r over\nnext\tline")

    assert capsys.readouterr().out == "red \ufffd[31m bell \ufffd back \ufffd over\nnext\tline\n"


def test_nobody_is_asked_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))

    assert console.ask("Sure?") == ""


def test_facts_stand_in_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    console.facts([("Runtime", "docker"), ("Head", "ab12")])

    assert capsys.readouterr().out == "Runtime  docker\nHead     ab12\n"


def test_what_is_printed_is_kept_in_the_log_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path))

    with console.kept("migrate"):
        console.say("to postgresql://app:s3cret@db/app")
        console.fail(UserError("It broke."))

    (log,) = tmp_path.iterdir()
    assert f"-migrate-{os.getpid()}.log" in log.name
    assert log.read_text() == "to postgresql://app:***@db/app\n✗ It broke.\n  State: nothing was changed.\n"


def test_a_log_folder_that_is_not_there_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "missing"))

    with console.kept("migrate"):
        console.say("on it goes")

    captured = capsys.readouterr()
    assert captured.out == "on it goes\n"
    assert "no log is kept" in captured.err


def test_a_bar_is_drawn_on_a_terminal_and_wiped_by_what_is_printed_next() -> None:
    ours, theirs = pty.openpty()
    program = "from scripts.core import console; console.bar(50, 200); console.warn('done')"

    subprocess.run([sys.executable, "-c", program], stderr=theirs, cwd=ROOT, check=True)

    os.close(theirs)
    drawn, wiped, _ = os.read(ours, 65536).decode().partition("\r\x1b[K\x1b[33m! done")
    assert drawn == "\r\x1b[K[#######                       ]  25% of 200 rows"
    assert wiped


def test_without_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    console.bar(1, 2)

    assert capsys.readouterr() == ("", "")
