"""scripts/core/verification/progress_table.py"""

import sys

import pytest

from scripts.core.verification.context import Result
from scripts.core.verification.progress_table import Unfinished, finished

RESULT = Result("source", "backup", "warned", 0.25, "app-20261125T044907Z is old", ["The database is elsewhere."])


def test_the_gate_that_runs_tells_how_far_it_is_and_the_others_wait() -> None:
    gates = Unfinished(["backup", "restore", "before"])
    gates.show(30, 60, "rows")
    running, *waiting = gates.rows()
    gates.next()
    after = gates.rows()

    assert (running.text.split(), running.progress) == (["backup", "running", "0", "s"], (30, 60, "rows"))
    assert [row.text.split() for row in waiting] == [["·", "restore", "waits"], ["·", "before", "waits"]]
    assert [row.text.split() for row in after] == [["restore", "running", "0", "s"], ["·", "before", "waits"]]
    assert [row.is_running for row in after] == [True, False]
    assert after[0].progress is None


def test_nothing_is_below_when_every_gate_is_finished() -> None:
    gates = Unfinished(["backup"])
    gates.next()

    assert gates.rows() == []


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            100,
            ["! backup       warned         250 ms  app-20261125T044907Z is old", "      The database is elsewhere."],
        ),
        (
            62,
            [
                "! backup       warned         250 ms  app-20261125T044907Z is",
                "      old",
                "      The database is elsewhere.",
            ],
        ),
        (
            30,
            [
                "! backup       warned",
                "      250 ms",
                "      app-20261125T044907Z is",
                "      old",
                "      The database is",
                "      elsewhere.",
            ],
        ),
    ],
    ids=["wide", "narrow", "narrower than a row"],
)
def test_words_are_not_broken_where_a_terminal_ends(columns: int, lines: list[str]) -> None:
    assert [line for line, _ in finished(RESULT, columns)] == lines


def test_where_nothing_ends_the_lines_are_as_they_were() -> None:
    result = Result(
        "restore", "restore", "failed", 1.0, "It is not:\n    table a\tb", ["one " * 100 + "end", "a\n::error::b"]
    )

    assert [line for line, _ in finished(result, sys.maxsize)] == [
        "✗ restore      failed          1.0 s  It is not:",
        "    table a\tb",
        "      " + "one " * 100 + "end",
        "      a\\n::error::b",
    ]
