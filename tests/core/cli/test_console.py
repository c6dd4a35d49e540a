"""scripts/core/cli/console.py"""

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from scripts.core.cli import console
from scripts.core.errors import UserError
from tests.conftest import ROOT
from tests.core.terminal import screen

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

    with console.logged("migrate"):
        console.say("to postgresql://app:s3cret@db/app")
        console.fail(UserError("It broke."))

    (log,) = tmp_path.iterdir()
    assert f"-migrate-{os.getpid()}.log" in log.name
    assert log.read_text() == "to postgresql://app:***@db/app\n✗ It broke.\n  State: nothing was changed.\n"


def test_a_log_folder_that_is_not_there_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "missing"))

    with console.logged("migrate"):
        console.say("on it goes")

    captured = capsys.readouterr()
    assert captured.out == "on it goes\n"
    assert "no log is kept" in captured.err


def run_on_terminal(program: str, columns: int = 80, rows: int = 24) -> str:
    """What a program has printed on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    words = [sys.executable, "-c", f"import os, time; from scripts.core import console; {program}"]
    # Pytest's readline puts the size of another terminal into the environment.
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    subprocess.run(words, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment, check=True)
    os.close(theirs)
    printed = b""
    with suppress(OSError):  # at the end
        while part := os.read(ours, 65536):
            printed += part
    os.close(ours)
    return printed.decode()


def test_a_bar_is_drawn_on_a_terminal_and_wiped_by_what_is_printed_next() -> None:
    draw = "console.bar(50, 200, 'rows')"

    assert screen(run_on_terminal(draw)) == ["[#######                       ]  25% of 200 rows", ""]
    assert screen(run_on_terminal(f"{draw}; console.warn('done')")) == ["! done", ""]


def test_without_a_terminal_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    console.bar(1, 2, "rows")
    with console.below(lambda: [("waits", "")]):
        console.say("done")

    assert capsys.readouterr() == ("done\n", "")


def test_what_is_below_stays_below_all_that_is_printed_and_is_gone_at_the_end() -> None:
    program = (
        "lines = [('first', 'bold'), ('second', '')]; below = console.below(lambda: lines); below.__enter__();"
        "console.warn('one'); console.say('two'); {}; below.__exit__(None, None, None); console.say('three')"
    )

    assert screen(run_on_terminal(program.format("os._exit(0)"))) == ["! one", "two", "first", "second", ""]
    assert screen(run_on_terminal(program.format("lines.pop()"))) == ["! one", "two", "three", ""]


def test_what_is_below_is_drawn_anew_though_nothing_is_printed() -> None:
    program = (
        "clock = console.clock(); clock.__enter__(); lines = []; below = console.below(lambda: lines);"
        "below.__enter__(); lines.append(('now', '')); time.sleep(0.5); os._exit(0)"
    )

    assert screen(run_on_terminal(program)) == ["now", ""]


@pytest.mark.parametrize(
    ("columns", "rows", "shown"), [(5, 24, ["0123", "abcd", "."]), (80, 3, ["0123456789", "abcdefgh"])]
)
def test_what_is_below_is_cut_where_the_terminal_ends(columns: int, rows: int, shown: list[str]) -> None:
    program = (
        "below = console.below(lambda: [('0123456789', ''), ('abcdefgh', ''), ('.', '')]); below.__enter__();"
        "console.say('one'); os._exit(0)"
    )

    assert screen(run_on_terminal(program, columns, rows)) == ["one", *shown, ""]
