"""A database with some of everything, and a backup of it."""

from pathlib import Path

import pytest
from sqlalchemy import text

from scripts.core import postgres
from scripts.core.backups import dump
from scripts.core.backups.archive import Backup
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


def silent(*_: object) -> None:
    """Nobody listens."""


def execute(target: Settings, *statements: str) -> None:
    """Each on its own."""
    with postgres.connect(target, isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("%", "%%"))


def value(target: Settings, query: str) -> object:
    with postgres.connect(target) as connection:
        return connection.scalar(text(query))


def take(target: Settings, label: str = "", *exclude: str) -> Backup:
    return dump.make(target, dump.Wanted(label, exclude), silent, silent)


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


@pytest.fixture
def backup(filled: Settings) -> Backup:
    return take(filled)
