"""scripts/core/messages.py"""

import logging
from contextlib import suppress

import pytest

from scripts.core import messages


def test_without_a_verb_alembics_log_has_the_messages(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "alembic")

    messages.send("100% of it waits")
    messages.progress(1, 2, "rows")

    assert caplog.record_tuples == [("alembic.runner", logging.INFO, "100% of it waits")]


def test_a_block_has_its_own_receivers_and_what_was_there_before_comes_back() -> None:
    outer: list[object] = []
    inner: list[object] = []

    with messages.sent_to(outer.append, lambda *progress: outer.append(progress)):
        with suppress(ZeroDivisionError), messages.sent_to(inner.append):
            messages.send("one")
            messages.progress(1, 2, "rows")
            raise ZeroDivisionError
        with messages.sent_to(messages.nowhere):
            messages.send("two")
        messages.send("three")

    assert inner == ["one"]
    assert outer == [(1, 2, "rows"), "three"]
