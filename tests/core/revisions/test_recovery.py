"""scripts/core/revisions/recovery.py and recovered_files.py: a lost file comes back as it was, and nothing else"""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from scripts.core import git, git_objects, overrides, revision_files
from scripts.core.errors import UserError
from scripts.core.migrate import guards
from scripts.core.postgres import connections
from scripts.core.revisions import recovered_files, recovery, sources
from scripts.core.revisions.recovered_files import RecoveredFile
from scripts.core.revisions.recovery import Recovered
from scripts.core.settings import Settings
from tests.core.revisions.applying import execute, new_process, upgrade

Write = Callable[..., Path]

READS = 'from pathlib import Path; op.execute((Path(__file__).parent.parent / "sql" / "étape.sql").read_text())'
NAMES = ("alembic/versions/abcd01.py", "alembic/sql/étape.sql", "alembic/versions/abcd01.down.sql")


@pytest.fixture
def checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the revisions in a checkout of its own."""
    for module in (revision_files, sources, recovered_files, git, git_objects):
        monkeypatch.setattr(module, "ROOT", folder.parent.parent)
    return folder.parent.parent


@pytest.fixture
def applied(target: Settings, checkout: Path, write: Write, revisions: list[str]) -> dict[str, bytes]:
    """What two revisions consist of, of which the first has three files, with odd bytes. They are applied and lost."""
    (checkout / "alembic" / "sql").mkdir()
    (checkout / "alembic" / "sql" / "étape.sql").write_bytes(b"SELECT 1\r\n")
    (checkout / "alembic" / "versions" / "abcd01.down.sql").write_bytes(b"\xff\x00")
    path = write("abcd01", revisions[-1], READS)
    path.write_bytes(b"# coding: latin-1\r\n# \xe9\r\n" + path.read_bytes().replace("é".encode(), b"\xe9"))
    files = {name: (checkout / name).read_bytes() for name in NAMES}
    second = write("abcd02", "abcd01", "op.execute('CREATE TABLE later ()')")
    files["alembic/versions/abcd02.py"] = second.read_bytes()
    upgrade(target)
    return files


def lose(checkout: Path, files: dict[str, bytes]) -> None:
    for name in files:
        (checkout / name).unlink(missing_ok=True)
    shutil.rmtree(checkout / "alembic" / "sql", ignore_errors=True)
    new_process()


def found(target: Settings) -> list[Recovered]:
    with connections.connect(target) as connection:
        return recovery.find(connection)


def recover(target: Settings) -> None:
    for one in reversed(found(target)):
        recovered_files.write(one.files)


def in_git(checkout: Path, *commands: str) -> None:
    for command in commands:
        words = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *command.split()]
        subprocess.run(words, cwd=checkout, check=True, capture_output=True)


def test_from_the_database_they_come_back_byte_for_byte(
    target: Settings, checkout: Path, applied: dict[str, bytes]
) -> None:
    assert found(target) == []
    lose(checkout, applied)

    assert [one.revision for one in found(target)] == ["abcd02", "abcd01"]
    assert {file.where for one in found(target) for file in one.files} == {"this database"}
    recover(target)

    assert {name: (checkout / name).read_bytes() for name in applied} == applied
    assert not list((checkout / "alembic").rglob(".*.new"))
    assert found(target) == []


def test_a_missing_file_in_the_middle_is_found_too(target: Settings, checkout: Path, applied: dict[str, bytes]) -> None:
    (checkout / "alembic/versions/abcd01.py").unlink()

    recover(target)

    assert (checkout / "alembic/versions/abcd01.py").read_bytes() == applied["alembic/versions/abcd01.py"]


@pytest.mark.parametrize(
    "hide",
    [
        ("checkout -q -b feature", "add .", "commit -q -m lost", "checkout -q main"),
        ("stash -q -u",),
        ("add .", "stash -q"),
        ("stash -q -u", "stash drop -q", "add .", "commit -q --allow-empty -m other"),
        ("add .", "commit -q -m lost", "reset -q --hard HEAD~1"),
    ],
    ids=["branch", "stash", "staged", "dropped", "reflog"],
)
def test_git_has_them_on_any_branch_in_a_stash_and_in_the_reflog(
    target: Settings, checkout: Path, applied: dict[str, bytes], hide: tuple[str, ...]
) -> None:
    outside = checkout.parent / f"outside-{checkout.name}"
    outside.mkdir()
    for name in applied:
        (outside / name.replace("/", "_")).write_bytes((checkout / name).read_bytes())
    lose(checkout, applied)
    in_git(checkout, "init -q -b main", "config core.autocrlf false", "add .", "commit -q -m first")
    for name in applied:
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_bytes((outside / name.replace("/", "_")).read_bytes())
    in_git(checkout, *hide)
    lose(checkout, applied)

    places = {file.where.partition(" ")[0] for one in found(target) for file in one.files}
    assert places == ({"this"} if "stash drop -q" in hide else {"commit"})
    recover(target)

    assert {name: (checkout / name).read_bytes() for name in applied} == applied


def test_outside_development_a_recovered_file_is_committed_first(
    target: Settings, checkout: Path, applied: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert guards._recovered() == []
    lose(checkout, applied)
    in_git(checkout, "init -q", "add .", "commit -q -m first")
    recover(target)

    with pytest.raises(UserError, match=r"not committed.*abcd02.py(.|\n)*ACCEPT=recovered"):
        guards._recovered()
    monkeypatch.setenv("ACCEPT", "recovered")
    assert overrides.accepted("recovered")
    assert guards._recovered() == ["recovered"]
    monkeypatch.delenv("ACCEPT")
    in_git(checkout, "add .", "commit -q -m recovered")
    assert guards._recovered() == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE migration_source SET packed = decode('00', 'hex')", "does not have .* as it was applied"),
        (
            "UPDATE migration_source SET packed = (SELECT packed FROM migration_source ORDER BY 1 DESC LIMIT 1)",
            "as it was applied",
        ),
        ("UPDATE migration_log SET sources = '[]'", "does not have the log's list"),
        ("UPDATE migration_log SET sources = '{'", "does not have the log's list"),
        ("UPDATE migration_log SET file_sha256 = repeat('0', 64)", "does not have the log's list"),
        ("UPDATE migration_source SET packed = NULL", r"cannot be recovered(.|\n)*the database does not have it"),
        ("DROP TABLE migration_source", r"cannot be recovered(.|\n)*the database does not have it"),
        ("ALTER TABLE migration_log DROP COLUMN sources", r"cannot be recovered(.|\n)*in no commit"),
        ("UPDATE migration_log SET file_sha256 = NULL", r"cannot be recovered(.|\n)*no checksum"),
        ("DROP TABLE migration_log", r"cannot be recovered(.|\n)*no checksum"),
    ],
)
def test_what_is_not_exactly_what_was_applied_is_refused(
    target: Settings, checkout: Path, applied: dict[str, bytes], change: str, says: str
) -> None:
    lose(checkout, applied)
    execute(target, change)

    with pytest.raises(UserError, match=says):
        found(target)


def test_an_older_log_is_enough_for_git(target: Settings, checkout: Path, applied: dict[str, bytes]) -> None:
    in_git(checkout, "init -q", "config core.autocrlf false", "add .", "commit -q -m all")
    lose(checkout, applied)
    execute(target, "ALTER TABLE migration_log DROP COLUMN sources; DROP TABLE migration_source")

    assert [[file.name for file in one.files] for one in found(target)] == [
        ["alembic/versions/abcd02.py"],
        ["alembic/versions/abcd01.py"],
    ]


@pytest.mark.parametrize(
    "names",
    [
        ["../x.py"],
        ["/tmp/x.py"],
        ["app/x.py"],
        ["alembic/env.py"],
        ["alembic/versions/x.sh"],
        ["alembic/versions/../../x.py"],
        ["alembic/versions//x.py"],
        ["alembic/versions/sub/x.py"],
        ["alembic/versions/x\n.py"],
        ["alembic/versions/x.py", "alembic/../x.sql"],
        ["alembic/versions/x.py", "app/x.sql"],
        ["alembic/versions/x.py", "/etc/x.sql"],
        ["alembic/versions/x.py", "alembic/linked/x.sql"],
        ["alembic/versions/x.py", "alembic/link.sql"],
        ["alembic/versions/x.py", "alembic/other.sql"],
        ["alembic/versions/x.py", "alembic/versions"],
    ],
)
def test_no_path_leads_elsewhere_and_no_file_is_replaced(checkout: Path, names: list[str]) -> None:
    outside = checkout.parent / f"outside-{checkout.name}"
    outside.mkdir()
    (checkout / "alembic" / "linked").symlink_to(outside)
    (checkout / "alembic" / "link.sql").symlink_to(outside / "x.sql")
    (checkout / "alembic" / "other.sql").write_text("of mine")
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}

    with pytest.raises(UserError, match=r"is no path of|is a link|exists, with other contents"):
        recovered_files.write([RecoveredFile(name, b"hostile", "this database") for name in names])

    assert {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()} == before
    assert list(outside.iterdir()) == []


def test_a_path_of_the_log_is_checked_before_anything_is_written(
    target: Settings, checkout: Path, applied: dict[str, bytes]
) -> None:
    lose(checkout, applied)
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        found_sources = connection.scalar(text("SELECT sources FROM migration_log WHERE revision = 'abcd01'"))
        named = json.loads(str(found_sources))
        named[0][0] = "alembic/../../evil.py"
        change = text("UPDATE migration_log SET sources = :sources WHERE revision = 'abcd01'")
        connection.execute(change, {"sources": json.dumps(named)})

    with pytest.raises(UserError, match="is no path of"):
        recover(target)
    assert not (checkout / NAMES[0]).exists()
    assert not (checkout / NAMES[1]).exists()
    assert not (checkout.parent / "evil.py").exists()


def test_modules_that_are_missing_are_named_and_not_imported(checkout: Path) -> None:
    (checkout / "app").mkdir()
    (checkout / "app" / "__init__.py").write_text("raise SystemExit")
    (checkout / "app" / "here.py").write_text("raise SystemExit")
    code = (
        b"import os.path, app.here, app.gone.more\nfrom app import here\nfrom app.old import a\nimport nowhere_9\n"
        b"def upgrade():\n    import sqlalchemy.dialects.postgresql, another_9.part\n"
    )

    assert recovery.missing_modules(code) == ["another_9.part", "app.gone.more", "app.old", "nowhere_9"]
    assert recovery.missing_modules(b"\xff") == []
