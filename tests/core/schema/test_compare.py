"""Every change is seen and told in a line; what only prints differently is none"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection
from sqlalchemy.engine import URL

from scripts.core import settings, subprocesses
from scripts.core.errors import DatabaseMissingError
from scripts.core.postgres import client_programs, connections, schema_copy, scratch
from scripts.core.postgres.scratch import Scratch
from scripts.core.schema import fingerprint, repeated_reading
from scripts.core.schema.compare import between, compare
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings
from tests.core.schemas import STATEMENTS, changes, make, read, run

NOT_DUMPED = {
    "UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'citext'": "a dump has no versions",
    'ALTER TABLE "Odd ""Name""" DISABLE TRIGGER ALL': "a dump has no triggers of constraints",
}


@pytest.fixture(scope="module")
def everything(lasting_database: Callable[..., URL]) -> Settings:
    """A database with the schema of everything.sql, which nobody changes."""
    made = replace(
        settings.load(), app_env="development", runtime="none", external=False, database_url=lasting_database()
    )
    make(made, STATEMENTS)
    return made


@pytest.fixture(scope="module")
def whole(everything: Settings) -> Schema:
    return read(everything)


@pytest.fixture(scope="module")
def session(everything: Settings, lasting_database: Callable[..., URL]) -> Iterator[Connection]:
    """One on a copy, for all changes: the first reading of the catalogs in a session takes longer than the next."""
    url = lasting_database(str(everything.database_url.database))
    with connections.connect(replace(everything, database_url=url)) as connection:
        yield connection


@pytest.fixture
def changed(session: Connection) -> Iterator[Connection]:
    """The same, for a change that is taken back."""
    yield session
    session.rollback()


@pytest.fixture
def throwaway(configured: Settings) -> Iterator[Scratch]:
    with scratch.session(configured) as server:
        yield server


def differs(throwaway: Scratch, everything: Settings, *statements: str) -> tuple[Settings, Settings]:
    """Databases with the schema, without and with changes."""
    template = str(everything.database_url.database)
    other = scratch.create(throwaway, template)
    with connections.connect(other, isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            run(connection, statement)
    return everything, other


def dump(settings: Settings) -> str:
    """The schema as pg_dump writes it, without its comments."""
    environment = {**os.environ, **connections.tool_environment(settings.database_url)}
    text = subprocesses.output([client_programs.newest("pg_dump"), "--schema-only"], env=environment)
    assert text
    return re.sub(r"^(--.*|\\(un)?restrict .*|)\n", "", text, flags=re.MULTILINE)


# Changes


@pytest.mark.parametrize(("statement", "lines"), changes())
def test_a_change_is_told_and_changes_the_fingerprint(
    changed: Connection, whole: Schema, statement: str, lines: list[str]
) -> None:
    """It is also found by a session that reads again and again, and so is its end."""
    version = whole.objects["extension citext"]

    before = repeated_reading.read(changed)
    run(changed, statement)
    after = repeated_reading.read(changed)

    assert before == whole

    assert [str(one) for one in between(whole, after)] == [line.replace("CITEXT", version) for line in lines]
    assert after.fingerprint != whole.fingerprint
    assert not any(one.harmless for one in between(whole, after))


@pytest.mark.faults
@pytest.mark.parametrize("statement", [statement for statement, _ in changes()])
def test_pg_dump_sees_the_same_changes(throwaway: Scratch, everything: Settings, statement: str) -> None:
    """In its own class of tests because it takes a database for each."""
    without, with_it = differs(throwaway, everything, statement)

    assert (dump(without) == dump(with_it)) == (statement in NOT_DUMPED)


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        (
            "ALTER TABLE fast ADD virtual text GENERATED ALWAYS AS (lower(note)) VIRTUAL",
            "table fast, column virtual is not expected",
        ),
        ("ALTER TABLE fast ADD CHECK (id > 0) NOT ENFORCED", "table fast, constraint fast_id_check is not expected"),
        (
            'ALTER TABLE "Odd ""Name""" ALTER CONSTRAINT later NOT ENFORCED',
            'table "Odd ""Name""", constraint later: …public.users(id) NOT ENFORCED,'
            " expected …public.users(id) NOT VALID",
        ),
        (
            "ALTER TABLE fast ADD CONSTRAINT ours NOT NULL note NOT VALID",
            "table fast, column note: text NOT NULL NOT VALID, expected text",
        ),
        (
            "ALTER TABLE fast ADD CONSTRAINT ours NOT NULL note NO INHERIT",
            "table fast, column note: text NOT NULL NO INHERIT, expected text",
        ),
        (
            "COMMENT ON CONSTRAINT users_email_not_null ON users IS 'all have mail'",
            "table users, column email, NOT NULL, comment is not expected",
        ),
        (
            "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON LARGE OBJECTS FROM CURRENT_USER",
            "default privileges on large objects, revocation of SELECT from its owner is not expected",
        ),
        (
            "ALTER PUBLICATION news SET (publish_generated_columns = stored)",
            "publication news: …INSERT UPDATE STORED, ",
        ),
    ],
)
def test_what_version_18_brought_is_told(changed: Connection, whole: Schema, statement: str, line: str) -> None:
    if connections.describe(changed) < "PostgreSQL 18":
        pytest.skip("an older server")
    run(changed, statement)
    (differences,) = between(whole, fingerprint.read(changed))

    assert str(differences).startswith(line)


