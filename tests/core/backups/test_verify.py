"""What a full verification proves, and what it finds"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from scripts.core.backups import integrity, inventory, manifest, restore_into, schema_file, verify
from scripts.core.backups.manifest import Manifest
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres import scratch
from scripts.core.schema import fingerprint
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, flip, take

Changes = Callable[[Manifest], dict[str, object]]


def full(target: Settings, backup: Backup) -> Backup:
    return verify.verify(target, backup, "full")


def changed(backup: Backup, **changes: object) -> Backup:
    """The same files under a manifest that says something else, and says so consistently."""
    made = replace(backup.manifest, **changes)  # type: ignore[arg-type]
    manifest.write(backup.path, made)
    return replace(backup, manifest=made)


def last(backup: Backup) -> manifest.Check:
    return manifest.read(backup.path).checks[-1]


def test_a_good_backup_is_restored_and_that_is_written_down(filled: Settings, backup: Backup) -> None:
    checked = full(filled, backup)

    assert manifest.read(backup.path) == checked.manifest
    assert [check.kind for check in checked.manifest.checks] == ["quick", "full"]
    assert last(backup).passed
    assert last(backup).seconds > 0


def test_nothing_is_left_on_the_scratch_server(
    filled: Settings, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, made = scratch.create, []

    def watched(server: scratch.Scratch, **options: Any) -> Settings:
        made.append(create(server, **options))
        return made[-1]

    monkeypatch.setattr(scratch, "create", watched)
    full(filled, backup)

    (name,) = [str(one.database_url.database) for one in made]
    with scratch.session(filled) as server:
        for query in (
            "SELECT count(*) FROM pg_database WHERE datname = :name",
            "SELECT count(*) FROM pg_stat_activity WHERE datname = :name",
        ):
            assert server.server.scalar(text(query), {"name": name}) == 0


@pytest.mark.parametrize("mode", ["quick", "full"])
def test_damage_is_found_before_anything_is_restored_and_written_down(
    filled: Settings, backup: Backup, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore_into, "fill", None)
    flip(backup.dump / "toc.dat", 100)

    with pytest.raises(UserError, match=r"is damaged: dump/toc\.dat was changed"):
        verify.verify(filled, backup, mode)

    assert not last(backup).passed
    assert last(backup).found == f"{backup.name} is damaged: dump/toc.dat was changed."


def fewer_rows(found: Manifest) -> dict[str, object]:
    return {"tables": found.tables | {"public.users": replace(found.tables["public.users"], rows=99)}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (fewer_rows, "rows of public.users: 100, expected 99"),
        (lambda _: {"revision": ["abcd02"]}, r"revision: \['abcd01'\], expected \['abcd02'\]"),
        (lambda _: {"large_objects": 3}, "large objects: 0, expected 3"),
    ],
)
def test_a_restore_that_is_not_what_was_counted_fails(
    filled: Settings, backup: Backup, changes: Changes, said: str
) -> None:
    other = changed(backup, **changes(backup.manifest))

    with pytest.raises(UserError, match=said):
        full(filled, other)

    assert not last(backup).passed


def test_a_restore_that_lacks_an_object_fails(filled: Settings) -> None:
    """As when pg_dump had forgotten it."""
    execute(filled, "CREATE VIEW seen AS SELECT name FROM users", "CREATE INDEX names ON users (name)")
    backup = take(filled)
    saved = schema_file.read(backup.path)
    (backup.path / schema_file.FILE).unlink()
    more = {"index forgotten": "CREATE INDEX", **saved.objects, "view seen": "SELECT other"}
    schema_file.write(backup.path, replace(saved, objects=more))
    backup = changed(backup, files=integrity.sums(backup.path))

    with pytest.raises(UserError) as caught:
        full(filled, backup)

    assert "index forgotten is missing" in caught.value.problem
    assert "view seen: " in caught.value.problem
    assert "names" not in caught.value.problem


def test_what_only_prints_differently_after_a_restore_is_the_same(filled: Settings) -> None:
    execute(
        filled,
        "CREATE TABLE odd (state varchar(10) CHECK (state IN ('new', 'old')), a varchar, b text)",
        "CREATE INDEX part ON odd (a) WHERE state IN ('a', 'b') AND a <> 'x'",
        "CREATE VIEW seen AS SELECT * FROM odd WHERE state IN ('a', 'b') OR a = ANY (ARRAY['x', b])",
        "CREATE VIEW more AS SELECT * FROM odd WHERE length(a) BETWEEN 1 AND 2 AND state NOT IN ('a', lower('B'))"
        " AND (a = 'x' OR b NOT BETWEEN 'a' AND 'b' OR b = 'c')",
        "CREATE FUNCTION f() RETURNS boolean BEGIN ATOMIC UPDATE odd AS o SET a = 'x' WHERE o.a IN ('a', 'b')"
        " AND length(o.a) NOT BETWEEN 1 AND 2 OR o.b = 'x'; SELECT true; END",
        "CREATE TABLE typed (a varchar(5)[] CHECK (a[1] IN ('a', 'b')), d \"char\"[], n numeric, s char(2),"
        " CHECK (n IN (1, 2.5) AND s IN ('a', 'b')))",
        "CREATE VIEW nested AS SELECT ARRAY[ARRAY[state, 'b'::varchar]] || ARRAY[ARRAY[b]] AS n FROM odd",
        "ALTER TABLE odd ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON odd USING (state IN ('x', 'y'))",
    )
    backup = take(filled)
    with scratch.session(filled) as server:
        made = scratch.create(server)
        restore_into.fill(backup, made)
        with inventory.snapshot(made, "alembic-test") as connection:
            restored = fingerprint.read(connection)

    saved = schema_file.read(backup.path)
    assert restored.fingerprint != saved.fingerprint == backup.manifest.fingerprint, "the trap is gone: simplify"
    assert schema_file.changes(saved, restored) == []


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("CHECK (a > 1)", "CHECK (a > 2)"),
        ("CHECK (a > 1)", "CHECK (b > 1)"),
        ("CHECK (a = 'x'::text)", "CHECK (a = 'y'::text)"),
        ("CHECK (a)", "CHECK (a) NOT VALID"),
        ("a AND b", "a OR b"),
        ("CHECK (((a OR b) AND c))", "CHECK ((a OR (b AND c)))"),
        ("CHECK ((a = 'x(1)'::text))", "CHECK ((a = 'x1'::text))"),
        ("CHECK ((a = 'a  b'::text))", "CHECK ((a = 'ab'::text))"),
        ("CHECK ((a = 'x::text'::text))", "CHECK ((a = 'x'::text))"),
        ("varchar(5)", "varchar5"),
        ("varchar(5)", "varchar"),
        ("numeric(1,11)", "numeric(11,1)"),
        ("text[]", "text"),
        ("date DEFAULT ('x'::text)::date", "date DEFAULT 'x'::date"),
        (
            "CHECK ((a = ANY ((ARRAY['b'::character varying])::text[])))",
            "CHECK ((a = ANY (ARRAY['b'::character varying])))",
        ),
        ("CHECK (f(((a AND b) OR c)))", "CHECK (f((a AND b OR c)))"),
        ('"a  b"', '"ab"'),
        ("FUNCTION f() AS $$ a  b $$", "FUNCTION f() AS $$ a b $$"),
    ],
)
def test_another_meaning_is_a_change(expected: str, found: str) -> None:
    schemas = [Schema({"table t, constraint c": one}, {}, {}) for one in (expected, found)]

    assert [one.name for one in schema_file.changes(*schemas)] == ["table t, constraint c"]


def test_a_comment_is_restored_to_the_letter() -> None:
    schemas = [Schema({"table t, comment": one}, {}, {}) for one in ("((a AND b) AND c)", "(a AND b AND c)")]

    assert len(schema_file.changes(*schemas)) == 1


def test_roles_that_the_scratch_server_lacks_are_made_without_rights(
    filled: Settings, new_role: Callable[..., URL]
) -> None:
    role = str(new_role("secret", "LOGIN SUPERUSER").username)
    execute(filled, f"ALTER TABLE posts OWNER TO {role}", f"GRANT SELECT ON users TO {role}")
    backup = take(filled)
    execute(filled, f"REASSIGN OWNED BY {role} TO CURRENT_USER", f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    full(filled, backup)

    with scratch.session(filled) as server:
        made = server.server.execute(text(f"SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = '{role}'")).one()
    assert tuple(made) == (False, False)


def test_a_backup_of_a_newer_major_is_refused(filled: Settings, backup: Backup) -> None:
    newer = changed(backup, server=990001)

    with pytest.raises(UserError, match=r"is of PostgreSQL 99, but the server is 1\d"):
        full(filled, newer)


def test_what_cannot_be_written_down_is_told_and_counts(filled: Settings, backup: Backup, sent: list[str]) -> None:
    """As in a folder that is read-only, or full."""
    (backup.path / manifest.NEW).mkdir()
    checked = verify.verify(filled, backup, "quick")

    assert checked.manifest.checks[-1].passed
    assert sent == [f"The result of the check of {backup.name} cannot be recorded: Is a directory."]
    assert manifest.read(backup.path) == backup.manifest


def test_a_manifest_that_was_being_written_when_all_was_killed_damages_nothing(
    filled: Settings, backup: Backup
) -> None:
    (backup.path / manifest.NEW).write_text('{"format": 1, ')

    verify.verify(filled, backup, "quick")

    assert last(backup).passed
    assert not (backup.path / manifest.NEW).exists()


def test_without_a_scratch_server_nothing_is_written_down(filled: Settings, backup: Backup) -> None:
    elsewhere = replace(filled, connect_wait=0, values={**filled.values, "SCRATCH_PORT": "1"})

    with pytest.raises(UserError, match="scratch server does not answer"):
        full(elsewhere, backup)

    assert manifest.read(backup.path) == backup.manifest
