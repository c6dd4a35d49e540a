"""scripts/core/revisions/sources.py and source_table.py: what a revision consists of, and what databases keep"""

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from scripts.core.postgres import connections, own_tables, privileges
from scripts.core.revisions import source_table, sources
from scripts.core.schema import fingerprint
from scripts.core.settings import Settings
from tests.core.revisions.applying import downgrade, edited, execute, rows, upgrade

Write = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("folder")

READS = """import sys, importlib.util as util; from pathlib import Path; here = Path(__file__).parent
    spec = util.spec_from_file_location("helper", here.parent / "helper.py"); module = util.module_from_spec(spec)
    spec.loader.exec_module(module); op.execute(module.read(here.parent / "sql" / "étape.sql"))"""


@pytest.fixture
def reading(folder: Path, write: Write, revisions: list[str]) -> Path:
    """A revision with four files: its own, a helper, what that reads, and one beside it that only a downgrade reads."""
    (folder.parent / "sql").mkdir()
    (folder.parent / "sql" / "étape.sql").write_bytes(b"SELECT 1 -- \xe9\r\n")
    (folder.parent / "helper.py").write_text(
        "def read(path):\n    return path.read_bytes().decode('ascii', 'ignore')\n"
    )
    (folder / "abcd01.down.sql").write_text("SELECT 2")
    (folder / "abcd01.py.orig").write_text("of an editor")
    (folder / "abcd012.sql").write_text("of another revision")
    path = write("abcd01", revisions[-1], READS)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    return path


def stored(target: Settings) -> dict[str, bytes | None]:
    """The content of every file that the database keeps, by checksum."""
    with connections.connect(target) as connection:
        found = connection.execute(text("SELECT sha256, bytes, packed FROM migration_source")).all()
    return {row[0]: None if row[2] is None else zlib.decompress(row[2]) for row in found}


def logged(target: Settings, revision: str) -> list[list[str]]:
    found = rows(target, "sources", f"revision = '{revision}'")[-1][0]
    return [] if found is None else list(json.loads(found))


def test_all_files_of_a_revision_are_kept_once_and_byte_for_byte(target: Settings, reading: Path) -> None:
    folder = reading.parent
    files = [reading, folder.parent / "helper.py", folder.parent / "sql" / "étape.sql", folder / "abcd01.down.sql"]

    upgrade(target)
    downgrade(target, "-1")
    upgrade(target)

    names = [name for name, _ in logged(target, "abcd01")]
    assert names[0] == str(reading)
    assert sorted(names) == sorted(map(str, files))
    content = {hashlib.sha256(path.read_bytes()).hexdigest(): path.read_bytes() for path in files}
    assert {sha256 for _, sha256 in logged(target, "abcd01")} == content.keys()
    assert content.items() <= stored(target).items()
    assert all(found is not None for found in stored(target).values())


def test_an_edit_of_any_of_them_is_an_edit(target: Settings, reading: Path) -> None:
    upgrade(target)
    assert edited(target) == []

    for name in ("helper.py", "sql/étape.sql", "versions/abcd01.down.sql"):
        path = reading.parent.parent / name
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        assert edited(target) == ["abcd01"], name
        path.unlink()
        assert edited(target) == ["abcd01"], name
        path.write_bytes(before)
    reading.rename(reading.with_name("abcd01_renamed.py"))
    (reading.parent / "abcd01.down.sql").rename(reading.parent / "abcd01_renamed.down.sql")
    assert edited(target) == []


def test_whether_python_was_edited_is_asked_of_the_kept_file(target: Settings, reading: Path) -> None:
    upgrade(target)
    reading.write_text(reading.read_text() + "\n# a comment\n")
    assert edited(target) == []

    execute(target, "UPDATE migration_source SET packed = decode('00', 'hex')")
    assert edited(target) == ["abcd01"]
    execute(target, "DROP TABLE migration_source")
    assert edited(target) == ["abcd01"]
    reading.write_text(reading.read_text().replace("\n# a comment\n", ""))
    reading.write_bytes(reading.read_bytes().replace(b"\n", b"\r\n"))
    assert edited(target) == []


def test_switched_off_the_log_has_the_checksums_alone(target: Settings, reading: Path) -> None:
    upgrade(replace(target, keeps_sources=False))

    with connections.connect(target) as connection:
        assert source_table.exists(connection) is False
    assert len(logged(target, "abcd01")) == 4
    reading.write_text(reading.read_text() + "\n# a comment\n")
    assert edited(target) == []
    reading.write_text(reading.read_text() + "\ncode = 1\n")
    assert edited(target) == ["abcd01"]


