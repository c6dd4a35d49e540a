"""Errors that the user can correct."""

from typing import Self

from alembic.util import CommandError

from scripts.core.formatting import message

DONE, NO, USAGE, BUG, INTERRUPTED = 0, 1, 2, 3, 130


class UserError(CommandError):
    """A refusal or an error outside this code, in four parts: what happened, why, what to do, and which state is left.

    It is a CommandError of Alembic too, so that `alembic` typed by hand prints it instead of a traceback.
    """

    check = ""
    """The check of `make doctor` that finds this too."""

    def __init__(
        self,
        problem: str,
        *,
        why: str = "",
        do: str = "",
        state: str = "nothing was changed.",
        code: int = NO,
        check: str = "",
    ) -> None:
        self.problem = problem
        self.check = check or self.check
        self.facts = [(name, fact) for name, fact in (("Why", why), ("Do", do), ("State", state)) if fact]
        self.code = code
        super().__init__("\n".join(self.lines()))

    def __str__(self) -> str:
        return "\n".join(self.lines())  # those of `args` are of another error once it was sent to another process

    def with_state(self, state: str) -> Self:
        """Return the same error with the state that it really left."""
        return self._with({"State": state})

    def with_override(self, refusal: str) -> Self:
        """Return the same error with the words that override it."""
        do = dict(self.facts).get("Do", "").removesuffix(".")
        return self._with({"Do": f"{do}. Override with ACCEPT={refusal}.".removeprefix(". ")})

    def _with(self, other: dict[str, str]) -> Self:
        facts = dict(self.facts) | other
        why, do, state = (facts.get(name, "") for name in ("Why", "Do", "State"))
        return type(self)(self.problem, why=why, do=do, state=state, code=self.code, check=self.check)

    def lines(self) -> list[str]:
        """Return the problem, and a line for each of the other parts."""
        more = [("More", f"make doctor; {self.check} in docs/troubleshooting.md")] if self.check else []
        return [
            message(one) for one in [self.problem, *(f"  {name + ':':<7}{fact}" for name, fact in self.facts + more)]
        ]


class HalfDoneError(KeyboardInterrupt):
    """A revision was interrupted after it had committed a part of its work. `state` says what is committed."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class UnnamedError(UserError):
    """A revision makes an object without a name, and the application's naming convention is not known."""


class PasswordError(UserError):
    """The server refuses the password."""

    check = "passwords"


class NoRoomError(UserError):
    """The scratch server is full."""


class LateError(UserError):
    """The user's code did not finish in time."""


class DatabaseMissingError(UserError):
    """The server has no database of that name."""

    check = "database"
