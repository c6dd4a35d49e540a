"""scripts/recover.py"""

import sys
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.core.running import by_hand, call

ACCEPTED = {"ACCEPT": "recovered"}


def test_a_lost_revision_comes_back_from_the_database(project: Project, revisions: list[str]) -> None:
    path = project.write_revision("abcd01", revisions[-1], "op.execute('SELECT 1')  # \\x1b[2J \x1b[2J")
    path.write_text(
        path.read_text().replace("\n\n\ndef up", "\ntry:\n    import gone\nexcept ImportError:\n    pass\n\n\ndef up")
    )
    content = path.read_bytes()
    assert call(project).returncode == 0
    assert "Nothing to recover" in call(project, "recover").stdout
    path.unlink()

    missing = call(project)
    assert missing.returncode == 1
    assert "Do:    make recover" in missing.stderr
    shown = call(project, "recover")
    assert shown.returncode == 1
    assert "alembic/versions/abcd01.py, from this database" in shown.stdout
    assert "op.execute('SELECT 1')" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "It imports gone, which this checkout lacks." in shown.stderr
    assert "make recover CONFIRM=abcd01" in shown.stderr
    assert not path.exists()

    assert call(project, "recover", CONFIRM="other").returncode == 1
    done = call(project, "recover", CONFIRM="abcd01")
    assert done.returncode == 0, done.stderr
    assert "✓ Wrote alembic/versions/abcd01.py" in done.stdout
    assert path.read_bytes() == content
    assert call(project, "recover").stdout.startswith("✓ Nothing to recover")
    assert Path(project.versions / ".recovered").read_text() == "alembic/versions/abcd01.py\n"


def test_outside_development_it_is_committed_before_the_next_migration(project: Project, revisions: list[str]) -> None:
    path = project.write_revision("abcd01", revisions[-1])
    assert call(project).returncode == 0
    path.unlink()
    assert call(project, "recover", CONFIRM="abcd01").returncode == 0
    project.sql(f"COMMENT ON DATABASE {project.url.database} IS 'environment=staging'")
    project.write_revision("abcd02", "abcd01")

    refused, accepted = (by_hand(project, "upgrade", "head", APP_ENV="staging", **it) for it in ({}, ACCEPTED))
    assert "Recovered and not committed: alembic/versions/abcd01.py." in refused.stdout + refused.stderr
    assert "These revisions have not been planned." in accepted.stdout + accepted.stderr


READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


def test_where_revisions_are_read_only_it_prints_the_file(project: Project, revisions: list[str]) -> None:
    if project.call("unshare", "--mount", "mount", "--bind", str(project.versions), str(project.versions)).returncode:
        pytest.skip("this account may not mount")
    path = project.write_revision("abcd01", revisions[-1], "op.execute('SELECT 1')")
    content = path.read_text()
    assert call(project).returncode == 0
    path.unlink()

    command = [sys.executable, "-m", "scripts.recover"]
    printed = project.call("unshare", "--mount", "sh", "-c", READ_ONLY, str(project.versions), *command)

    assert printed.returncode == 0, printed.stderr
    assert content in printed.stdout
    assert "versions is read-only here, so nothing was written. Copy the text above." in printed.stdout
    assert not path.exists()
