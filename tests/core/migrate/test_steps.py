"""A retry goes on where the database is, and what is said to be done is done"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.core.errors import UserError
from scripts.core.migrate.steps import Commit, Step, Steps
from tests.conftest import Project
from tests.core.running import call

UPGRADE, PURGE = SimpleNamespace(purge=False), SimpleNamespace(purge=True)
EARLY = """
from sqlalchemy import Engine, event

@event.listens_for(Engine, "engine_connect")
def early(connection):
    connection.exec_driver_sql("SELECT 1")

runner.run("""


@dataclass
class Fake:
    """A step as Alembic makes them, to the version `to`."""

    to: str
    is_upgrade: bool = True
    is_stamp: bool = False
    up_revision: object = None

    @property
    def info(self) -> "Fake":
        return self

    @property
    def up_revision_id(self) -> str:
        return self.to


def three() -> Steps:
    return Steps([Fake("a"), Fake("b"), Fake("c")], [])


def follow(steps: Steps, at: Sequence[str], until: str = "", command: Any = UPGRADE) -> list[str]:
    """The versions of the steps that are run from `at` on; the one `until` is begun and fails."""
    ran = []
    for step in steps.left(at, command):
        assert steps.running == step.info
        if step.to == until:
            break
        ran.append(step.to)
        steps.applied({step.to}, 0.5)
    return ran


def test_a_step_is_told_of_when_alembic_asks_for_the_next_because_it_has_committed_then() -> None:
    messages: list[Step] = []
    steps = Steps([Fake("a"), Fake("b", is_upgrade=False), Fake("c", is_stamp=True)], [], messages.append)
    running = steps.left([], UPGRADE)  # type: ignore[arg-type]

    next(running)
    steps.applied({"a"}, 0.5)
    assert not messages
    next(running)
    assert messages == [Step("a", True, 0.5)]
    steps.applied({"b"}, 0.25)
    next(running)
    assert messages[1:] == [Step("b", False, 0.25)]


def test_every_step_is_run_and_the_goal_is_the_version_of_the_last() -> None:
    steps = three()

    assert follow(steps, []) == ["a", "b", "c"]
    assert steps.goal == {"c"}
    assert len(steps) == 3


def test_a_retry_goes_on_where_the_database_is() -> None:
    steps = three()

    assert follow(steps, [], until="c") == ["a", "b"]
    assert follow(steps, ["b"]) == ["c"]
    assert steps.goal == {"c"}


def test_a_step_whose_commit_did_not_come_about_is_run_again() -> None:
    steps = three()
    assert follow(steps, [], until="c") == ["a", "b"]

    assert follow(steps, ["a"]) == ["b", "c"]
    assert follow(steps, ["c"]) == []
    assert steps.goal == {"c"}


def test_a_database_that_is_elsewhere_is_left_alone() -> None:
    steps = three()
    follow(steps, [], until="b")

    with pytest.raises(UserError, match="The database is at x, y now, which is no step of this command"):
        follow(steps, ["y", "x"])


def test_a_stamp_that_forgets_the_version_begins_anew() -> None:
    steps = Steps([Fake("a", is_stamp=True)], ["lost"])

    assert steps.command == "stamp"
    assert follow(steps, ["lost"], until="a", command=PURGE) == []
    assert follow(steps, ["lost"], command=PURGE) == ["a"]
    assert steps.goal == {"a"}


def test_what_a_step_committed_is_forgotten_when_it_is_run_again() -> None:
    steps = three()
    follow(steps, [], until="b")
    steps.committed(Commit(12, block=False, statement=True))
    assert steps.committed_within == steps.commits["b"]

    follow(steps, ["a"], until="c")
    assert not steps.committed_within
    assert not steps.commits


@pytest.mark.parametrize(
    ("steps", "name"),
    [(Fake("a"), "upgrade"), (Fake("a", is_upgrade=False), "downgrade"), (Fake("a", is_stamp=True), "stamp")],
)
def test_the_command_is_named(steps: Fake, name: str) -> None:
    assert Steps([steps], []).command == name


@pytest.mark.parametrize(("verb", "words"), [("migrate", []), ("alembic", ["upgrade", "head"])])
def test_a_statement_before_alembics_own_transaction_is_noticed(
    empty_project: Project, verb: str, words: list[str]
) -> None:
    """Alembic takes the open transaction for its caller's: it runs everything, exits 0 and commits nothing."""
    env = empty_project.path / "alembic" / "env.py"
    env.write_text(env.read_text().replace("\nrunner.run(", EARLY))

    result = call(empty_project, verb, *words)

    assert result.returncode == 1
    assert "✓" not in result.stdout
    assert "a new connection reads base." in result.stderr
    assert "remove SQL that runs before context.configure() in alembic/env.py" in result.stderr
    assert empty_project.sql("SELECT to_regclass('users')::text") == [(None,)]
