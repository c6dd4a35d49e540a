"""scripts/core/losses.py: what goes is found by trying, and counted where it is"""

from collections.abc import Callable

import pytest

from scripts.core import history
from scripts.core.errors import UserError
from scripts.core.history import History
from scripts.core.losses import Loss, find
from scripts.core.settings import Settings
from tests.conftest import Project
from tests.core.running import run, session


@pytest.fixture
def undo(
    project: Project, target: Settings, revisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[Loss]]:
    """Finds what the downgrade would lose of a database that the statements have made."""
    monkeypatch.setattr("scripts.core.history.ROOT", project.path)
    monkeypatch.setattr("scripts.core.shadow.ROOT", project.path)

    def undo(downgrade: str, *statements: str) -> list[Loss]:
        project.write_revision("abcd01", None, downgrade=downgrade)
        for path in project.versions.glob("2*.py"):
            path.unlink()
        with session(target.database_url) as owner:
            run(owner, "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('abcd01')")
            for statement in statements:
                run(owner, statement)
            owner.commit()
        files: History = history.load()
        return find(target, files, ["abcd01"], "base", print)

    return undo


def execute(sql: str) -> str:
    return f"op.execute({sql!r})"


ROWS = "CREATE TABLE shop (id int, note text); INSERT INTO shop VALUES (1, 'a'), (2, NULL), (3, 'c')"


@pytest.mark.parametrize(
    ("downgrade", "lost"),
    [
        (execute("DROP TABLE shop"), [Loss("shop", None, 3)]),
        (execute("ALTER TABLE shop DROP COLUMN note"), [Loss("shop", "note", 2)]),
        (execute("DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'shop'; END $$"), [Loss("shop", None, 3)]),
        (execute("ALTER TABLE shop RENAME note TO remark; ALTER TABLE shop RENAME TO store"), []),
        (execute("ALTER TABLE shop ADD COLUMN more int; CREATE TABLE new ()"), []),
        (execute("DROP TABLE shop; CREATE TABLE shop (id int, note text)"), [Loss("shop", None, 3)]),
        ("pass", []),
    ],
)
def test_tables_and_columns_that_go_are_counted(
    undo: Callable[..., list[Loss]], downgrade: str, lost: list[Loss]
) -> None:
    assert undo(downgrade, ROWS) == lost


def test_names_are_quoted(undo: Callable[..., list[Loss]]) -> None:
    lost = undo(
        execute('ALTER TABLE "My ""Shop""" DROP COLUMN "100%"; DROP TABLE "My ""Shop""" CASCADE'),
        'CREATE TABLE "My ""Shop""" ("100%" int, id int)',
        'INSERT INTO "My ""Shop""" VALUES (1, 1)',
    )

    assert lost == [Loss('"My ""Shop"""', None, 1)]
    assert str(lost[0]) == '"My ""Shop""": 1 rows'


def test_a_downgrade_that_cannot_be_is_known_before(undo: Callable[..., list[Loss]]) -> None:
    with pytest.raises(UserError, match="NotImplementedError: merged") as caught:
        undo('raise NotImplementedError("merged")', ROWS)

    assert ("State", "it failed on a throwaway database; the target was only read.") in caught.value.facts


def test_a_table_that_somebody_locks_cannot_be_counted(
    undo: Callable[..., list[Loss]], project: Project, target: Settings
) -> None:
    undo("pass", ROWS)
    project.write_revision("abcd01", None, execute("CREATE TABLE shop (id int)"), execute("DROP TABLE shop"))
    with session(target.database_url) as owner:
        run(owner, "LOCK TABLE shop")
        with pytest.raises(UserError, match="Cannot count what would be lost in shop: canceling statement due to lock"):
            find(target, history.load(), ["abcd01"], "base", print)
