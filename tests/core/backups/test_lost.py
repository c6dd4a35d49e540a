"""scripts/core/backups/lost.py and give_back.py: what a rollback takes away comes back as it was"""

import os
import subprocess
from collections.abc import Sequence
from math import inf
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from scripts.core import postgres, rows
from scripts.core.backups import archive, lost
from scripts.core.errors import UserError
from scripts.core.losses import ROWS, Loss
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, take, value

AWKWARD = [
    r"""(DEFAULT, E'tab\there \\. back\\slash', '{"a": [1, null]}', '\x00ff', 'infinity', NULL)""",
    """(DEFAULT, NULL, 'null', NULL, '-infinity', '{a,NULL,"b c"}')""",
    "(DEFAULT, '', '{}', '', '2026-03-29 02:30:00.123456+02', '{}')",
]
MAKE = {
    'Odd "table" 50%\'s': (
        '("Id" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "a b" text, j json, b bytea, t timestamptz, list text[],'
        ' twice int GENERATED ALWAYS AS ("Id" * 2) STORED)',
        AWKWARD,
    ),
    "keyless": ("(n serial, note json)", ["(DEFAULT, '1')", "(DEFAULT, NULL)"]),
    "parent": ("(id int PRIMARY KEY, up int REFERENCES parent)", ["(1, 2)", "(2, NULL)"]),
    "numbered": ("(id int GENERATED ALWAYS AS IDENTITY, note text)", ["(DEFAULT, 'a')", "(DEFAULT, 'b')"]),
    "child": ("(id int PRIMARY KEY, parent int REFERENCES parent)", ["(1, 2)", "(2, 1)"]),
}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if not name.isidentifier() else name


def make(target: Settings, *names: str, filled: bool = False) -> None:
    for name in names:
        columns, values = MAKE[name]
        execute(target, f"CREATE TABLE {quoted(name)} {columns}")
        if filled:
            execute(target, f"INSERT INTO {quoted(name)} VALUES {', '.join(values)}")


def contents(target: Settings) -> dict[str, rows.Hash]:
    """Rows and hash of each table."""
    with postgres.connect(target) as connection:
        rows.pin(connection)
        return {table.name: rows.read(connection, table, inf).hash for table in rows.tables(connection).values()}


def give_back(url: URL, kept: Path) -> "subprocess.CompletedProcess[str]":
    words = [postgres.program("psql"), "--no-psqlrc", "--command", f"\\i '{kept / archive.LOST}'"]
    return subprocess.run(
        words, env=os.environ | postgres.tool_environment(url), capture_output=True, text=True, check=False
    )


def keep(target: Settings, losses: Sequence[Loss]) -> Path:
    kept = lost.keep(target, losses)
    assert kept
    return kept


def test_tables_come_back_with_all_their_rows(target: Settings) -> None:
    make(target, *MAKE, filled=True)
    before = contents(target)
    # As a rollback names them: by name.
    kept = keep(target, [Loss(quoted(name), None, "rows", 1, ROWS) for name in sorted(MAKE)])

    execute(target, *(f"DROP TABLE {quoted(name)}" for name in reversed(MAKE)))
    make(target, *MAKE)
    result = give_back(target.database_url, kept)

    assert result.returncode == 0, result.stderr
    assert contents(target) == before
    execute(target, 'INSERT INTO "Odd ""table"" 50%\'s" DEFAULT VALUES', "INSERT INTO keyless DEFAULT VALUES")
    assert value(target, "SELECT max(n) FROM keyless") == 3, "its sequence goes on"
    with pytest.raises(Exception, match="GENERATED ALWAYS"):
        execute(target, 'INSERT INTO "Odd ""table"" 50%\'s" ("Id") VALUES (1)')


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ('Odd "table" 50%\'s', ['"a b" text', "j json", "b bytea", "t timestamptz", "list text[]"]),
        ("keyless", ["note json"]),
        ("child", ["parent int"]),
        ("numbered", ["id int GENERATED ALWAYS AS IDENTITY"]),
    ],
)
def test_columns_come_back_with_all_their_values(target: Settings, table: str, columns: list[str]) -> None:
    make(target, "parent", *({table} - {"parent"}), filled=True)
    names = [column.partition(" GENERATED")[0].rpartition(" ")[0] for column in columns]
    read = (
        f"SELECT array_agg(ROW({', '.join(names)})::text ORDER BY ROW({', '.join(names)})::text) FROM {quoted(table)}"
    )
    before = value(target, read)
    kept = keep(target, [Loss(quoted(table), name, "values", 1, f"{name} IS NOT NULL") for name in names])

    execute(target, *(f"ALTER TABLE {quoted(table)} DROP COLUMN {name} CASCADE" for name in names))
    execute(target, *(f"ALTER TABLE {quoted(table)} ADD COLUMN {column}" for column in columns))
    result = give_back(target.database_url, kept)

    assert result.returncode == 0, result.stderr
    assert value(target, read) == before


