"""The target's schema on the scratch server"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from scripts.core.errors import UserError
from scripts.core.postgres import connections, schema_copy, scratch
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import history
from scripts.core.settings import Settings
from tests.core.running import run, session


@pytest.fixture
def throwaway(configured: Settings) -> Iterator[Scratch]:
    with scratch.session(configured) as server:
        yield server


def test_a_copy_has_schema_version_time_zone_and_search_path_and_no_rows(throwaway: Scratch, target: Settings) -> None:
    name = target.database_url.database
    with session(target.database_url) as owner:
        run(owner, "CREATE TABLE users (n int); INSERT INTO users VALUES (1)")
        run(owner, "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('a'), ('b')")
        run(owner, f"ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo'")
        run(owner, f'CREATE SCHEMA "My Shop"; ALTER DATABASE {name} SET search_path = nowhere, "My Shop", public')
        owner.commit()

    with connections.connect(schema_copy.schema(throwaway, target)) as copy:
        assert copy.scalar(text("SELECT count(*) FROM users")) == 0
        assert history.current(copy) == ("a", "b")
        assert copy.scalar(text("SHOW TimeZone")) == "Asia/Tokyo"
        assert copy.scalar(text("SHOW search_path")) == '"My Shop", public'


def test_the_target_is_only_read(throwaway: Scratch, target: Settings) -> None:
    """One that lets nobody write, and a table that is being changed, do not stop it."""
    with session(target.database_url) as owner:
        run(owner, "CREATE TABLE users (n int)")
        run(owner, f"ALTER DATABASE {target.database_url.database} SET default_transaction_read_only = on")
        owner.commit()
        run(owner, "SET TRANSACTION READ WRITE; INSERT INTO users VALUES (1)")

        schema_copy.schema(throwaway, target)


@pytest.mark.usefixtures("hasty")
def test_a_table_that_is_locked_against_reading_is_not_waited_for(throwaway: Scratch, target: Settings) -> None:
    with session(target.database_url) as owner:
        run(owner, "CREATE TABLE users (n int)")
        owner.commit()
        run(owner, "LOCK TABLE users")

        with pytest.raises(UserError, match="cannot be read: canceling statement"):
            schema_copy.schema(throwaway, target)


def test_a_role_that_may_not_read_is_named(throwaway: Scratch, target: Settings, new_role: Callable[..., URL]) -> None:
    role = new_role("p@s%s/w#o\"r$d; e'")
    with session(target.database_url) as owner:
        run(owner, "CREATE TABLE users (n int)")
        owner.commit()

    stranger = replace(target, database_url=role.set(database=target.database_url.database))
    with pytest.raises(UserError, match=r"cannot be read: .*permission denied for table users"):
        schema_copy.schema(throwaway, stranger)


def test_a_target_that_is_reached_by_tls_is_dumped_by_a_program_that_knows_it(
    throwaway: Scratch, target: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one on the PATH: the wheel's would fail, or send the rows without TLS."""
    newer, version = tmp_path / "pg_dump", "echo 'pg_dump (PostgreSQL) 99.1'"
    newer.write_text(f"#!/bin/sh\n[ $1 = --version ] && {version} || {{ echo 'error: the PATH' >&2; exit 1; }}\n")
    newer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(connections, "uses_tls", lambda _connection: True)

    with pytest.raises(UserError, match="cannot be read: the PATH"):
        schema_copy.schema(throwaway, target)


def test_a_session_without_tls_is_told_from_one_with(target: Settings) -> None:
    with connections.connect(target) as connection:
        shown = connection.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))

        assert connections.uses_tls(connection) is shown
