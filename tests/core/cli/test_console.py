"""scripts/core/cli/console.py and terminal.py"""

import io
import locale
import os
import re
import textwrap
from pathlib import Path

import pytest

from scripts.core.cli import console
from scripts.core.cli.row import Row
from scripts.core.errors import UserError
from tests.conftest import ROOT
from tests.core.terminal import Terminal, screen

GREEN, BOLD = "\x1b[32m", "\x1b[1m"
BEGIN = """
import os, sys, threading, time
from scripts.core.cli import console
from scripts.core.cli.row import Row
"""


def begin(program: str, columns: int = 80, rows: int = 24, **environment: str) -> Terminal:
    """Run a program on a terminal."""
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    return Terminal(["-c", BEGIN + textwrap.dedent(program)], ROOT, variables, columns, rows)


def printed(program: str, columns: int = 80, rows: int = 24, **environment: str) -> str:
    """Return all that a program prints on a terminal."""
    terminal = begin(program, columns, rows, **environment)
    assert terminal.end() == 0, terminal.lines
    return terminal.printed


# Lines


def test_a_terminal_gets_colours_and_no_color_is_honoured() -> None:
    assert GREEN in printed("console.done('It is done.')")
    assert GREEN not in printed("console.done('It is done.')", NO_COLOR="1")


def test_a_terminal_that_can_only_print_gets_no_escape_codes() -> None:
    program = """
        with console.live(), console.below(lambda: [Row("waits", is_running=True)]):
            console.done("It is done.")
            console.bar(1, 2, "rows")
    """

    assert printed(program, TERM="dumb") == "✓ It is done.\r\n"


def test_a_pipe_gets_no_escape_codes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    console.done("It is done.")
    console.say("A title", "bold")
    console.warn("Beware.")
    console.fail(UserError("It broke.", why="It was old.", do="make it new"))

    captured = capsys.readouterr()
    assert captured.out == "✓ It is done.\nA title\n"
    assert captured.err == (
        "! Beware.\n✗ It broke.\n  Why:   It was old.\n  Do:    make it new\n  State: nothing was changed.\n"
    )


LITERAL = "the table [bold]x[/bold] [link=http://a] :smile: [/] 'text' 12 \\[red] " + "word " * 30 + "end"


def test_text_is_no_markup_and_is_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(LITERAL)

    assert capsys.readouterr().out == LITERAL + "\n"
    assert printed(f"console.say({LITERAL!r})", columns=20) == LITERAL + "\r\n"


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


HOSTILE = "red \x1b[31m bell \x07 back \r over \x9b2J\n::error::next\n    ::error::line\n    \u202eours"
CLEAN = "red \ufffd[31m bell \ufffd back \ufffd over \ufffd2J\\n::error::next\\n    ::error::"


def test_what_a_name_brings_along_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(HOSTILE)

    assert capsys.readouterr().out == f"{CLEAN}line\n    \ufffdours\n"
    shown = f"{CLEAN}line\r\n    \ufffdours"
    assert printed(f"console.say({HOSTILE!r})") == shown + "\r\n"
    assert screen(printed(f"with console.live(): console.warn({HOSTILE!r})")) == f"! {shown}\r\n".split("\r\n")
    rows = f"with console.live(), console.below(lambda: [Row({HOSTILE!r})]): os._exit(0)"
    assert screen(printed(rows))[0].startswith("red \ufffd[31m bell")


def test_an_encoding_without_our_signs_gets_others() -> None:
    program = f"""
        for stream in sys.stdout, sys.stderr:
            stream.reconfigure(errors=console.PLAIN_SIGNS)
        with console.live():
            console.done("größer …")
            console.fail({UserError.__name__}("It broke."))
            with console.below(lambda: [Row("runs", is_running=True, progress=(1, 2, "rows"))]):
                os._exit(0)
    """

    lines = screen(
        printed("from scripts.core.errors import UserError\n" + textwrap.dedent(program), PYTHONIOENCODING="ascii")
    )

    assert lines[:3] == ["+ gr??er ...", "x It broke.", "  State: nothing was changed."]
    assert re.fullmatch(r"[-\\|/] runs -+ -+ 50% of 2 rows", lines[3])


def test_facts_stand_in_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    console.facts([("Runtime", "docker"), ("Head", "ab12")])

    assert capsys.readouterr().out == "Runtime  docker\nHead     ab12\n"


def test_a_reader_that_has_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)

        console.say("first")
        console.say("second")


# The log


def test_what_is_printed_is_copied_to_the_log_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path))

    with console.logged("migrate"):
        console.say("to postgresql://app:s3cret@db/app")
        console.fail(UserError("It broke."))

    with console.logged("psql"):
        pass

    (log,) = tmp_path.iterdir()
    assert f"-migrate-{os.getpid()}.log" in log.name
    assert log.read_text() == "to postgresql://app:***@db/app\n✗ It broke.\n  State: nothing was changed.\n"


def test_the_log_of_a_terminal_is_plain(tmp_path: Path) -> None:
    printed("with console.logged('migrate'), console.live(): console.done('It is done.')", LOG_DIR=str(tmp_path))

    (log,) = tmp_path.iterdir()
    assert log.read_text() == "✓ It is done.\n"


def test_the_log_is_utf_8_also_where_the_locale_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path))
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    try:
        with console.logged("migrate"):
            console.done("It is done.")
    finally:
        locale.setlocale(locale.LC_CTYPE, before)

    (log,) = tmp_path.iterdir()
    assert log.read_bytes() == "✓ It is done.\n".encode()


