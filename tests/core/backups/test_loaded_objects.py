"""A loaded dump has every kind of object, with ACCEPT=superuser"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from scripts.core.backups import dump_file, load, schema_file
from scripts.core.postgres import client_programs, databases
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, value
from tests.core.schemas import STATEMENTS, make, read


def test_every_kind_of_object_is_loaded(
    target: Settings, new_database: Callable[..., URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_restore's SQL of an archive has the same objects as the database that it was taken of."""
    source = replace(target, database_url=new_database())
    make(source, STATEMENTS)
    execute(source, "INSERT INTO logs VALUES ('2026-01-01', 'c', 1)", "SELECT lo_from_bytea(4713, 'large')")
    said = client_programs.run(
        client_programs.newest("pg_dump"), source.database_url, "--format=custom", f"--file={tmp_path / 'a'}"
    )
    monkeypatch.setenv("ACCEPT", "superuser")

    dump = dump_file.look(tmp_path / "a", "a")
    loaded = load.put_in_place(target, dump, load.require_fitting(target, dump), "development")

    assert said == ""
    with databases.server(target) as server:
        databases.drop(server, loaded.old)
    assert loaded.rows == 1
    assert loaded.not_valid == ['later on "Odd ""Name"""', "users_weight on users"]
    assert value(target, "SELECT count(*) FROM pg_largeobject_metadata") == 1
    assert schema_file.changes(read(source).structure, read(target).structure) == []
