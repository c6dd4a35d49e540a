"""make bench"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core import settings
from scripts.core.postgres import scratch
from scripts.core.postgres.scratch import Scratch
from tests.bench import __main__ as bench
from tests.bench import large_report
from tests.bench.__main__ import Race, line, timed
from tests.bench.verification import Example

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    """Where each race is run once."""
    monkeypatch.setattr(bench, "PAIRS", 1)
    monkeypatch.setattr(bench, "LONG_PAIRS", 1)
    monkeypatch.setenv("BACKUP_DIR", "")
    with scratch.session(replace(settings.load(), runtime="embedded")) as session:
        yield session


def test_a_race_tells_the_ratio_to_the_peer_and_the_goal() -> None:
    printed = line(Race("ours", timed("sleep", "0.02"), 1.4, "theirs", timed("sleep", "0.01")))

    found = re.fullmatch(r"ours +\d+\.\d\d s   theirs \d+\.\d\d s   (\d+\.\d\d) x \(goal: 1\.4 x\)", printed)
    assert found
    assert float(found[1]) > 0


def test_without_a_peer_it_tells_the_seconds() -> None:
    assert re.fullmatch(r"ours +\d+\.\d\d s \(goal: 4 s\)", line(Race("ours", timed("true"), 4)))


@pytest.mark.faults
def test_revisions_and_waits_are_compared_with_raw_alembic(server: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    bench.upgrades(server, 3)
    bench.waits(server, 2, 3.0)

    printed = capsys.readouterr().out.splitlines()
    assert [name.partition("   ")[0].strip() for name in printed[:2]] == ["3 revisions", "nothing to do, 3 revisions"]
    found = re.search(r"2 tables held for 3 s: (\d+\.\d\d) s   alembic upgrade head (\d+\.\d\d) s", printed[2])
    assert found
    assert float(found[1]) < float(found[2])


@pytest.mark.faults
def test_they_are_compared_on_a_durable_server_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "PAIRS", 1)
    monkeypatch.setattr(bench, "LONG_PAIRS", 1)

    bench.durable_upgrades(replace(settings.load(), runtime="embedded"), 2)

    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "On a durable server:"
    assert [name.partition("   ")[0].strip() for name in printed[1:]] == ["2 revisions", "nothing to do, 2 revisions"]


@pytest.mark.faults
def test_the_fingerprint_is_compared_with_a_dump(server: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    bench.fingerprints(server, 3)

    printed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"fingerprint of 3 tables +\d+\.\d\d s \(goal: 0\.5 s\)", printed[0])
    assert re.fullmatch(r"fingerprint of 3 tables .* pg_dump --schema-only \d+\.\d\d s .*", printed[1])


@pytest.mark.faults
def test_plans_and_lints_are_measured_beside_raw_alembic(server: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    bench.loops(server, 20)
    bench.lints(server, 2)

    printed = capsys.readouterr().out.splitlines()
    assert [re.split(r" +\d+\.\d\d s", one)[0] for one in printed] == [
        "plan of 20 statements of one form",
        "plan of 20 statements all different",
        "lint of 2 revisions",
    ]


@pytest.mark.faults
def test_what_a_plan_adds_is_measured_with_a_copy_that_was_kept_and_with_a_new_one(
    server: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.copies(server, 10)

    printed = capsys.readouterr().out.splitlines()
    assert [one.partition(" copy ")[0] for one in printed] == [
        "plan of 10 tables adds, kept",
        "plan of 10 tables adds, new",
    ]
    assert [one.partition("(")[2] for one in printed] == ["goal: 1.5 s)", "goal: 3 s)"]


def test_the_shares_of_a_verification_are_those_of_its_document(capsys: pytest.CaptureFixture[str]) -> None:
    gates = [{"name": name, "status": "passed", "seconds": 1.25} for name in ("backup", "restore")]
    bench.staging(Example(("echo", json.dumps({"gates": gates}))))

    printed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"make verify-staging +\d\.\d\d s \(goal: 3 s\)", printed[0])
    assert re.fullmatch(r"backup 1\.2 s   restore 1\.2 s   the rest -2\.[45] s", printed[1])


@pytest.mark.faults
def test_verifications_and_hashes_are_compared_and_the_time_of_each_gate_is_told(
    server: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.hashes(server, 1000)
    bench.verifications(server, 1)

    printed = capsys.readouterr().out.splitlines()
    assert [re.split(" {3,}", one)[0] for one in printed[:3]] == [
        *["hash of 1,000 rows"] * 2,
        "make verify-staging, 1 MB",
    ]
    assert re.fullmatch(r"(\w+( \w+)* \d\.\d s(   |$)){9}", printed[3])


@pytest.mark.faults
def test_backups_are_compared_with_plain_dumps(server: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    bench.backups(server, 5)

    printed = capsys.readouterr().out.splitlines()
    assert [name.partition(",")[0] for name in printed] == [
        *("backup", "restore", "full verification", "size of the backup", "memory of backup"),
    ]
    assert all(re.search(r" \d\.\d\d x ", one) for one in printed[:-1])
    assert re.search(r"restore \[\d+, \d+, \d+\] MB   a tenth of the rows \[\d+, \d+, \d+\] MB", printed[-1])


def test_without_chromium_a_report_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_report, "CHROMIUM", None)

    assert bench.opening("report", Path()) == "report: not measured, because chromium is not installed"


@pytest.mark.faults
@pytest.mark.skipif(not large_report.CHROMIUM, reason="chromium is not installed")
def test_the_report_of_a_real_verification_is_weighed_and_opened(
    server: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.reports(server, 2)

    size, opened = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"report of 8 tables and 2 revisions, size 0\.0[1-9] MB \(goal: 2 MB\)", size)
    assert re.fullmatch(r"report of 8 tables and 2 revisions, opened +\d\.\d\d s \(goal: 1 s\)", opened)


@pytest.mark.faults
def test_make_revision_is_measured_beside_plain_autogenerate_and_make_stamp_alone(
    server: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.stamps(server, 2)
    bench.revisions(server, 3, 2)

    stamp, printed = capsys.readouterr().out.splitlines(keepends=True)
    assert re.fullmatch(r"stamp of 2 revisions +\d+\.\d\d s \(goal: 3 s\)\n", stamp)
    assert re.fullmatch(
        r"revision of 3 tables, 2 before +\d+\.\d\d s \(goal: 2\.5 s\)   alembic revision --autogenerate \d+\.\d\d s\n",
        printed,
    )
