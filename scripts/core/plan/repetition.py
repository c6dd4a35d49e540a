"""Statements of one form that one line executes again and again, as in a loop over rows.

A few of them are looked at in full. If these changed no object and took no new lock, the others are counted and timed.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

LOOKS = 3
"""How many statements of a form are looked at in full."""
_LITERALS = re.compile(r"'(?:[^']|'')*'|(?<![\w$])\d+(?:\.\d+)?\b")

Form = tuple[Hashable, str]
"""Where statements are executed, and their text without literals."""


class Counted(Protocol):
    """The part of a trace's statement that is used here."""

    alone: bool
    seconds: float
    executions: int
    locks: list[dict[str, str]]
    rewrites: list[str]
    changes: list[Any]


T = TypeVar("T", bound=Counted)


def form(place: Hashable, sql: str) -> Form:
    """Return the form of a statement that is executed at a place."""
    return place, _LITERALS.sub("?", sql)


@dataclass
class Repeated(Generic[T]):
    """The forms that one session has executed."""

    looks: dict[Form, int] = field(default_factory=dict)
    last: dict[Form, T] = field(default_factory=dict)
    """The newest statement of each form, if it was the last one to look at."""
    counted: T | None = None
    """The last statement that was counted since the last look."""

    def find(self, form: Form) -> T | None:
        """Return the statement that stands for all of a form, or None if the next one has to be looked at."""
        return self.last.get(form)

    def looked(self, statement: T, form: Form) -> None:
        """Note a statement that was looked at. A transaction of its own takes its locks each time."""
        self.looks[form] = self.looks.get(form, 0) + 1
        is_quiet = not statement.changes and not statement.rewrites and (statement.alone or not statement.locks)
        if self.looks[form] >= LOOKS and is_quiet:
            self.last[form] = statement

    def count(self, statement: T, seconds: float) -> None:
        """Add one more execution to the statement."""
        statement.executions += 1
        statement.seconds += seconds
        self.counted = statement
