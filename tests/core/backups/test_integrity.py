"""Any change of any byte is found"""

import copy
import random
import shutil
from pathlib import Path

import pytest

from scripts.core.backups import integrity, manifest, store
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres import client_programs
from tests.core.backups.conftest import flip


def data_file(backup: Backup) -> Path:
    return max(backup.dump.glob("*.dat*"), key=lambda path: path.stat().st_size)


def test_nothing_is_wrong_with_a_backup_that_was_just_made(backup: Backup) -> None:
    assert integrity.damage(backup) == ""
    assert integrity.undecodable(backup.dump, backup.manifest.client) == ""
    assert manifest.read(backup.path) == backup.manifest


def test_a_flipped_bit_is_found_at_every_position(backup: Backup) -> None:
    """At three hundred positions of all files, and at every byte of two small ones."""
    positions = [(path, at) for path in backup.path.rglob("*") if path.is_file() for at in range(path.stat().st_size)]
    positions = [one for one in positions if one[0].name != manifest.FILE]
    tried = random.Random(1).sample(positions, 300) + [one for one in positions if one[0].stat().st_size < 100][:200]
    for path, at in tried:
        whole = path.read_bytes()
        flip(path, at)

        found = integrity.damage(backup)

        path.write_bytes(whole)
        assert found == f"{path.relative_to(backup.path)} was changed", at
    assert integrity.damage(backup) == ""


def test_a_cut_is_found_at_every_position(backup: Backup) -> None:
    for path in [path for path in backup.path.rglob("*") if path.is_file() and path.name != manifest.FILE]:
        whole = path.read_bytes()
        for at in {0, len(whole) - 1, *random.Random(2).sample(range(len(whole)), min(30, len(whole)))}:
            path.write_bytes(whole[:at])

            assert integrity.damage(backup) == f"{path.relative_to(backup.path)} was changed", at
        path.write_bytes(whole)


def test_an_edited_manifest_is_found_at_every_byte(backup: Backup) -> None:
    path = backup.path / manifest.FILE
    whole = path.read_bytes()
    assert len(whole) > 2000
    for at in range(len(whole)):
        for damaged in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole[:at]):
            path.write_bytes(damaged)
            with pytest.raises(UserError, match=r"was changed after|is damaged|newer version"):
                manifest.read(backup.path)


def test_an_edit_that_is_good_json_is_found(backup: Backup) -> None:
    path = backup.path / manifest.FILE
    text = path.read_text()
    for before, after in [('"rows": 100', '"rows": 99'), ("\n", "\n "), ("abcd01", "abcd02"), ("}\n", "}\n\n")]:
        path.write_text(text.replace(before, after, 1) if before != "}\n" else text + "\n")
        with pytest.raises(UserError, match="was changed after it was written"):
            manifest.read(backup.path)


def test_a_missing_and_an_added_file_are_named(backup: Backup) -> None:
    gone = data_file(backup)
    gone.unlink()
    (backup.dump / "more.dat").write_text("x")
    (backup.path / "empty").mkdir()

    found = integrity.damage(backup)

    assert f"dump/{gone.name} is missing" in found
    assert "dump/more.dat is not part of the backup" in found
    assert "empty is not part of the backup" in found


def test_a_link_in_the_place_of_a_file_is_found(backup: Backup, tmp_path: Path) -> None:
    path = data_file(backup)
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    assert integrity.damage(backup) == f"dump/{path.name} was changed"


def test_what_pg_restore_cannot_read_is_told_in_its_words(backup: Backup) -> None:
    path = backup.dump / "toc.dat"
    path.write_bytes(path.read_bytes()[:-10])

    assert integrity.undecodable(backup.dump, backup.manifest.client) == "could not read from input file: end of file"


@pytest.mark.parametrize("small", [0, client_programs.SMALL], ids=["in parts", "at once"])
def test_the_rows_of_every_table_are_decoded(backup: Backup, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_programs, "SMALL", small)
    tables = list(backup.dump.glob("[0-9]*.dat*"))

    for path in tables:
        whole = path.read_bytes()
        for at in (0, 1, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:at])
            assert integrity.undecodable(backup.dump, backup.manifest.client), (path.name, at)
        path.write_bytes(whole)

    assert len(tables) > 4
    assert not integrity.undecodable(backup.dump, backup.manifest.client)


def test_a_folder_without_a_manifest_is_no_backup(backup: Backup, folder: Path) -> None:
    (backup.path / manifest.FILE).unlink()

    listing = store.list_all(folder)

    assert listing.backups == []
    assert listing.others == {
        backup.name: f"{backup.name} is no backup: its manifest cannot be read (No such file or directory)."
    }


def test_a_manifest_of_a_newer_format_is_not_guessed_at(backup: Backup) -> None:
    path = backup.path / manifest.FILE
    path.write_text(path.read_text().replace('"format": 2', '"format": 3', 1))

    with pytest.raises(UserError, match="made by a newer version"):
        manifest.read(backup.path)


def test_an_edit_with_the_right_sum_but_values_of_other_types_is_damage(backup: Backup) -> None:
    odd: list[tuple[str, object]] = [
        *(("created_at", value) for value in (None, "x", "2026-11-27T12:00:00")),
        *[("excluded", None), ("excluded", [1]), ("extensions", []), ("server", "17"), ("tables", {"a": None})],
    ]
    for name, value in odd:
        changed = copy.copy(backup.manifest)
        object.__setattr__(changed, name, value)
        manifest.write(backup.path, changed)
        with pytest.raises(UserError, match="is damaged"):
            manifest.read(backup.path)


def test_a_symbolic_link_is_no_backup_and_stops_none(backup: Backup, folder: Path, tmp_path: Path) -> None:
    """It was listed as a second backup. Removing that renamed the link, and after that every backup failed."""
    shutil.copytree(backup.path, tmp_path / "elsewhere")
    links = [folder / "link", folder / f"{store.PARTIAL}link"]
    for link in links:
        link.symlink_to(tmp_path / "elsewhere")

    listing = store.list_all(folder)
    with store.partial(folder):
        pass

    assert [found.name for found in listing.backups] == [backup.name]
    assert listing.others == {"link": "link is no backup: it is a symbolic link."}
    assert listing.failed == []
    assert all(link.is_symlink() for link in links)
