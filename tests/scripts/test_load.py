"""make load"""

import gzip
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.engine import URL

from scripts.core.postgres import client_programs
from tests.conftest import Project, copy_project
from tests.core.conftest import TEMPLATES
from tests.core.running import Running

HEAD, END = "--\n-- PostgreSQL database dump\n--\n\n", "\n--\n-- PostgreSQL database dump complete\n--\n\n"
SECRET = "a-secret-row"
RICH = """
CREATE SCHEMA "My Schema";
CREATE TABLE "My Schema"."odd, name" (id int PRIMARY KEY, body text, raw bytea);
INSERT INTO "My Schema"."odd, name" VALUES (1, E'back\\\\slash\ttab\nline \\\\. $x$ ''quoted''; --', '\\x00ff'),
    (2, NULL, ''), (3, '\\.', NULL);
CREATE FUNCTION one_or_two() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END;
CREATE TABLE parts (at int) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
INSERT INTO parts SELECT generate_series(0, 9);
CREATE TABLE checked (a int);
INSERT INTO checked VALUES (-1);
ALTER TABLE checked ADD CONSTRAINT positive CHECK (a > 0) NOT VALID;
CREATE PUBLICATION one FOR TABLE checked;
CREATE PUBLICATION every FOR ALL TABLES;
CREATE FUNCTION nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER ddl ON ddl_command_end EXECUTE FUNCTION nothing();
SELECT lo_from_bytea(0, 'large'), lo_from_bytea(0, '');
INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com');
"""
FORMATS = {"plain.sql": "plain", "custom.dump": "custom", "a.tar": "tar", "folder": "directory"}


def whole(text: str) -> bytes:
    """A script as a complete dump."""
    return (HEAD + text + END).encode()


@pytest.fixture(scope="module")
def owner(administration: Connection, server: URL) -> Iterator[URL]:
    """A role that is no superuser, as the role that migrates is."""
    name = f"load_owner_{random.getrandbits(31)}"
    administration.exec_driver_sql(f"CREATE ROLE {name} LOGIN CREATEDB IN ROLE pg_read_all_stats PASSWORD 'p''s'")
    yield server.set(username=name, password="p's")
    templates = [str(one) for one in administration.scalars(TEMPLATES, {"name": name})]
    for database in {*templates, *databases(administration, name)}:
        administration.exec_driver_sql(f'DROP DATABASE "{database}" WITH (FORCE)')
    administration.exec_driver_sql(f"DROP ROLE IF EXISTS {name}, {name}__scratch")