def test_rows_that_were_changed_or_deleted_are_as_they_were_and_newer_ones_stay(target: Settings) -> None:
    make(target, "parent", "keyless", filled=True)
    kept = keep(target, [Loss(name, None, "rows that may be changed", 1, ROWS) for name in ("keyless", "parent")])
    execute(
        target,
        "UPDATE parent SET up = NULL; DELETE FROM parent WHERE id = 1; INSERT INTO parent VALUES (3, 2)",
        "DELETE FROM keyless WHERE n = 1; INSERT INTO keyless VALUES (9, 'true')",
    )

    result = give_back(target.database_url, kept)

    assert result.returncode == 0, result.stderr
    assert value(target, "SELECT array_agg(ROW(id, up)::text ORDER BY id) FROM parent") == ["(1,2)", "(2,)", "(3,2)"]
    assert value(target, "SELECT array_agg(n ORDER BY n) FROM keyless") == [1, 2, 9]


def test_partitions_heirs_and_sequences_come_back(target: Settings) -> None:
    made = [
        "CREATE TABLE events (at int, what text) PARTITION BY RANGE (at)",
        "CREATE TABLE early PARTITION OF events FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE late PARTITION OF events DEFAULT",
        "CREATE TABLE base (n int)",
        "CREATE TABLE heir (more text) INHERITS (base)",
        "CREATE SEQUENCE numbers",
    ]
    execute(
        target,
        *made,
        "INSERT INTO events VALUES (1, 'a'), (11, NULL); INSERT INTO base VALUES (1); INSERT INTO heir VALUES (2, 'b')",
        "SELECT setval('numbers', 41)",
    )
    before = contents(target)
    kept = keep(
        target,
        [*(Loss(name, None, "rows", 1, ROWS) for name in ("events", "base")), Loss("numbers", None, "values", 1)],
    )

    execute(target, "DROP TABLE events, base CASCADE; DROP SEQUENCE numbers", *made)
    result = give_back(target.database_url, kept)

    assert result.returncode == 0, result.stderr
    assert contents(target) == before
    assert value(target, "SELECT nextval('numbers')") in (42, 43)


def test_what_does_not_fit_any_more_changes_nothing(target: Settings) -> None:
    make(target, "parent", "keyless", filled=True)
    kept = keep(target, [Loss(name, None, "rows", 1, ROWS) for name in ("parent", "keyless")])
    execute(target, "TRUNCATE parent, keyless", "ALTER TABLE keyless RENAME note TO remark")

    result = give_back(target.database_url, kept)

    assert result.returncode != 0
    assert 'column "note" does not exist' in result.stderr
    assert value(target, "SELECT count(*) FROM parent") == 0


def test_where_nothing_goes_nothing_is_written(target: Settings, folder: Path) -> None:
    assert lost.keep(target, [Loss("users", None, "rows", 0, ROWS)]) is None
    assert not folder.exists()


def test_nobody_else_may_read_it_and_it_is_no_backup(filled: Settings, folder: Path) -> None:
    kept = keep(filled, [Loss("users", None, "rows", 1, ROWS)])

    assert kept.stat().st_mode & 0o077 == 0
    listing = archive.list_all(folder)
    assert (listing.lost, listing.backups, listing.others) == ([kept], [], {})
    assert take(filled).name in [backup.name for backup in archive.list_all(folder).backups]
    assert kept.exists(), "no backup removes it"


def test_a_table_that_is_gone_meanwhile_is_an_error_that_leaves_nothing(filled: Settings, folder: Path) -> None:
    with pytest.raises(UserError, match="nobody"):
        lost.keep(filled, [Loss("nobody", None, "rows", 1, ROWS)])

    assert archive.list_all(folder).lost == []
    assert list(folder.glob("*/*")) == []


def test_a_disk_that_becomes_full_is_an_error_that_leaves_nothing(filled: Settings, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    if os.getuid() or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]):
        pytest.skip("only root can mount")
    execute(filled, "CREATE TABLE noise AS SELECT sha512(n::text::bytea) AS b FROM generate_series(1, 20000) n")
    try:
        with pytest.raises(UserError, match="No space left"):
            lost.keep(filled, [Loss("noise", None, "rows", 1, ROWS)])
        assert list(folder.glob("*/*")) == []
    finally:
        subprocess.run(["umount", str(folder)], check=True)