def test_a_log_folder_that_is_not_there_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "missing"))

    with console.logged("migrate"):
        console.say("on it goes")

    captured = capsys.readouterr()
    assert captured.out == "on it goes\n"
    assert "no log is kept" in captured.err


# Questions


def test_without_a_terminal_there_is_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))

    assert console.ask("Sure?") == ""


@pytest.mark.parametrize(("typed", "answer"), [("app\r", "app"), ("\x04", "")])
def test_a_question_stands_alone_below_what_was_printed(typed: str, answer: str) -> None:
    terminal = begin("""
        with console.live():
            console.bar(1, 2, "rows")
            console.say("[b]" + console.ask("Type [b]app[/b]:") + "[/b]")
    """)
    terminal.read_until(lambda: terminal.lines[-1].startswith("Type"))
    asked = terminal.lines
    terminal.write(typed)

    assert terminal.end() == 0
    assert asked == ["Type [b]app[/b]: "]
    assert terminal.lines == [f"Type [b]app[/b]: {answer}", f"[b]{answer}[/b]", ""]


# What is below


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(80, "━━━━             25% of 200 rows"), (24, "━━╸         25% of 200 r"), (12, "━     25% of")],
)
def test_a_bar_is_one_line_and_gone_when_something_is_printed(columns: int, shown: str) -> None:
    draw = "with console.live(): console.bar(50, 200, 'rows'); {} os._exit(0)"

    assert screen(printed(draw.format(""), columns, NO_COLOR="1")) == [shown, ""]
    assert screen(printed(draw.format("console.warn('done');"), columns)) == ["! done", ""]


def test_without_a_terminal_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with console.live(), console.below(lambda: [Row("waits")]):
        console.bar(1, 2, "rows")
        console.say("done")

    assert capsys.readouterr() == ("done\n", "")


def test_rows_stay_below_all_that_is_printed_and_are_gone_at_the_end() -> None:
    program = """
        rows = [Row("first", "bold"), Row("second [b]")]
        with console.live():
            with console.below(lambda: rows):
                console.warn("one")
                console.say("two")
                print("a revision prints this")
                print("and this", file=sys.stderr)
                {}
            console.say("three")
    """
    above = ["! one", "two", "a revision prints this", "and this"]

    assert screen(printed(program.format("os._exit(0)"))) == [*above, "first", "second [b]", ""]
    assert screen(printed(program.format("rows.pop()"))) == [*above, "three", ""]


def test_a_killed_program_leaves_the_cursor_visible_and_below_the_rows() -> None:
    terminal = begin("""
        rows = []
        with console.live(), console.below(lambda: rows):
            rows.append(Row("now"))
            time.sleep(60)
    """)
    terminal.read_until(lambda: "now" in terminal.lines)
    terminal.kill()

    # `screen` knows no code that hides the cursor.
    assert terminal.lines == ["now", ""]


def test_the_time_is_shown_when_nothing_was_printed_for_a_while() -> None:
    assert console.SILENCE == 2.0
    terminal = begin("""
        console.SILENCE = 0.3
        with console.live():
            console.say("one")
            time.sleep(60)
    """)
    terminal.read_until(lambda: re.search(r"one\n\S \d s\n$", "\n".join(terminal.lines)))
    terminal.kill()


@pytest.mark.parametrize(
    ("columns", "rows", "shown"),
    [(5, 24, ["01234", "東京", "."]), (80, 3, ["0123456789", "東京東京東京"]), (6, 2, ["012345"])],
)
def test_rows_are_cut_where_the_terminal_ends(columns: int, rows: int, shown: list[str]) -> None:
    program = """
        with console.live(), console.below(lambda: [Row("0123456789"), Row("東京東京東京"), Row(".")]):
            console.say("one")
            os._exit(0)
    """

    assert [line.rstrip() for line in screen(printed(program, columns, rows))] == ["one", *shown, ""]


def test_what_several_threads_print_and_draw_stays_whole() -> None:
    program = """
        console.TICK = 0.0005
        def work(number):
            for line in range(100):
                console.say(f"line {number} {line}")
                console.bar(line + 1, 100, "rows")
        with console.live():
            threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    """

    *lines, last = screen(printed(program))

    assert sorted(lines) == sorted(f"line {number} {line}" for number in range(4) for line in range(100))
    assert last == ""


def test_a_terminal_that_was_handed_over_is_left_alone() -> None:
    program = """
        console.SILENCE, console.TICK = 0, 0.001
        streams = sys.stdout, sys.stderr
        with console.live(), console.below(lambda: [Row("below")]):
            console.hand_over()
            assert (sys.stdout, sys.stderr) == streams
            time.sleep(0.05)
            print("from another program")
    """

    assert screen(printed(program)) == ["from another program", ""]


def test_a_child_that_is_forked_while_the_display_is_drawn_gets_no_lock_that_stays_taken() -> None:
    program = """
        import os, threading, time
        held, drawn = threading.Event(), threading.Event()
        def draw():
            with console._lock:
                held.set()
                drawn.wait(0.2)
        with console.live():
            threading.Thread(target=draw).start()
            held.wait()
            child = os.fork()
            if not child:
                free = []
                other = threading.Thread(target=lambda: free.append(console._lock.acquire(timeout=5)), daemon=True)
                other.start()
                other.join()
                os._exit(0 if free == [True] else 1)
            status = os.waitpid(child, 0)[1]
        raise SystemExit(os.waitstatus_to_exitcode(status))
    """
    terminal = begin(program)
    assert terminal.end() == 0, terminal.lines