@pytest.fixture(scope="module")
def shared(owner: URL, administration: Connection, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project with an empty development database of that role."""
    name = f"load_{random.getrandbits(31)}"
    administration.exec_driver_sql(f"CREATE DATABASE {name} OWNER {owner.username} TEMPLATE template0")
    administration.exec_driver_sql(f"COMMENT ON DATABASE {name} IS 'environment=development'")
    administration.exec_driver_sql(f"ALTER DATABASE {name} SET statement_timeout = '7min'")
    return Project(copy_project(tmp_path_factory.mktemp("load")), owner.set(database=name))


@pytest.fixture(scope="module")
def dumps(
    lasting_database: Callable[..., URL], template: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The case study with some rows and odd objects, in every format of pg_dump."""
    source = Project(Path(), lasting_database(template, environment=None))
    for statement in RICH.split(";\n")[:-1]:
        source.sql(statement.replace(":", "\\:"))
    folder = tmp_path_factory.mktemp("dumps with spaces")
    for name, form in FORMATS.items():
        said = client_programs.run(
            client_programs.newest("pg_dump"), source.url, f"--format={form}", f"--file={folder / name}"
        )
        assert said == ""
    (folder / "plain.sql.gz").write_bytes(gzip.compress((folder / "plain.sql").read_bytes()))
    return {path.name: path for path in folder.iterdir()}


def databases(administration: Connection, owner: str) -> list[str]:
    query = f"SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = '{owner}' ORDER BY 1"
    return [str(row[0]) for row in administration.exec_driver_sql(query)]


def load(project: Project, file: Path | str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Load with the name typed, and without a scratch server, which the list at the end would use."""
    return project.run("load", str(file), **{"CONFIRM": str(project.url.database), "SCRATCH_HOST": "", **environment})


def test_every_format_of_pg_dump_is_loaded_with_all_its_rows(
    shared: Project, dumps: dict[str, Path], administration: Connection
) -> None:
    """By a role that is no superuser. What only a superuser can make is left out and named."""
    name = str(shared.url.database)
    for number, (file, path) in enumerate(dumps.items()):
        refused = shared.run("load", str(path))
        result = load(shared, path)

        assert result.returncode == 0, file + result.stderr
        assert (refused.returncode, "✗ Not confirmed" in refused.stderr) == ((1, True) if number else (0, False))
        assert f"✓ {name} has what {path} contains: 7 tables, 15 rows.\n" in result.stdout
        assert " owners" in result.stdout
        assert "! Left out, because it needs ACCEPT=superuser: CREATE PUBLICATION every\n" in result.stderr
        assert "! Left out, because it needs ACCEPT=superuser: CREATE EVENT TRIGGER ddl\n" in result.stderr
        assert "! The constraint positive on checked was never checked against the rows." in result.stderr
        assert "  Its environment is development.\n" in result.stdout
        odd = 'SELECT body, encode(raw, \'hex\') FROM "My Schema"."odd, name" ORDER BY id'
        assert shared.sql(odd) == [
            ("back\\slash\ttab\nline \\. $x$ 'quoted'; --", "00ff"),
            (None, ""),
            ("\\.", None),
        ]
        assert shared.sql("SELECT one_or_two(), count(*) FROM parts") == [(2, 10)]
        assert shared.sql("SELECT count(*) FROM pg_largeobject_metadata") == [(2,)]
        assert shared.sql("SELECT pubname FROM pg_publication") == [("one",)]
        assert shared.sql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == [
            (shared.url.username,)
        ]
        assert shared.sql("SHOW statement_timeout") == [("7min",)], "the settings of the database stay"
        assert shared.run("status").returncode == 0
        assert [one for one in databases(administration, str(shared.url.username)) if "__kept_" in one]
        for old in databases(administration, str(shared.url.username)):
            if old != name:
                administration.exec_driver_sql(f'DROP DATABASE "{old}"')


@pytest.fixture
def untouched(shared: Project, administration: Connection) -> Iterator[Project]:
    """The project, whose database and server are as they were after the test."""
    before = databases(administration, str(shared.url.username)), shared.sql("SELECT oid FROM pg_database")
    yield shared
    assert (databases(administration, str(shared.url.username)), shared.sql("SELECT oid FROM pg_database")) == before


def header(server: str, pg_dump: str, form: tuple[int, int] = (1, 16)) -> bytes:
    """The begin of an archive in the custom format."""

    def number(value: int) -> bytes:
        return b"\0" + value.to_bytes(4, "little")

    def text(value: str) -> bytes:
        return number(len(value)) + value.encode()

    return b"PGDMP" + bytes([*form, 0, 4, 8, 1, 1]) + number(0) * 7 + text("app") + text(server) + text(pg_dump)


BAD: list[tuple[bytes, int, str]] = [
    (b"", 2, "is empty."),
    (b"\x89PNG\r\n\x1a\n\0\0\0", 2, "is no dump of PostgreSQL."),
    (whole("SELECT 1;").decode().encode("utf-16"), 1, "is UTF-16."),
    (whole("SELECT 1;").decode().encode("utf-16-le"), 1, "is UTF-16."),
    (b"\x28\xb5\x2f\xfd1234", 1, "is compressed.\n  Do:    unpack it with unzstd"),
    (b"PK\x03\x041234", 1, "is compressed.\n  Do:    unpack it with unzip"),
    (gzip.compress(b"PGDMP"), 1, "is an archive inside gzip."),
    (gzip.compress(whole("SELECT 1;") * 9000)[:-20], 1, "is damaged or cut short."),
    (gzip.compress(whole("SELECT 1;"))[:12], 1, "is damaged or cut short."),
    (b"\x1f\x8bno gzip", 1, "is damaged or cut short."),
    (b"CREATE TABLE t (a int);\n", 1, "is cut short, or pg_dump did not write it."),
    (HEAD.encode() + b"CREATE TABLE t (a int);\n", 1, "Override with ACCEPT=truncated."),
    (whole("COPY t (a) FROM stdin;\n1\n"), 1, "is cut short"),
    (whole("SELECT 'open;"), 1, "is cut short"),
    (whole("SELECT 1;") + b"SELECT 2;", 1, "is cut short"),
    (HEAD.replace("database", "database cluster").encode(), 1, "is a dump of a whole cluster"),
    (HEAD.encode() + b"-- Dumped from database version 99.1 (X)\n" + END.encode(), 1, "is of PostgreSQL 99.1, but the"),
    (header("99beta1", "99beta1"), 1, "is of PostgreSQL 99beta1, but the"),
    (header("16.1", "99.2", (1, 99)), 1, "was written by pg_dump 99.2.\n  Why:   The newest pg_restore here"),
    (header("16.1", "16.1")[:20], 1, "is damaged or cut short."),
    (whole("SELECT 1;\n\\connect other\nSELECT 2;"), 1, "contains what no load runs:\n    line 6: \\connect, a"),
    (whole("SELECT 1 \\gexec\n"), 1, "line 5: \\gexec, a command to psql"),
    (whole("\\! touch canary\n"), 1, "line 5: \\!, a command to psql"),
    (whole("\\i other.sql\n\\copy t from x\n"), 1, "line 5: \\i, a command to psql\n    line 6: \\copy, a"),
    (whole("create  database x;"), 1, "line 5: create database"),
    (whole("ALTER DATABASE app SET a.b = 1;"), 1, "line 5: ALTER DATABASE"),
    (whole("CREATE ROLE x;\nALTER SYSTEM SET a = 1;"), 1, "line 5: CREATE ROLE\n    line 6: ALTER SYSTEM"),
    (whole("COPY t FROM '/etc/passwd';"), 1, "line 5: COPY from a file or a program"),
    (whole("COPY t FROM PROGRAM 'id';"), 1, "line 5: COPY from a file or a program"),
    (whole("SELECT 1;\n" * 1000 + "SELECT '\0';"), 1, "line 1005: a character with the code 0"),
    (whole("CREATE EXTENSION IF NOT EXISTS no_such WITH SCHEMA public;"), 1, "the server lacks the extension no_such."),
]


def test_a_file_that_cannot_be_loaded_is_refused_before_anything_runs(untouched: Project, tmp_path: Path) -> None:
    path = tmp_path / 'it\'s a "dump" $x.sql'
    for content, code, said in BAD:
        path.write_bytes(content)

        result = load(untouched, path)

        assert (result.returncode, said in result.stderr) == (code, True), f"{said}: {result.stderr}"
        assert f"{path}" in result.stderr
        assert "nothing was changed." in result.stderr
    assert not (untouched.path / "canary").exists()


def test_what_is_no_file_is_never_opened(untouched: Project, tmp_path: Path, dumps: dict[str, Path]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "manifest.json").touch()
    cut = shutil.copytree(dumps["folder"], tmp_path / "cut")
    next(path for path in cut.iterdir() if path.name != "toc.dat").unlink()
    half = tmp_path / "half.dump"
    half.write_bytes(dumps["custom.dump"].read_bytes()[:-3000])
    zstd = tmp_path / "zstd.dump"
    zstd.write_bytes(dumps["custom.dump"].read_bytes()[:11] + b"\3" + dumps["custom.dump"].read_bytes()[12:])
    has_zstd = "zstd" in client_programs.compression(client_programs.newest("pg_dump"))

    cases: list[tuple[Path | str, int, str]] = [
        ("", 2, "No file was given."),
        (tmp_path / "pipe", 2, "is no regular file."),
        (Path("/dev/zero"), 2, "is no regular file."),
        (tmp_path / "dangling", 2, "cannot be read: No such file or directory."),
        (tmp_path, 2, "is a folder, but no dump"),
        ("x" * 300, 2, "cannot be read: File name too long."),
        (tmp_path / "backup", 1, "is a backup of this tool.\n  Do:    make restore BACKUP=backup "),
        (cut, 1, "is damaged or cut short."),
        (half, 1, "is damaged or cut short."),
        (zstd, 1, "is damaged or cut short." if has_zstd else "cannot be unpacked here"),
    ]
    for file, code, said in cases:
        result = load(untouched, file)

        assert (result.returncode, said in result.stderr) == (code, True), f"{said}: {result.stderr}"


ODD = """
SET transaction_timeout_of_a_newer_version = 0;
SET client_encoding = 'LATIN1';
SET standard_conforming_strings = off;
SELECT pg_catalog.set_config('search_path', '', false);
DROP TABLE public.was_there;
ALTER TABLE ONLY public.was_there DROP CONSTRAINT a;
DROP SCHEMA IF EXISTS public;
CREATE SCHEMA public;
COMMENT ON SCHEMA public IS 'standard public schema';
CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;
COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';
COMMENT ON DATABASE postgres IS 'environment=production';
SET SESSION AUTHORIZATION 'no_such_role';
SET default_tablespace = no_such_space;
CREATE TABLE public.t (a text);
ALTER TABLE public.t OWNER TO no_such_role;
GRANT ALL ON TABLE public.t TO no_such_role;
CREATE SUBSCRIPTION s CONNECTION 'host=production' PUBLICATION p WITH (connect = false, slot_name = NONE);
SECURITY LABEL FOR anon ON COLUMN public.t.a IS 'MASKED';
INSERT INTO public.t VALUES ('it\\'s gr\u00fc\u00df; \\\\connect');
COPY public.t (a) FROM stdin;
\\N
gr\u00fc\u00df
two\\nlines
\\.
"""


def test_what_dumps_of_other_servers_contain_does_no_harm(shared: Project, tmp_path: Path) -> None:
    """With a byte order mark, the line ends of Windows, and without a line end at the end."""
    path = tmp_path / "odd.sql"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + ODD + END).rstrip().replace("\n", "\r\n").encode("latin1"))

    result = load(shared, path)

    assert result.returncode == 0, result.stderr
    assert "Left out: 1 owner, 1 grant, 1 subscription statement, 1 security label, 1 tablespace.\n" in result.stdout
    assert "! The server does not know the setting transaction_timeout_of_a_newer_version." in result.stderr
    assert shared.sql("SELECT a FROM t ORDER BY a") == [
        ("gr\u00fc\u00df",),
        ("it's gr\u00fc\u00df; \\connect",),
        ("two\nlines",),
        (None,),
    ]
    assert "Environment  development\n" in shared.run("status").stdout


TABLE = "CREATE TABLE t (a int PRIMARY KEY, b text CHECK (b <> ''));\n"
OTHER_ENVIRONMENT = (
    "DO $$BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''environment=test''', current_database()); END$$;"
)
BROKEN = [
    (f"{TABLE}COPY t FROM stdin;\n1\tx\n{SECRET}\ty\n\\.\n", "line 8, a row of t: invalid input syntax for type"),
    (f"{TABLE}COPY t FROM stdin;\n1\tx\n1\t{SECRET}\n\\.\n", "line 8, a row of t: duplicate key value violates"),
    (f"{TABLE}COPY t FROM stdin;\n1\t{SECRET}\t2\n\\.\n", "line 7, a row of t: extra data after last expected column"),
    (f"{TABLE}INSERT INTO t VALUES (1, '{SECRET}'), (2, '');\n", "line 6: new row for relation"),
    (f"{TABLE}INSERT INTO t VALUES ('{SECRET}', 'a');\n", "line 6: invalid input syntax"),
    (f"{TABLE}\nCREATE INDEX i\n  ON t (nothing);\n", 'line 7: column "nothing" does not exist'),
    ("ALTER TABLE none ADD CHECK (a <> ' DROP ');", 'line 5: relation "none" does not exist'),
    ("CREATE TABLE t (a int) USING none;", 'line 5: access method "none" does not exist'),
    (f"COMMENT ON DATABASE x IS '';\nDO $$BEGIN RAISE '{SECRET}'; END$$;", "line 6: raise exception (P0001)"),
    (f"{TABLE}CREATE POLICY p ON t TO no_one;", 'line 6: role "no_one" does not exist'),
    ("BEGIN;\nCREATE TABLE t (a int);", "begins a transaction and does not end it"),
    (OTHER_ENVIRONMENT, "changes the environment of its database"),
]


def test_an_error_names_the_line_and_the_table_and_no_row(untouched: Project, tmp_path: Path) -> None:
    path = tmp_path / "app.sql"
    for text, said in BROKEN:
        path.write_bytes(whole(text))

        result = load(untouched, path)

        assert (result.returncode, said in result.stderr) == (1, True), f"{said}: {result.stderr}"
        assert SECRET not in result.stderr + result.stdout
        assert "everything else is as it was." in result.stderr


def test_a_superuser_runs_no_dump_unless_the_user_says_so(
    empty_project: Project, tmp_path: Path, dumps: dict[str, Path]
) -> None:
    refused = load(empty_project, dumps["custom.dump"])
    result = load(empty_project, dumps["custom.dump"], ACCEPT="superuser")

    assert refused.returncode == 1
    assert f"✗ {empty_project.url.username} is a superuser, and a dump is a program." in refused.stderr
    assert "Override with ACCEPT=superuser." in refused.stderr
    assert result.returncode == 0, result.stderr
    assert empty_project.sql("SELECT pubname FROM pg_publication ORDER BY 1") == [("every",), ("one",)]
    assert empty_project.sql("SELECT evtname FROM pg_event_trigger") == [("ddl",)]


def test_what_the_user_accepts_is_loaded(shared: Project, tmp_path: Path) -> None:
    path = tmp_path / "app.sql"
    path.write_text("CREATE EXTENSION no_such;\nCOMMENT ON EXTENSION no_such IS 'x';\nCREATE TABLE accepted (a int);\n")

    result = load(shared, path, ACCEPT="truncated,extensions")

    assert result.returncode == 0, result.stderr
    assert shared.sql("SELECT count(*) FROM accepted") == [(0,)]


def test_a_database_of_another_environment_is_not_touched(shared: Project, dumps: dict[str, Path]) -> None:
    shared.sql(f"COMMENT ON DATABASE {shared.url.database} IS 'environment=production'")

    result = load(shared, dumps["custom.dump"])
    as_production = load(shared, dumps["custom.dump"], APP_ENV="production")
    shared.sql(f"COMMENT ON DATABASE {shared.url.database} IS 'environment=development'")

    assert f"✗ Refusing to touch {shared.url.database}: its environment is production." in result.stderr
    assert result.returncode == 1
    assert as_production.returncode == 0, as_production.stderr
    assert "  Its environment is production.\n" in as_production.stdout


def test_a_missing_database_is_made_with_the_environment_of_this_project(
    shared: Project, dumps: dict[str, Path]
) -> None:
    other = replace(shared, url=shared.url.set(database=f"{shared.url.database}_other"))

    result = load(other, dumps["plain.sql.gz"], CONFIRM="")

    assert result.returncode == 0, result.stderr
    assert "  Its environment is development.\n" in result.stdout
    assert "kept" not in result.stdout


@pytest.mark.faults
def test_a_killed_load_leaves_the_database_and_the_next_one_clears_up(
    shared: Project, tmp_path: Path, administration: Connection
) -> None:
    path = tmp_path / "slow.sql"
    path.write_bytes(whole("CREATE TABLE t (a int);\nSELECT pg_sleep(1000);"))
    before = databases(administration, str(shared.url.username))
    running = Running(shared, "scripts.load", (str(path),), {"CONFIRM": str(shared.url.database)})
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1000)%' AND pid <> pg_backend_pid()"
    while shared.sql(sleeping) == [(0,)]:
        assert running.runs
    running.kill()
    path.write_bytes(whole("CREATE TABLE t (a int);"))

    assert shared.sql("SELECT count(*) FROM pg_database") != [(len(before),)]
    assert load(shared, path).returncode == 0
    assert not [one for one in databases(administration, str(shared.url.username)) if "unfinished" in one]


def test_at_the_end_stands_what_the_database_needs_once(
    shared: Project, lasting_database: Callable[..., URL], template: str, tmp_path: Path, revisions: list[str]
) -> None:
    path = tmp_path / "foreign.sql"
    source = Project(Path(), lasting_database(template))
    source.sql("DROP TABLE alembic_version, migration_log, migration_source")
    client_programs.run(client_programs.newest("pg_dump"), source.url, f"--file={path}")

    result = load(shared, path, SCRATCH_HOST=str(shared.url.host))

    name = shared.url.database
    assert result.returncode == 0, result.stderr
    lines = [
        line.split("  ", 3)[1:] for line in result.stdout.partition("What this database needs once:\n")[2].splitlines()
    ]
    assert [line[0] for line in lines] == [
        "✓ environment",
        "✓ scratch server",
        "✗ version",
        "✗ roles",
        "✗ first backup",
    ]
    assert f"The recorded revision is base.  Do: make stamp REV={revisions[-1]}\n" in result.stdout
    assert f"There is no backup of {name} on this server.  Do: make backup\n" in result.stdout
