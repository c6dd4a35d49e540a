"""What a check says. A check returns a line if all is well, and raises UserError if something is wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from scripts.core import redaction
from scripts.core.errors import UserError
from scripts.core.formatting import one_line

T = TypeVar("T")

WELL, WRONG, NOT_CHECKED = "well", "wrong", "not checked"
"""States. Programs may rely on these words."""


class NotCheckedError(Exception):
    """A check cannot be made. The text says why."""


@dataclass(frozen=True)
class Diagnosis:
    id: str
    state: str
    line: str
    cure: str = ""
    """A command, or what you have to do."""


@dataclass(frozen=True)
class Fact(Generic[T]):
    """Something that several checks need, or why it is not known."""

    value: T | None
    error: Exception | None = None

    def require(self) -> T:
        """Return the value. Raise why it is not known, as the check that is about it does."""
        if self.error:
            raise self.error
        return self.value  # type: ignore[return-value]

    def known(self) -> T:
        """Return the value. Raise NotCheckedError if it is not known: another check says why."""
        if self.error and not isinstance(self.error, NotCheckedError):
            first = text_of(self.error).partition("\n")[0].partition(". ")[0]
            raise NotCheckedError(f"{first.rstrip('.:')}.") from self.error
        return self.require()


def fact(find: Callable[[], T]) -> Fact[T]:
    """Return what the function finds, or its error."""
    try:
        return Fact(find())
    except Exception as error:
        return Fact(None, error)


def diagnosed(name: str, check: Callable[[], str]) -> Diagnosis:
    """Return what a check says, whatever it raises."""
    try:
        return Diagnosis(name, WELL, _short(check()))
    except NotCheckedError as error:
        return Diagnosis(name, NOT_CHECKED, _short(str(error)))
    except UserError as error:
        return Diagnosis(name, WRONG, _short(error.problem), _short(dict(error.facts).get("Do", "")))
    except CommandError as error:
        return Diagnosis(name, WRONG, _short(str(error)), "correct what the message names")
    except DBAPIError as error:
        return Diagnosis(name, NOT_CHECKED, _short(text_of(error)))
    except Exception as error:
        return Diagnosis(name, WRONG, _short(text_of(error)), "correct what it names, or report it as a bug")


def text_of(error: Exception) -> str:
    """Return the words of an error, without contents of rows."""
    if isinstance(error, UserError):
        return error.problem
    if isinstance(error, NotCheckedError):
        return str(error)
    if isinstance(error, DBAPIError):
        return f"PostgreSQL: {redaction.message(error)}"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return f"The check ended with {type(error).__name__}."


def _short(text: str) -> str:
    text = re.sub(r"\n +", "; ", re.sub(r":\n +", ": ", text))
    return one_line(" ".join(text.split()))
