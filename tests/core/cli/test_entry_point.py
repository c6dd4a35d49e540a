"""scripts/core/cli/entry_point.py"""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from alembic.util import CommandError
from sqlalchemy.exc import OperationalError, ProgrammingError

from scripts.core.cli import console, entry_point
from scripts.core.errors import BUG, DONE, INTERRUPTED, NO, USAGE, UserError
from tests.conftest import ROOT, copy_project, not_copied
from tests.core.running import wait_until

SCRIPTS = ROOT / "scripts"


@pytest.fixture(autouse=True)
def keep_signal_handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def raising(error: BaseException) -> entry_point.Main:
    def main(_: Sequence[str] | None) -> int:
        raise error

    return main


SQL = "SELECT 'row content'"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("No.", why="So.", do="this"), NO, "✗ No.\n  Why:   So.\n  Do:    this\n  State: nothing was"),
        (UserError("How?", code=USAGE), USAGE, "✗ How?"),
        (CommandError("No such thing"), NO, "✗ Alembic: No such thing"),
        (OperationalError(SQL, {}, Exception("gone away\nLINE 1: x")), NO, "✗ PostgreSQL: gone away\n"),
        (ProgrammingError(SQL, {}, Exception("no table")), NO, "✗ PostgreSQL: no table\n"),
        (KeyboardInterrupt(), INTERRUPTED, "✗ Interrupted."),
    ],
)
def test_a_known_fault_has_its_words_and_code_and_no_traceback(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    assert entry_point.run(raising(error), []) == code

    captured = capsys.readouterr()
    assert captured.err.startswith(words)
    assert "Traceback" not in captured.err
    assert "row content" not in captured.err
    assert captured.out == ""


def test_a_bug_of_ours_says_so_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry_point.run(raising(ZeroDivisionError("oops")), []) == BUG

    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "ZeroDivisionError: oops" in said
    assert "✗ This is a bug in the scripts: ZeroDivisionError." in said
    assert "Do:    report it with the lines above" in said


def test_what_a_script_returns_is_the_exit_code() -> None:
    assert entry_point.run(lambda _: DONE, []) == DONE
    assert entry_point.run(lambda _: NO, []) == NO


def test_a_wrong_argument_is_wrong_usage() -> None:
    def main(argv: Sequence[str] | None) -> int:
        entry_point.parser("Doc.", "scripts.thing").parse_args(argv)
        return DONE

    with pytest.raises(SystemExit) as caught:
        entry_point.run(main, ["--nonsense"])

    assert caught.value.code == USAGE


def test_terminate_interrupts(capsys: pytest.CaptureFixture[str]) -> None:
    def main(_: Sequence[str] | None) -> int:
        signal.raise_signal(signal.SIGTERM)
        return DONE

    assert entry_point.run(main, []) == INTERRUPTED
    assert "run this again" in capsys.readouterr().err


def test_a_terminal_without_our_signs_gets_others_instead_of_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    written = BytesIO()
    monkeypatch.setattr("sys.stdout", TextIOWrapper(written, encoding="ascii"))

    def main(_: Sequence[str] | None) -> int:
        console.done("größer")
        return DONE

    assert entry_point.run(main, []) == DONE
    assert written.getvalue() == b"+ gr??er\n"


# Who runs the tests in the background has it ignored, and so would have those whom he starts.
BEGIN = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "scripts.status"])
"""


def test_an_interruption_in_the_midst_of_the_imports_shows_no_traceback(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    core = project / "scripts" / "core"
    source = core.resolve()
    core.unlink()
    shutil.copytree(source, core)
    here = project / "here"
    (core / "settings.py").write_text(f"import pathlib, time; pathlib.Path({str(here)!r}).touch(); time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", BEGIN], cwd=project, stderr=subprocess.PIPE) as process:
        wait_until(here.exists)

        process.send_signal(signal.SIGINT)

        assert process.communicate(timeout=20)[1] == b""
    assert process.returncode == -signal.SIGINT


def test_help_needs_no_settings_and_is_the_docstring_of_the_script(tmp_path: Path) -> None:
    verbs = {path.stem: ast.get_docstring(ast.parse(path.read_text())) for path in SCRIPTS.glob("[a-z]*.py")}
    shutil.copytree(ROOT, tmp_path / "project", ignore=not_copied)

    result = subprocess.run(
        [sys.executable, "-c", SHOW_HELP, *verbs],
        cwd=tmp_path / "project",
        env={"PATH": os.environ["PATH"], "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    shown = json.loads(result.stdout)
    assert len(shown) == len(verbs) > 9
    for verb, doc in verbs.items():
        assert doc
        assert doc in shown[verb], verb
        assert f"usage: python -m scripts.{verb}" in shown[verb]


# Each script as its own program, but in one process: a dozen starts of Python take longer than all of this.
SHOW_HELP = """
import contextlib, io, json, runpy, sys
shown = {}
for verb in sys.argv[1:]:
    sys.argv = [verb, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            runpy.run_module(f"scripts.{verb}", run_name="__main__")
        except SystemExit as ended:
            assert ended.code == 0, verb
    shown[verb] = printed.getvalue()
print(json.dumps(shown))
"""
