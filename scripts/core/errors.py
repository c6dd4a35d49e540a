"""What goes wrong in a way that a person can mend."""

from typing import Self

from alembic.util import CommandError

DONE, NO, USAGE, BUG, INTERRUPTED = 0, 1, 2, 3, 130


class UserError(CommandError):
    """A refusal or a fault outside this code, in four facts: what happened, why, what to do, what state was left.

    It is Alembic's own kind of error too, so that `alembic` typed by hand prints it instead of a traceback.
    """

    def __init__(
        self, problem: str, *, why: str = "", do: str = "", state: str = "nothing was changed.", code: int = NO
    ) -> None:
        self.problem = problem
        self.facts = [(name, fact) for name, fact in (("Why", why), ("Do", do), ("State", state)) if fact]
        self.code = code
        super().__init__("\n".join(self.lines()))

    def with_state(self, state: str) -> Self:
        """Return the same error with what it really left."""
        facts = dict(self.facts)
        return type(self)(self.problem, why=facts.get("Why", ""), do=facts.get("Do", ""), state=state, code=self.code)

    def lines(self) -> list[str]:
        """The problem, then a line for each further fact."""
        return [self.problem, *(f"  {name + ':':<7}{fact}" for name, fact in self.facts)]


class HalfDoneError(KeyboardInterrupt):
    """An interruption of a revision that had committed a part of itself; `state` says what stays."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class PasswordError(UserError):
    """The server answers, but takes another password."""


class LateError(UserError):
    """The user's code was not done in time."""


class DatabaseMissingError(UserError):
    """The server answers, but has no database of that name."""
