"""What the file alone tells, and whether another way is better"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from alembic.script import Script
from sqlalchemy import Connection

from scripts.core.errors import UserError
from scripts.core.migrate import alembic_commands
from scripts.core.postgres import connections
from scripts.core.revisions import history
from scripts.core.rollback import reversible
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Settings
from tests.conftest import Project
from tests.core.running import run

Written = Callable[..., Script]
WORK = "op.execute('SELECT 1')"


@pytest.fixture
def written(project: Project, revisions: list[str], monkeypatch: pytest.MonkeyPatch) -> Written:
    """Makes a revision whose upgrade and downgrade are one line of code; `head` stands for `def downgrade`."""
    monkeypatch.setattr("scripts.core.revision_files.ROOT", project.path)

    def write(downgrade: str, upgrade: str = WORK, head: str = "def downgrade") -> Script:
        path = project.write_revision("abcd01", revisions[-1], upgrade, downgrade)
        path.write_text(path.read_text().replace("def downgrade", head))
        return history.script(history.load(), "abcd01")

    return write


@pytest.mark.parametrize(
    "downgrade",
    [
        'raise NotImplementedError("rows were merged")',
        "raise NotImplementedError",
        f"{WORK}; raise NotImplementedError()",
        'raise NotImplementedError("no") from None',
    ],
)
def test_one_that_raises_not_implemented_error_cannot_be_undone(written: Written, downgrade: str) -> None:
    with pytest.raises(UserError, match=r"^alembic/versions/abcd01\.py, line 16: raise NotImplementedError") as caught:
        reversible.require(written(downgrade))

    assert dict(caught.value.facts)["State"] == "nothing was changed."
    assert "make revision EMPTY=1" in dict(caught.value.facts)["Do"]


@pytest.mark.parametrize("downgrade", ["pass", "...", '"""Nothing."""', "return", "return None"])
def test_one_that_does_nothing_is_recognised(written: Written, downgrade: str) -> None:
    assert reversible._is_idle(written(downgrade))


def test_one_that_is_missing_is_one_that_does_nothing(written: Written) -> None:
    assert reversible._is_idle(written(WORK, head="def other"))


@pytest.mark.parametrize(
    ("downgrade", "upgrade"),
    [
        (WORK, WORK),
        (WORK, "pass"),
        ("pass", "pass"),
        ("raise ValueError", WORK),
        ("if not op: raise NotImplementedError", WORK),
        ("def later(): raise NotImplementedError", WORK),
    ],
)
def test_any_other_may_be_tried(written: Written, downgrade: str, upgrade: str) -> None:
    script = written(downgrade, upgrade)

    reversible.require(script)
    assert not reversible._is_idle(script)


def test_one_that_is_imported_may_be_tried(written: Written) -> None:
    assert not reversible._is_idle(written("pass", head="from os import sync as downgrade\n\n\ndef other"))


LOSSES = Loss("users", None, "rows", 0)


@pytest.fixture
def applied(target: Settings, revisions: list[str]) -> Iterator[Connection]:
    """A session on a database at the first revision, which was just applied."""
    alembic_commands.upgrade(target, revisions[0], lambda _: None)
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        yield connection


def write(connection: Connection) -> None:
    run(connection, "INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com'); DELETE FROM users")
    run(connection, "SELECT pg_stat_force_next_flush()")


def age(connection: Connection, hours: int) -> None:
    run(connection, f"UPDATE migration_log SET started_at = now() - interval '{hours} hours'")


def is_better(connection: Connection, environment: str = "development", losses: Loss = LOSSES) -> bool:
    revisions = history.load()
    undone = [history.script(revisions, found) for found in history.current(connection)]
    return reversible.forward_is_better(connection, environment, undone, [losses])


def test_a_new_revision_is_better_outside_development(applied: Connection) -> None:
    assert not is_better(applied)
    assert is_better(applied, "staging")
    assert is_better(applied, "production")


def test_a_new_revision_is_better_where_something_is_lost(applied: Connection) -> None:
    assert is_better(applied, losses=replace(LOSSES, count=1))


@pytest.mark.parametrize(("hours", "written", "better"), [(23, True, False), (25, True, True), (25, False, False)])
def test_a_new_revision_is_better_where_what_is_older_than_a_day_was_in_use(
    applied: Connection, hours: int, written: bool, better: bool
) -> None:
    if written:
        write(applied)
    age(applied, hours)

    assert is_better(applied) is better


def test_what_was_undone_and_applied_again_is_new(applied: Connection, target: Settings, revisions: list[str]) -> None:
    age(applied, 99)
    alembic_commands.downgrade(target, "base", [], lambda _: None)
    alembic_commands.upgrade(target, revisions[0], lambda _: None)
    write(applied)

    assert not is_better(applied)


def test_the_age_of_what_stays_says_nothing(applied: Connection, target: Settings, revisions: list[str]) -> None:
    age(applied, 99)
    alembic_commands.upgrade(target, revisions[1], lambda _: None)
    write(applied)

    assert not is_better(applied)


def test_without_a_log_nothing_is_known_to_be_old(applied: Connection) -> None:
    write(applied)
    run(applied, "DROP TABLE migration_log")

    assert not is_better(applied)
