"""A database with some of everything, and a backup of it."""

from pathlib import Path

import pytest
from sqlalchemy import text

from scripts.core.backups import create
from scripts.core.backups.store import Backup
from scripts.core.postgres import connections, sql
from scripts.core.postgres.sql import Sql
from scripts.core.settings import Settings

ROWS = """
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('abcd01');
CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, state varchar);
ALTER TABLE users ADD CHECK (state IN ('a'));
INSERT INTO users (name, state) SELECT 'user ' || n, 'a' FROM generate_series(1, 100) n;
CREATE TABLE posts (id int PRIMARY KEY, user_id bigint REFERENCES users, body text);
INSERT INTO posts SELECT n, n, 'post ' || n FROM generate_series(1, 50) n;
CREATE TABLE events (at timestamptz, what text) PARTITION BY RANGE (at);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE events_other PARTITION OF events DEFAULT;
INSERT INTO events SELECT '2026-12-30'::timestamptz + n * interval '1 day', 'event' FROM generate_series(1, 10) n;
"""


def execute(target: Settings, *statements: str) -> None:
    """Each on its own."""
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            sql.run(connection, Sql(statement))


def value(target: Settings, query: str) -> object:
    with connections.connect(target) as connection:
        return connection.scalar(text(query))


def take(target: Settings, label: str = "", *exclude: str) -> Backup:
    return create.make(target, create.Wanted(label, exclude))


def flip(path: Path, position: int) -> None:
    """Change one bit of one byte."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(bytes(content))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where backups of this test are kept."""
    monkeypatch.setenv("BACKUP_DIR", str(tmp_path / "backups"))
    monkeypatch.setenv("BACKUP_AFTER", "")
    return tmp_path / "backups"


@pytest.fixture
def filled(target: Settings) -> Settings:
    """A database with rows, at revision abcd01."""
    execute(target, *ROWS.strip().split("\n"))
    return target


# What is granted otherwise than PostgreSQL itself does, each under a readable name.
GRANTED = """
WITH found (name, acl, usual) AS (
    SELECT 'database', datacl, acldefault('d', datdba) FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT oid::regclass::text, relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END,
        relowner)
        FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT format('%s.%s', attrelid::regclass, attname), attacl, '{}' FROM pg_attribute
    UNION ALL SELECT oid::regprocedure::text, proacl, acldefault('f', proowner) FROM pg_proc
    UNION ALL SELECT 'schema ' || nspname, nspacl, acldefault('n', nspowner) FROM pg_namespace
        WHERE nspname !~ '^pg_(toast|temp)'
    UNION ALL SELECT 'type ' || oid::regtype, typacl, acldefault('T', typowner) FROM pg_type
    UNION ALL SELECT 'language ' || lanname, lanacl, acldefault('l', lanowner) FROM pg_language
    UNION ALL SELECT 'wrapper ' || fdwname, fdwacl, acldefault('F', fdwowner) FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'server ' || srvname, srvacl, acldefault('S', srvowner) FROM pg_foreign_server
    UNION ALL SELECT 'large object ' || oid, lomacl, acldefault('L', lomowner) FROM pg_largeobject_metadata
    UNION ALL SELECT format('default %s %s %s', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype),
        defaclacl, '{}' FROM pg_default_acl
), sorted AS (
    SELECT name, (SELECT string_agg(item::text, ', ' ORDER BY item::text) FROM unnest(acl) item) AS acl,
        (SELECT string_agg(item::text, ', ' ORDER BY item::text) FROM unnest(usual) item) AS usual
    FROM found WHERE acl IS NOT NULL
) SELECT name || ': ' || coalesce(acl, '') FROM sorted WHERE acl IS DISTINCT FROM usual ORDER BY 1
"""


def granted(target: Settings) -> list[str]:
    """Every ACL of a database and in it. PostgreSQL keeps its items in the order of granting."""
    with connections.connect(target) as connection:
        return list(sql.run(connection, Sql(GRANTED)).scalars())


@pytest.fixture
def backup(filled: Settings) -> Backup:
    return take(filled)