def test_a_large_file_is_named_and_not_stored(target: Settings, reading: Path) -> None:
    large = reading.parent / "abcd01.up.csv"
    large.write_bytes(b"x" * (sources.LARGEST + 1))
    with reading.open("a") as file:
        file.write(f"\nTEXT = {'y' * sources.LARGEST!r}\n")

    upgrade(target)

    found = stored(target)
    assert found[hashlib.sha256(large.read_bytes()).hexdigest()] is None
    assert found[hashlib.sha256(reading.read_bytes()).hexdigest()] is None
    assert str(large) in [name for name, _ in logged(target, "abcd01")]
    reading.write_text(reading.read_text() + "\n# a comment\n")
    assert edited(target) == []


@pytest.mark.parametrize("old", ["ALTER TABLE migration_log DROP COLUMN sources", "DROP TABLE migration_source", ""])
def test_an_older_database_gets_what_it_lacks(target: Settings, revisions: list[str], write: Write, old: str) -> None:
    upgrade(target)
    execute(target, f"{old}; UPDATE migration_log SET source_sha256 = 'of an older version'" if old else "SELECT 1")
    assert edited(target) == []
    assert len(rows(target)) == len(revisions)

    path = write("abcd01", revisions[-1])
    upgrade(target)

    assert [name for name, _ in logged(target, "abcd01")] == [str(path)]
    assert path.read_bytes() in stored(target).values()
    assert edited(target) == []


def test_only_its_owner_sees_it_and_it_is_no_part_of_the_schema(two_roles: Settings, revisions: list[str]) -> None:
    upgrade(replace(two_roles, keeps_sources=False))
    with connections.connect(two_roles) as connection:
        before = fingerprint.read(connection).fingerprint
    write_again = replace(two_roles)
    downgrade(write_again, revisions[0])
    upgrade(write_again)

    with connections.connect(two_roles) as connection:
        assert source_table.exists(connection)
        assert fingerprint.read(connection).fingerprint == before
        role = str(two_roles.application_url.username)
        see = text("SELECT has_table_privilege(:role, 'migration_source', 'SELECT, INSERT, UPDATE, DELETE')")
        assert connection.scalar(see, {"role": role}) is False
        assert privileges.lacking(connection, role) == []
        privileges.ensure(connection, role)
        assert connection.scalar(see, {"role": role}) is False


def test_a_table_of_the_user_with_that_name_stays_the_users(
    target: Settings, revisions: list[str], sent: list[str]
) -> None:
    execute(target, "CREATE TABLE migration_source (id int); GRANT SELECT ON migration_source TO PUBLIC")

    upgrade(target)

    assert "The files of the revisions are not kept, because migration_source is a table of yours." in sent
    assert rows(target, "source_sha256 IS NOT NULL") == [(True,)] * len(revisions)
    with connections.connect(target) as connection:
        assert "table migration_source" in fingerprint.read(connection).objects
        assert own_tables.SOURCE in "".join(fingerprint.read(connection).access)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_in_every_encoding(target: Settings, reading: Path, encoding: str) -> None:
    name = f"{target.database_url.database}_{encoding.lower()}"
    maintenance = replace(target, database_url=target.database_url.set(database="postgres"))
    execute(maintenance, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    execute(maintenance, f"COMMENT ON DATABASE {name} IS 'environment=development'")
    other = replace(target, database_url=target.database_url.set(database=name))
    (reading.parent / "abcd01.漢\udcff.sql").write_bytes(b"\xff")

    upgrade(other)

    assert str(reading.parent / "abcd01.漢\udcff.sql") in [name for name, _ in logged(other, "abcd01")]
    assert edited(other) == []
    assert b"SELECT 1 -- \xe9\r\n" in stored(other).values()


def test_the_folder_is_listed_once_for_the_texts_of_all_revisions(
    folder: Path, revisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was listed for each revision, so make revision took a second longer after 1,000 of them."""
    paths, listed = sorted(folder.glob("*.py")), list[Path]()
    (folder / f"{paths[0].stem}.sql").write_text("SELECT 1")
    every, scandir = [sources.text(path) for path in paths], os.scandir

    def scan(path: Path) -> Any:
        listed.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)

    assert list(sources.texts(paths)) == every
    assert every[0].endswith("SELECT 1")
    assert (len(paths) > 1, listed) == (True, [folder])
