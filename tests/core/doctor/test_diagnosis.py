"""scripts/core/doctor/diagnosis.py"""

from collections.abc import Callable
from typing import NoReturn

import pytest

from scripts.core.doctor.diagnosis import NOT_CHECKED, WELL, WRONG, Diagnosis, NotCheckedError, diagnosed, fact
from scripts.core.errors import UserError


def raising(error: Exception) -> Callable[[], NoReturn]:
    def check() -> NoReturn:
        raise error

    return check


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (NotCheckedError("the server is down."), Diagnosis("x", NOT_CHECKED, "the server is down.")),
        (UserError("Wrong:\n    one\n    two", do="make up"), Diagnosis("x", WRONG, "Wrong: one; two", "make up")),
        (UserError("a\x1b[2Jb\tc"), Diagnosis("x", WRONG, "a\\x1b[2Jb c")),
    ],
)
def test_what_a_check_raises_becomes_a_line(error: Exception, found: Diagnosis) -> None:
    assert diagnosed("x", raising(error)) == found


@pytest.mark.parametrize("error", [ValueError("row 4711"), FileNotFoundError(2, "No such file", "/x"), RuntimeError()])
def test_an_error_that_nothing_expects_is_wrong_and_ends_nothing(error: Exception) -> None:
    found = diagnosed("x", raising(error))

    assert found.state == WRONG
    assert "4711" not in found.line


def test_a_check_that_needs_what_another_check_found_missing_says_which_sentence() -> None:
    missing = fact(raising(UserError("The settings are not right. Read from .env:\n    X is missing", do="correct it")))

    assert diagnosed("about", missing.require).state == WRONG
    assert diagnosed("other", missing.known) == Diagnosis("other", NOT_CHECKED, "The settings are not right.")
    assert diagnosed("well", lambda: str(fact(lambda: 1).known())) == Diagnosis("well", WELL, "1")
