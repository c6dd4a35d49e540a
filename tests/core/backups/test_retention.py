"""scripts/core/backups/retention.py"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.core.backups import retention
from scripts.core.backups.database_properties import Properties
from scripts.core.backups.manifest import Check, Manifest
from scripts.core.backups.store import Backup, Listing
from scripts.core.errors import UserError

NOW = datetime.now(UTC)
EMPTY = Manifest(
    cluster="1",
    fingerprint_version=1,
    database="app",
    environment=None,
    label="",
    created_at="",
    seconds=0,
    server=170004,
    client=17,
    compression="gzip:1",
    revision=[],
    fingerprint="",
    large_objects=0,
    extensions={},
    tables={},
    excluded=[],
    properties=Properties("app", "", [], None),
    roles=[],
    files={},
)


def made(days: float, *checks: tuple[str, bool], database: str = "app") -> Backup:
    """A backup of so many days ago, called after them."""
    found = replace(
        EMPTY,
        database=database,
        created_at=(NOW - timedelta(days=days)).isoformat(),
        checks=[Check("", kind, passed, 0, "") for kind, passed in checks],
    )
    return Backup(Path(f"{database}-{days:g}"), found)


def goes(rule: str, *backups: Backup, failed: str = "") -> list[str]:
    listing = Listing(list(backups), {}, [failed] if failed else [])
    return [backup.name for backup in retention.superfluous(listing, "app", "1", rule)]


def test_the_newest_stay() -> None:
    backups = [made(days) for days in (4, 3, 2, 1)]

    assert goes("2", *backups) == ["app-4", "app-3"]
    assert goes("9", *backups) == []


def test_a_time_that_is_a_moment_ahead_keeps_none() -> None:
    """Of several in one second the later ones are called after the next seconds."""
    assert goes("1", made(-0.01), made(-0.02)) == ["app--0.01"]


def test_those_of_the_last_days_stay_too() -> None:
    backups = [made(days) for days in (4, 3, 1.9, 1)]

    assert goes("1,2d", *backups) == ["app-4", "app-3"]
    assert goes("1, 30d", *backups) == []


def test_the_last_that_was_proven_stays() -> None:
    proven, disproven = ("full", True), ("full", False)
    backups = [made(5, proven), made(4, ("quick", True), proven), made(3, proven, disproven), made(2), made(1)]

    assert goes("1", *backups) == ["app-5", "app-3", "app-2"]


def test_those_of_other_databases_stay() -> None:
    assert goes("1", made(3), made(2, database="other"), made(1)) == ["app-3"]


def test_those_of_a_clock_that_was_ahead_stay() -> None:
    assert goes("1,1d", made(-3), made(2), made(1.5)) == ["app-2"]


def test_after_a_failed_run_all_stay() -> None:
    with pytest.raises(UserError, match=r"Nothing is removed: the last backup failed and left \.partial-x"):
        goes("1", made(2), made(1), failed=".partial-x")


def test_after_a_copy_elsewhere_that_failed_all_stay() -> None:
    failed, went = ("after", False), ("after", True)

    with pytest.raises(UserError, match="Nothing is removed: BACKUP_AFTER failed for the last backup, app-1: "):
        goes("1", made(2), made(1, failed))
    assert goes("1", made(3), made(2, failed), made(1, failed, went), made(0.5, database="other")) == ["app-3", "app-2"]


@pytest.mark.parametrize("rule", ["0", "-1", "x", "5d", "5,", "5,x", "", "1.5", "٣", "99999", "1;2", "0,30d"])
def test_another_rule_is_refused(rule: str) -> None:
    with pytest.raises(UserError, match="is not a number of backups with an optional number of days") as caught:
        goes(rule, made(2), made(1))
    assert caught.value.code == 2