@pytest.mark.parametrize(
    "statement",
    [
        "COMMENT ON EXTENSION citext IS 'every version of it has another'",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (user 'a', password 'secret')",
        "INSERT INTO typed VALUES ('a')",
        "SELECT setval('tickets', 8)",
        "CREATE EXTENSION IF NOT EXISTS citext",
        "GRANT UPDATE ON fast TO CURRENT_USER; REVOKE UPDATE ON fast FROM PUBLIC",
        "CREATE TEMPORARY TABLE users (id integer)",
        "REINDEX TABLE users; ANALYZE",
        "ALTER TABLE users SET (fillfactor = 75); ALTER TABLE users SET (fillfactor = 70)",
    ],
)
def test_what_is_no_change_of_the_schema_is_not_told(changed: Connection, whole: Schema, statement: str) -> None:
    run(changed, statement)

    assert between(whole, fingerprint.read(changed)) == []


def test_the_name_of_not_null_is_no_difference(changed: Connection, whole: Schema) -> None:
    """Version 17 has none; 18 makes one, which a column that is renamed keeps."""
    run(changed, "ALTER TABLE fast RENAME note TO n; ALTER TABLE fast ALTER n SET NOT NULL")
    run(changed, "ALTER TABLE fast RENAME n TO note")

    assert [str(one) for one in between(whole, fingerprint.read(changed))] == [
        "table fast, column note: text NOT NULL, expected text"
    ]


# The order of columns


def test_another_order_of_columns_is_told_as_harmless(changed: Connection, whole: Schema) -> None:
    run(changed, "ALTER TABLE log_notes DROP at CASCADE, ADD at date")
    run(changed, "ALTER TABLE log_notes ADD FOREIGN KEY (at, kind) REFERENCES logs")
    after = fingerprint.read(changed)

    (differences,) = between(whole, after)
    assert str(differences) == "table log_notes, order of columns: kind, note, at, expected at, kind, note"
    assert differences.harmless
    assert after.fingerprint == whole.fingerprint


def test_a_column_more_is_no_other_order(changed: Connection, whole: Schema) -> None:
    run(changed, "ALTER TABLE fast DROP note, ADD at date, ADD note text")

    assert [str(one) for one in between(whole, fingerprint.read(changed))] == ["table fast, column at is not expected"]


# Long definitions


def test_of_a_long_definition_the_place_that_differs_is_told() -> None:
    words = " ".join(f"word{number}" for number in range(50))
    before, after = Schema({"view v": words}, {}, {}), Schema({"view v": words.replace("word30", "other")}, {}, {})

    (differences,) = between(before, after)

    assert re.fullmatch(r"view v: ….{0,20} other word31 .*…, expected ….{0,20} word30 word31 .*…", str(differences))
    assert len(str(differences)) < 200


def test_white_space_alone_is_told_as_such() -> None:
    before, after = Schema({"function f()": "BEGIN\nEND"}, {}, {}), Schema({"function f()": "BEGIN END"}, {}, {})

    assert [str(one) for one in between(before, after)] == [r"function f(): 'BEGIN END', expected 'BEGIN\nEND'"]


# What prints differently after a restore


def test_every_kind_of_object_is_equal_to_itself_after_dump_and_restore(
    throwaway: Scratch, everything: Settings, whole: Schema
) -> None:
    restored = schema_copy.restored(throwaway, everything)
    assert read(restored).fingerprint != whole.fingerprint

    differences = compare(throwaway, everything, restored)

    assert [str(one) for one in differences] == []
    assert {"table vehicle, owner", "table users, grant of UPDATE to pg_monitor"} <= whole.access.keys()
    again = schema_copy.restored(throwaway, restored)
    assert read(again).fingerprint == read(restored).fingerprint


