"""scripts/core/revisions/migration_log.py"""

import hashlib
import json
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from scripts.core import revision_files, settings
from scripts.core.errors import UserError
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.alembic_commands import New
from scripts.core.migrate.request import ATTRIBUTE, AlembicRequest
from scripts.core.postgres import connections
from scripts.core.revisions import history, migration_log
from scripts.core.settings import Settings
from tests.conftest import Project
from tests.core.revisions.applying import downgrade, edited, execute, rows, stamp, upgrade
from tests.core.running import by_hand

Write = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("folder")


def test_each_step_has_a_row_with_everything_known_of_it(
    target: Settings, revisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "APP_VERSION": "1.2.3",
        "GIT_COMMIT": "c0ffee",
        "ACCEPT": "not_needed",
        "CONFIRM": "app",
    }.items():
        monkeypatch.setenv(name, value)
    target = replace(target, values=settings.load().values)

    upgrade(target, revisions[0])
    downgrade(target, "base")
    stamp(target, revisions[1])

    files = history.files(history.load(), revisions[-1:])
    for (revision, direction), row in zip(
        [(revisions[0], "upgrade"), (revisions[0], "downgrade"), (revisions[1], "stamp")],
        rows(target, "to_jsonb(migration_log), started_at, session_user"),
        strict=True,
    ):
        found, started, user = row
        assert timedelta(0) <= datetime.now(UTC) - started < timedelta(minutes=1)
        assert 0 <= found.pop("seconds") < 60
        assert isinstance(found.pop("id"), int)
        assert isinstance(found.pop("git_dirty"), bool)
        found.pop("started_at")
        assert found == {
            "revision": revision,
            "backup": None,
            "direction": direction,
            "database_user": user,
            "run_by": migration_log.who(),
            "app_version": "1.2.3",
            "git_commit": "c0ffee",
            "overrides": "CONFIRM=app",
            "start_revisions": None,
            "undoes": None,
            "database_id": None,
            "closed_at": None,
            "file_sha256": hashlib.sha256(files[revision].read_bytes()).hexdigest(),
            "source_sha256": None,
            "sources": json.dumps([[str(files[revision]), hashlib.sha256(files[revision].read_bytes()).hexdigest()]]),
        }


def test_without_overrides_version_and_git_these_are_null(
    target: Settings, revisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("APP_VERSION", "GIT_COMMIT", "ACCEPT", "CONFIRM"):
        monkeypatch.delenv(name, raising=False)
    target = replace(target, values=settings.load().values)
    monkeypatch.setenv("PATH", "")

    upgrade(target, revisions[0])

    assert rows(target, "overrides, app_version, git_commit, git_dirty") == [(None, None, None, None)]


def test_the_row_is_written_in_the_transaction_of_the_version(target: Settings, revisions: list[str]) -> None:
    for change, to in ((upgrade, 0), (upgrade, 1), (downgrade, 0), (stamp, 1)):
        change(target, revisions[to])

        together = "(SELECT xmin FROM alembic_version) = migration_log.xmin"
        assert rows(target, together)[-1] == (True,), rows(target)


def test_a_revision_that_fails_has_no_row(target: Settings, revisions: list[str], write: Write) -> None:
    write("abcd01", revisions[-1])
    write("abcd02", "abcd01", "op.execute('CREATE TABLE undone ()'); op.execute('SELECT 1/0')")

    with pytest.raises(UserError, match="division by zero"):
        upgrade(target)

    assert [row[0] for row in rows(target)] == [*revisions, "abcd01"]


@pytest.mark.parametrize("to", ["base", "older", "newer"])
def test_a_stamp_is_named_by_what_the_version_says_afterwards(target: Settings, revisions: list[str], to: str) -> None:
    upgrade(target, revisions[0] if to == "newer" else "head")
    wanted = {"base": "base", "older": revisions[0], "newer": revisions[-1]}[to]

    stamp(target, wanted)

    assert rows(target)[-1] == (wanted, "stamp")
    assert rows(target, "file_sha256 IS NULL")[-1] == (to == "base",)


def test_a_stamp_from_a_revision_without_a_file_has_a_row(target: Settings, revisions: list[str]) -> None:
    upgrade(target, revisions[0])
    execute(target, "UPDATE alembic_version SET version_num = 'abcd01'")

    alembic_commands.stamp(target, revisions[1], forget=True)

    assert rows(target)[-1] == (revisions[1], "stamp")


def test_dropped_by_hand_it_is_made_again(target: Settings, revisions: list[str]) -> None:
    upgrade(target, revisions[0])
    execute(target, "DROP TABLE migration_log")

    upgrade(target)

    assert rows(target) == [(revision, "upgrade") for revision in revisions[1:]]
    execute(target, "DROP TABLE migration_log")
    assert edited(target) == []
    with connections.connect(target) as connection:
        assert migration_log.latest(connection) == {}


def test_alembic_typed_by_hand_writes_it_too(empty_project: Project, revisions: list[str]) -> None:
    result = by_hand(empty_project, "upgrade", "head", APP_VERSION="7")

    assert result.returncode == 0, result.stderr
    assert empty_project.sql("SELECT revision, direction, app_version FROM migration_log ORDER BY id") == [
        (revision, "upgrade", "7") for revision in revisions
    ]


def test_autogenerate_does_not_see_it(target: Settings, folder: Path) -> None:
    upgrade(target)
    files = set(folder.iterdir())
    config = revision_files.config()
    config.attributes[ATTRIBUTE] = AlembicRequest(target)
    config.cmd_opts = Namespace(quiet=True)

    assert alembic_commands.new_revision(target, "nothing", New("abcd99", folder), lambda _script: None) is None
    command.check(config)

    assert {path for path in folder.iterdir() if path.suffix} == {path for path in files if path.suffix}
    assert rows(target)


def test_an_applied_file_that_does_something_else_is_edited(
    target: Settings, revisions: list[str], write: Write
) -> None:
    path = write("abcd01", revisions[-1], "op.execute('SELECT 1')")
    write("abcd02", "abcd01")
    upgrade(target, "abcd01")
    assert edited(target) == []

    path.write_text(path.read_text().replace("\n    op", "\n    # why\n    op"))
    assert edited(target) == []

    write("abcd01", revisions[-1], "op.execute('SELECT 2')")
    assert edited(target) == ["abcd01"]


@pytest.mark.parametrize("back", [downgrade, stamp])
def test_what_is_not_applied_any_more_may_be_edited(
    target: Settings, revisions: list[str], write: Write, back: Callable[[Settings, str], None]
) -> None:
    write("abcd01", revisions[-1], "op.execute('SELECT 1')")
    upgrade(target)
    back(target, revisions[-1])

    write("abcd01", revisions[-1], "op.execute('SELECT 2')")
    assert edited(target) == []

    upgrade(target)
    assert edited(target) == []


def test_a_row_written_by_hand_stops_nothing(target: Settings, revisions: list[str]) -> None:
    upgrade(target)
    execute(
        target,
        "INSERT INTO migration_log (revision, direction, started_at, seconds, run_by)"
        f" VALUES ('{revisions[0]}', 'repaired', '2026-11-22 03:04Z', 0, 'Ada')",
    )

    assert edited(target) == []
    with connections.connect(target) as connection:
        connection.execute(text("SET TimeZone = 'UTC'"))
        assert migration_log.latest(connection)[revisions[0]] == "repaired 2026-11-22 03:04 UTC by Ada, 0.00 s"


def test_in_a_container_the_user_of_the_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_BY", "ada@laptop")

    assert migration_log.who() == "ada@laptop"
