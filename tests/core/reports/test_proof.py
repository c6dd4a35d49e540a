"""Which reports prove that revision files were verified"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.core.reports import FILE, FORMAT, proof
from scripts.core.reports.proof import DatabaseState
from scripts.core.revisions import checksum, sources

FRESH = datetime.now(UTC).isoformat()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {revision: tmp_path / f"{revision}.py" for revision in ("b", "c", "d")}
    for revision, path in found.items():
        path.write_text(f"revision = {revision!r}\n")
    return found


def report(folder: Path, files: dict[str, Path], start: str, applied: str, **other: str) -> None:
    (folder / f"{start}{applied}").mkdir()
    revisions = [{"revision": one, "source_sha256": checksum.sums(files[one])[1], "applied": True} for one in applied]
    content = {"format": FORMAT, "verdict": "passed", "database": "app", "cluster": "1", "started_at": FRESH} | other
    content |= {"from": [start], "to": applied[-1], "revisions": revisions}
    (folder / f"{start}{applied}" / FILE).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("reports", "pending", "proves"),
    [
        (["abcd"], "bcd", "abcd"),
        (["abcd"], "bc", "abcd"),
        (["abc"], "bcd", None),
        (["ab", "bc", "cd"], "bcd", "cd"),
        (["ab", "bcd"], "bc", "bcd"),
        (["ab", "cd"], "bcd", None),
        (["bcd"], "bcd", None),
        ([], "b", None),
    ],
)
def test_reports_prove_together_what_was_verified_one_after_the_other(
    tmp_path: Path, files: dict[str, Path], reports: list[str], pending: str, proves: str | None
) -> None:
    for one in reports:
        report(tmp_path, files, one[0], one[1:])
    subject = DatabaseState("app", "1", ["a"])

    assert proof.find(tmp_path, subject, {one: files[one] for one in pending}, 7) == proves


def test_another_file_of_its_source_counts(tmp_path: Path, files: dict[str, Path]) -> None:
    report(tmp_path, files, "a", "bc")
    sql, page = tmp_path / "b.up.sql", tmp_path / "abc" / FILE
    sql.write_text("SELECT 1")
    found = json.loads(page.read_text())
    found["revisions"][0] |= {"file": str(files["b"]), "files": sources.sums([sql])}
    page.write_text(json.dumps(found))
    subject, pending = DatabaseState("app", "1", ["a"]), {one: files[one] for one in "bc"}

    assert proof.find(tmp_path, subject, pending, 7) == "abc"
    sql.write_text("SELECT 2")
    assert proof.find(tmp_path, subject, pending, 7) is None
    sql.unlink()
    assert proof.find(tmp_path, subject, pending, 7) is None


@pytest.mark.parametrize(
    "other", [{"verdict": "failed"}, {"cluster": "2"}, {"started_at": "2020-01-01T00:00:00+00:00"}]
)
def test_a_report_that_is_no_proof_breaks_the_chain(
    tmp_path: Path, files: dict[str, Path], other: dict[str, str]
) -> None:
    report(tmp_path, files, "a", "b", **other)
    report(tmp_path, files, "b", "c")

    assert proof.find(tmp_path, DatabaseState("app", "1", ["a"]), {one: files[one] for one in "bc"}, 7) is None


def test_an_edited_file_is_not_proven(tmp_path: Path, files: dict[str, Path]) -> None:
    report(tmp_path, files, "a", "b")
    report(tmp_path, files, "b", "c")
    files["b"] = tmp_path / "edited.py"
    files["b"].write_text("revision = 'b'; other = 1\n")

    assert proof.find(tmp_path, DatabaseState("app", "1", ["a"]), {one: files[one] for one in "bc"}, 7) is None
