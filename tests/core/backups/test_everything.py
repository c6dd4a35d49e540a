"""Every kind of object goes through backup, proof and restore, and comes back as it was"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from scripts.core import messages
from scripts.core.backups import create, restore, schema_file, verify
from scripts.core.postgres import client_programs, connections, databases
from scripts.core.schema import fingerprint
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, granted, value
from tests.core.schemas import STATEMENTS, make

MORE = """
CREATE TYPE colour AS ENUM ('red', 'green', 'blue', 'black', 'white');
CREATE TABLE shades (c colour, n int) PARTITION BY HASH (c);
CREATE TABLE shades_0 PARTITION OF shades FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shades_1 PARTITION OF shades FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO shades SELECT c, n FROM unnest(enum_range(NULL::colour)) c, generate_series(1, 3) n;
INSERT INTO vehicle VALUES (1, 4);
INSERT INTO car VALUES (2, 4, 5);
CREATE FOREIGN TABLE far () INHERITS (vehicle) SERVER elsewhere;
INSERT INTO logs VALUES ('2026-01-01', 'c', 1), ('2026-01-02', 'c', 2), ('2026-01-01', 'z', 3);
CREATE TABLE twice (a int);
INSERT INTO twice VALUES (1), (1);
CREATE INDEX waits ON ONLY events (at);
CREATE TABLE in_extension (a int);
ALTER EXTENSION citext ADD TABLE in_extension;
CREATE TABLE theirs (a int, b text);
ALTER TABLE theirs OWNER TO {other};
GRANT INSERT (a) ON theirs TO {app} WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE {other} IN SCHEMA public GRANT SELECT ON TABLES TO {app};
REVOKE EXECUTE ON FUNCTION pg_sleep FROM PUBLIC;
GRANT SELECT ON pg_authid TO {app};
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE SUBSCRIPTION news CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, slot_name = NONE);
SELECT lo_from_bytea(4713, 'large');
ALTER LARGE OBJECT 4713 OWNER TO {other};
GRANT SELECT ON LARGE OBJECT 4713 TO {app};
COMMENT ON LARGE OBJECT 4713 IS 'a large object';
ALTER DATABASE {name} SET search_path = public, "My Schema, too";
ALTER ROLE {app} IN DATABASE {name} SET work_mem = '7MB';
REVOKE ALL ON DATABASE {name} FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {app};
"""
LEFT_OUT = [
    "subscription news: it belongs to one server. After a restore create it again with CREATE SUBSCRIPTION.",
    "table public.in_extension: it belongs to the extension citext, so pg_dump leaves it to CREATE EXTENSION."
    " To back it up: ALTER EXTENSION citext DROP TABLE public.in_extension.",
    "table twice, index invalid: it is invalid, and no query uses it. Drop it, or REINDEX it.",
]


@pytest.fixture
def roles(target: Settings, new_role: object) -> Iterator[tuple[str, str]]:
    """A role that owns something, and one that is granted something; nothing of theirs is left at the end."""
    made = str(_name(new_role)), str(_name(new_role))
    yield made
    with databases.server(target) as server:
        names = server.exec_driver_sql("SELECT datname FROM pg_database").scalars().all()
    ours = str(target.database_url.database)
    for name in names:
        if name == ours or name.startswith(f"{ours}__"):
            one = replace(target, database_url=target.database_url.set(database=name))
            execute(one, *(f"REASSIGN OWNED BY {role} TO CURRENT_USER" for role in made))
            execute(one, *(f"DROP OWNED BY {role}" for role in made))
            if value(
                one,
                "SELECT count(*) FROM pg_subscription JOIN pg_database d ON d.oid = subdbid"
                " WHERE datname = current_database()",
            ):
                execute(one, "DROP SUBSCRIPTION news")
    with databases.server(target) as server:
        for name in names:
            if name.startswith(f"{ours}__"):
                databases.drop(server, name)


def _name(new_role: object) -> URL:
    return new_role("secret").username  # type: ignore[operator, no-any-return]


def rows(target: Settings) -> list[object]:
    queries = (
        "SELECT string_agg(c::text || n, ',' ORDER BY c, n) FROM shades",
        "SELECT count(*) FROM ONLY vehicle",
        "SELECT string_agg(tableoid::regclass || ' ' || n, ',' ORDER BY n) FROM logs",
        "SELECT convert_from(lo_get(4713), 'UTF8')",
        "SELECT string_agg(lomowner::regrole || ' ' || lomacl::text, ',') FROM pg_largeobject_metadata",
        "SELECT pg_get_userbyid(datdba) || datacl::text FROM pg_database WHERE datname = current_database()",
        "SELECT string_agg(setconfig::text, ',' ORDER BY 1) FROM pg_db_role_setting JOIN pg_database d"
        " ON d.oid = setdatabase WHERE datname = current_database()",
    )
    return [value(target, query) for query in queries]


@pytest.mark.parametrize("small", [0, client_programs.SMALL])
def test_every_kind_comes_back_as_it_was_and_what_cannot_is_named(
    target: Settings, roles: tuple[str, str], small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_programs, "SMALL", small)
    make(target, STATEMENTS)
    names = {"other": roles[0], "app": roles[1], "name": str(target.database_url.database)}
    for statement in MORE.format(**names).strip().removesuffix(";").split(";\n"):
        execute(target, statement)
    with pytest.raises(DBAPIError):
        execute(target, "CREATE UNIQUE INDEX CONCURRENTLY invalid ON twice (a)")
    with connections.connect(target) as connection:
        before = fingerprint.read(connection)
    grants, contents = [one for one in granted(target) if "in_extension" not in one], rows(target)
    sent: tuple[list[str], ...] = ([], [], [])

    with messages.sent_to(sent[0].append):
        backup = create.make(target, create.Wanted())
    with messages.sent_to(sent[1].append):
        verify.verify(target, backup, verify.FULL)
    with messages.sent_to(sent[2].append):
        restore.put_in_place(target, backup, "development")

    assert sent == ([f"Not in the backup: {line}" for line in LEFT_OUT],) * 3
    with connections.connect(target) as connection:
        after = fingerprint.read(connection)
    assert schema_file.changes(before, after) == []
    assert granted(target) == grants
    assert rows(target) == contents
