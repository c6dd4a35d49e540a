"""Backups that older versions of these scripts made: manifests of format 1"""

import json
from dataclasses import replace

import pytest

from scripts.core.backups import integrity, manifest, restore, schema_file, verify
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, take, value

OLD = [
    *("format", "sha256", "database", "environment", "label", "created_at", "seconds", "server", "client"),
    *("compression", "revision", "fingerprint", "large_objects", "extensions", "tables", "excluded", "properties"),
    *("roles", "files", "checks"),
]


@pytest.fixture
def old(backup: Backup) -> Backup:
    """Its reading of the schema words a grant and a column in another way."""
    saved = schema_file.read(backup.path)
    column = "table users, column name"
    messages = replace(
        saved,
        objects=saved.objects | {column: f"{saved.objects[column]} OF OLD"},
        access=saved.access | {"default privileges, revocation of CREATE": "REVOKED"},
    )
    schema_file.write(backup.path, messages)
    found = replace(backup.manifest, cluster=None, fingerprint_version=None, files=integrity.sums(backup.path))
    manifest.write(backup.path, found)
    return Backup(backup.path, manifest.read(backup.path))


def test_its_manifest_stays_as_that_version_wrote_it(old: Backup) -> None:
    document = json.loads((old.path / manifest.FILE).read_text())

    assert list(document) == OLD
    assert document["format"] == 1
    assert (old.manifest.cluster, old.manifest.fingerprint_version) == (None, None)


def test_it_is_verified_and_what_comes_out_is_written_down(filled: Settings, old: Backup, sent: list[str]) -> None:
    verify.verify(filled, old, verify.FULL)

    found = manifest.read(old.path)
    assert found.format == 1
    assert [one.kind for one in found.checks] == ["quick", "full"]
    assert f"{old.name} is of another version of these scripts: definitions and grants are not compared." in sent


def test_it_is_restored(filled: Settings, old: Backup) -> None:
    execute(filled, "DROP TABLE posts")

    old_name = restore.put_in_place(filled, old, "development")

    assert value(filled, "SELECT count(*) FROM posts") == 50
    execute(filled, f'DROP DATABASE "{old_name}"')


def test_what_it_has_lost_is_told_all_the_same(filled: Settings, old: Backup) -> None:
    saved = schema_file.read(old.path)
    schema_file.write(old.path, replace(saved, objects=saved.objects | {"table lost": "TABLE"}))
    manifest.write(old.path, replace(old.manifest, files=integrity.sums(old.path)))

    with pytest.raises(UserError, match="table lost is missing"):
        verify.verify(filled, Backup(old.path, manifest.read(old.path)), verify.FULL)


def test_a_new_one_says_which_server_and_which_reading(filled: Settings) -> None:
    document = json.loads((take(filled).path / manifest.FILE).read_text())

    assert document["format"] == 2
    assert document["cluster"].isdigit()
    assert document["fingerprint_version"] > 1