PRINTED_DIFFERENTLY = {
    "table fast, constraint fast_kind_check": "ALTER TABLE fast ADD kind varchar(9) CHECK (kind IN ('a', 'b'))",
    "view chosen": "CREATE VIEW chosen AS SELECT * FROM users WHERE state IN ('a', 'b')",
    "table users, index more": "CREATE INDEX more ON users (id) WHERE state IN ('a', 'b')",
    "table wide, column more": "CREATE TABLE wide (state varchar(9), more boolean"
    " GENERATED ALWAYS AS (state IN ('a', 'b')) STORED)",
    "table users, policy more": "CREATE POLICY more ON users USING (state IN ('a', 'b'))",
}


def test_what_only_prints_differently_is_no_difference(
    throwaway: Scratch, target: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No dump is needed to know that."""
    tables = "CREATE TABLE fast (id int); CREATE TABLE users (id int, state varchar(9))"
    make(target, [tables, *PRINTED_DIFFERENTLY.values()])
    restored = schema_copy.restored(throwaway, target)

    monkeypatch.setattr(schema_copy, "restored", None)
    assert {one.name for one in between(read(target), read(restored))} == PRINTED_DIFFERENTLY.keys()
    assert compare(throwaway, target, restored) == []
    assert compare(throwaway, restored, target) == []


def test_a_comment_is_no_expression(throwaway: Scratch, target: Settings) -> None:
    other = scratch.create(throwaway)
    make(target, ["CREATE TABLE a ()", "COMMENT ON TABLE a IS '((a AND b) AND c)'"])
    make(other, ["CREATE TABLE a ()", "COMMENT ON TABLE a IS '(a AND b AND c)'"])

    assert [one.name for one in compare(throwaway, target, other) if one.kind == "structure"] == ["table a, comment"]


def test_a_real_change_is_told_among_those(throwaway: Scratch, target: Settings) -> None:
    make(target, ["CREATE TABLE a (s varchar(9) CHECK (s IN ('a', 'b')), CONSTRAINT short CHECK (s IN ('a', 'c')))"])
    restored = schema_copy.restored(throwaway, target)
    with connections.connect(restored, isolation_level="AUTOCOMMIT") as connection:
        run(connection, "ALTER TABLE a DROP CONSTRAINT short, ADD CONSTRAINT short CHECK (s IN ('a', 'd'))")

    assert [one.name for one in compare(throwaway, target, restored)] == ["table a, constraint short"]


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        *((statement, None) for statement in NOT_DUMPED),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_name'::regclass",
            "table users, index users_name",
        ),
        ("ALTER TABLE fast OWNER TO pg_monitor", "table fast, owner"),
        ("ALTER TABLE fast DROP note, ADD note varchar(9)", "table fast, column note"),
    ],
)
def test_what_a_dump_does_not_carry_over_is_told(
    throwaway: Scratch, everything: Settings, statement: str, name: str | None
) -> None:
    differences = compare(throwaway, *differs(throwaway, everything, statement))

    lines = dict(changes())
    assert name in [one.name for one in differences] if name else len(differences) == len(lines[statement])


def test_an_invalid_index_is_told_whichever_side_has_it(throwaway: Scratch, everything: Settings) -> None:
    """A dump leaves it out."""
    break_it = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_name'::regclass"
    valid, invalid = differs(throwaway, everything, break_it)

    (differences,) = compare(throwaway, invalid, valid)

    assert differences.name == "table users, index users_name"


def test_equal_schemas_need_no_dump(throwaway: Scratch, everything: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_copy, "restored", None)

    assert compare(throwaway, *differs(throwaway, everything)) == []


def test_a_database_that_is_not_there_is_named(throwaway: Scratch, everything: Settings) -> None:
    nowhere = replace(everything, database_url=everything.database_url.set(database="not_there"))

    with pytest.raises(DatabaseMissingError, match="no database not_there"):
        compare(throwaway, everything, nowhere)


def test_a_schema_that_is_known_is_not_read_again(throwaway: Scratch, everything: Settings, whole: Schema) -> None:
    nowhere = replace(everything, database_url=everything.database_url.set(database="not_there"))

    assert compare(throwaway, everything, nowhere, whole) == []
