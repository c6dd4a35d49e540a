"""scripts/core/durable_files.py"""

from pathlib import Path

import pytest

from scripts.core import durable_files


def test_a_file_is_replaced_and_what_a_crash_left_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text("old")
    (tmp_path / durable_files.unfinished("notes.json")).write_text("hal")

    durable_files.write(path, "größe")

    assert path.read_text(encoding="utf-8") == "größe"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_stays_what_it_was_when_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text("old")
    (tmp_path / durable_files.unfinished("notes.json")).mkdir()

    with pytest.raises(OSError, match="directory"):
        durable_files.write(path, "new")

    assert path.read_text() == "old"
