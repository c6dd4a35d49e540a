"""The target's schema on the scratch server"""

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from scripts.core.errors import UserError
from scripts.core.postgres import (
    client_programs,
    connections,
    databases,
    schema_copy,
    scratch,
    scratch_extensions,
    templates,
)
from scripts.core.postgres.rights import Role
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import history
from scripts.core.schema import fingerprint
from scripts.core.schema.fingerprint import Schema
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


@pytest.fixture
def restores(throwaway: Scratch, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The database of each restore. The templates are this test's own."""
    run_program, restores = client_programs.run, list[str]()

    def record(program: str, url: URL, *words: str) -> str:
        if Path(program).name == "pg_restore":
            restores.append(str(url.database))
        return run_program(program, url, *words)

    monkeypatch.setattr(client_programs, "run", record)
    monkeypatch.setattr(schema_copy, "FORMAT", str(random.getrandbits(64)).encode())
    before = template_names(throwaway)
    yield restores
    for name in template_names(throwaway) - before:
        databases.drop(throwaway.server, name)


def template_names(server: Scratch) -> set[str]:
    return set(templates.find(server, schema_copy.KIND))


def test_the_next_copy_of_a_schema_is_made_from_a_template_without_any_row(
    throwaway: Scratch, target: Settings, restores: list[str]
) -> None:
    """The revision, and settings of the session, are the target's of now."""
    name, before = target.database_url.database, template_names(throwaway)
    seen = []
    with session(target.database_url) as owner:
        run(owner, "CREATE TABLE users (n int); CREATE TABLE alembic_version (version_num text)")
        for revision, zone in (("a", "Asia/Tokyo"), ("b", "Asia/Seoul")):
            run(owner, f"INSERT INTO users VALUES (1); ALTER DATABASE {name} SET TimeZone = '{zone}'")
            run(owner, f"DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ('{revision}')")
            owner.commit()
            with connections.connect(schema_copy.schema(throwaway, target)) as copy:
                rows = copy.scalar(text("SELECT count(*) FROM users"))
                seen.append((rows, history.current(copy), copy.scalar(text("SHOW TimeZone"))))

    assert seen == [(0, ("a",), "Asia/Tokyo"), (0, ("b",), "Asia/Seoul")]
    assert len(restores) == 1
    (template,) = template_names(throwaway) - before
    throwaway.server.exec_driver_sql(f'ALTER DATABASE "{template}" ALLOW_CONNECTIONS true')
    url = throwaway.administrator.database_url.set(database=template)
    with connections.connect(throwaway.administrator, url) as inside:
        for table in ("users", "alembic_version"):
            assert inside.scalar(text(f"SELECT count(*) FROM {table}")) == 0


CHANGES = {
    "column": "ALTER TABLE users ADD name text",
    "grant": "GRANT SELECT ON users TO pg_monitor",
    "owner": "ALTER TABLE users OWNER TO pg_monitor",
    "default privilege": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_monitor",
    "setting of a table": "ALTER TABLE users SET (fillfactor = 50)",
    "setting of a function": "ALTER FUNCTION one() SET search_path = public",
    "body": "CREATE OR REPLACE FUNCTION one() RETURNS text LANGUAGE sql AS '/*\n\\restrict a\n*/ SELECT 1::text'",
    "other body": "CREATE OR REPLACE FUNCTION one() RETURNS text LANGUAGE sql AS '/*\n\\restrict b\n*/ SELECT 1::text'",
    "policy": "CREATE POLICY own ON users USING (n = 1)",
    "comment": "COMMENT ON TABLE users IS 'people'",
}


def test_every_change_of_the_schema_makes_another_template(
    throwaway: Scratch, target: Settings, restores: list[str]
) -> None:
    before = template_names(throwaway)
    with session(target.database_url) as owner:
        run(owner, "CREATE TABLE users (n int)")
        run(owner, "CREATE FUNCTION one() RETURNS text LANGUAGE sql AS 'SELECT 1::text'")
        owner.commit()
        schema_copy.schema(throwaway, target)
        for number, (what, statement) in enumerate(CHANGES.items(), 2):
            run(owner, statement)
            owner.commit()
            copy = schema_copy.schema(throwaway, target)
            assert schema_of(copy).fingerprint == schema_of(target).fingerprint, what
            assert len(restores) == number, what

    assert len(template_names(throwaway) - before) == schema_copy.MOST_KEPT


def test_a_copy_with_passwords_of_other_servers_does_not_stay(
    throwaway: Scratch, target: Settings, restores: list[str]
) -> None:
    before = template_names(throwaway)
    with session(target.database_url) as owner:
        run(owner, "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER there FOREIGN DATA WRAPPER far")
        run(owner, "CREATE USER MAPPING FOR CURRENT_USER SERVER there OPTIONS (password 's3cret')")
        owner.commit()
    for _ in range(2):
        schema_copy.schema(throwaway, target)

    assert len(restores) == 2
    assert template_names(throwaway) == before


def test_only_the_random_word_of_pg_restore_is_left_out_of_the_key() -> None:
    body = b"CREATE FUNCTION f() ... AS $$\n\\restrict table\n$$; DROP table a"
    header, footer = b"--\n-- PostgreSQL database dump\n--\n\n\\restrict x9\n\n", b"\n\\unrestrict x9\n"

    assert schema_copy.without_random_word(body) == body
    assert schema_copy.without_random_word(header + body + footer) == (header + body + footer).replace(b"x9", b"")


def test_other_rights_other_programs_and_another_role_of_the_same_name_make_another_template(
    new_role: Callable[..., URL],
    throwaway: Scratch,
    target: Settings,
    restores: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    role, other = (str(new_role("word").username) for _ in range(2))
    throwaway.rights = replace(throwaway.rights, roles=(*throwaway.rights.roles, Role(role)))
    with session(target.database_url) as owner:
        run(owner, f"CREATE TABLE users (n int); GRANT SELECT ON users TO {role}")
        owner.commit()
        schema_copy.schema(throwaway, target)
        run(owner, f"REVOKE SELECT ON users FROM {role}")
        for name, new in ((role, "test_role_between"), (other, role), ("test_role_between", other)):
            run(owner, f"ALTER ROLE {name} RENAME TO {new}")
        run(owner, f"GRANT SELECT ON users TO {role}")
        owner.commit()

    assert schema_of(schema_copy.schema(throwaway, target)) == schema_of(target)
    assert len(restores) == 2
    throwaway.rights = replace(throwaway.rights, makes_schemas=False)
    schema_copy.schema(throwaway, target)
    monkeypatch.setattr(templates, "_SERVER", text("SELECT 'another version of an extension'"))
    schema_copy.schema(throwaway, target)
    schema_copy.schema(throwaway, target)
    assert len(restores) == 4


def test_a_copy_that_is_not_finished_leaves_no_template(
    configured: Settings, throwaway: Scratch, target: Settings, restores: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = template_names(throwaway)
    monkeypatch.setattr(scratch_extensions, "hand_over", interrupted)
    with pytest.raises(KeyboardInterrupt), scratch.session(configured) as server:
        schema_copy.schema(server, target)

    (unfinished,) = restores
    assert template_names(throwaway) == before
    assert not databases.exists(throwaway.server, unfinished)


def test_an_ordinary_role_of_the_scratch_server_keeps_copies_too(
    new_role: Callable[..., URL], throwaway: Scratch, target: Settings, restores: list[str]
) -> None:
    role = new_role("p@ss", "LOGIN CREATEDB")
    login = {"SCRATCH_USER": str(role.username), "SCRATCH_PASSWORD": "p@ss"}
    with session(target.database_url) as owner:
        run(owner, "CREATE TABLE users (n int); GRANT SELECT ON users TO pg_monitor")
        owner.commit()
    schema_copy.schema(throwaway, target)
    with scratch.session(replace(target, values={**target.values, **login})) as server:
        for _ in range(2):
            copy = schema_copy.schema(server, target)
            assert schema_of(copy).structure == schema_of(target).structure

    assert len(restores) == 2


def schema_of(settings: Settings) -> Schema:
    with connections.connect(settings) as connection:
        return fingerprint.read(connection)


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
