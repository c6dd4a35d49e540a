"""Folders of killed processes are removed, and others stay"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scripts.core import temporary_folders


def test_the_folder_of_a_killed_process_is_removed_by_the_next_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    left = tmp_path / f"alembic-tools-folder-{ended.pid}-abc"
    other = tmp_path / f"another-folder-{ended.pid}-abc"
    for path in (left, other):
        (path / "schema").mkdir(parents=True)

    with temporary_folders.folder() as first, temporary_folders.folder():
        assert first.stat().st_mode & 0o777 == 0o700
        assert not left.exists()
        assert other.exists()

    assert list(tmp_path.iterdir()) == [other]
