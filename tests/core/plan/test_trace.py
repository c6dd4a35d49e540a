"""What PostgreSQL did, for SQL from every source"""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL

from scripts.core.plan import statement_watch
from scripts.core.plan.trace import Statement, Trace
from scripts.core.postgres import connections, driver
from scripts.core.postgres.lock_modes import BLOCKS
from scripts.core.schema import catalog_snapshot
from scripts.core.schema.catalog_snapshot import Column

SETUP = """
    CREATE TABLE one (id int PRIMARY KEY, name varchar(50), at timestamp);
    CREATE TABLE two (id int PRIMARY KEY, one_id int);
    CREATE INDEX by_name ON one (name);
    INSERT INTO one SELECT g, g::text FROM generate_series(1, 3) g;
"""


@pytest.fixture
def traced(
    new_database: Callable[..., URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[Statement]]:
    """Runs a revision's body, whose `execute` is the connection's, and returns its trace."""
    engine = connections.engine(new_database())
    file = tmp_path / "revision.py"

    def run(*body: str, autocommit: bool = False) -> list[Statement]:
        file.write_text("\n".join(body))
        found = Trace()
        options = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
        with (
            engine.connect().execution_options(**options) as connection,
            engine.connect().execution_options(isolation_level="AUTOCOMMIT") as observer,
        ):
            statement_watch.attach(connection, observer, lambda: "abc", {}, found)
            run_file(file, lambda sql: connection.execute(text(sql)), connection.commit, raw=connection.exec_driver_sql)
            connection.commit()
        return found.statements

    with engine.begin() as connection:
        connection.execute(text(SETUP))
    return run


def globals_of(file: Path, **more: object) -> dict[str, object]:
    """What a revision's module has."""
    return {"__file__": str(file), "down_revision": None, **more}


def run_file(file: Path, execute: Callable[[str], object], commit: Callable[[], None], **more: object) -> None:
    exec(compile(file.read_text(), str(file), "exec"), globals_of(file, execute=execute, commit=commit, **more))


def strongest(statement: Statement, table: str) -> str | None:
    order = ["AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", *BLOCKS]
    held = [lock["mode"] for lock in statement.locks if lock["relation"] == table]
    return max(held, key=order.index, default=None)


EFFECTS = [
    ("ALTER TABLE one ADD n int", "AccessExclusiveLock", [], []),
    ("ALTER TABLE one ADD n int DEFAULT 1", "AccessExclusiveLock", [], []),
    ("ALTER TABLE one ADD n timestamptz DEFAULT now()", "AccessExclusiveLock", [], []),
    (
        "ALTER TABLE one ADD n uuid DEFAULT gen_random_uuid()",
        "AccessExclusiveLock",
        ["by_name", "one", "one_pkey"],
        ["one"],
    ),
    ("ALTER TABLE one ALTER id TYPE bigint", "AccessExclusiveLock", ["by_name", "one", "one_pkey"], ["one"]),
    ("ALTER TABLE one ALTER name TYPE varchar(100)", "AccessExclusiveLock", [], []),
    ("ALTER TABLE one ALTER name SET NOT NULL", "AccessExclusiveLock", [], ["one"]),
    ("ALTER TABLE one ADD CONSTRAINT c CHECK (id > 0)", "AccessExclusiveLock", [], ["one"]),
    ("ALTER TABLE one ADD CONSTRAINT c CHECK (id > 0) NOT VALID", "AccessExclusiveLock", [], []),
    ("CREATE INDEX i ON one (at)", "ShareLock", [], ["one"]),
    ("COMMENT ON TABLE one IS 'x'", "ShareUpdateExclusiveLock", [], []),
    ("DROP INDEX by_name", "AccessExclusiveLock", [], []),
]


@pytest.mark.parametrize(("sql", "lock", "rewrites", "scans"), EFFECTS, ids=[effect[0] for effect in EFFECTS])
def test_locks_rewrites_and_scans_are_postgresqls(
    traced: Callable[..., list[Statement]], sql: str, lock: str, rewrites: list[str], scans: list[str]
) -> None:
    (statement,) = traced(f'execute("{sql}")')

    assert strongest(statement, "one") == lock
    assert statement.rewrites == rewrites
    assert statement.scans == scans
    assert statement.rows_written == {}


def test_a_foreign_key_stops_writes_of_both_tables(traced: Callable[..., list[Statement]]) -> None:
    (statement,) = traced('execute("ALTER TABLE two ADD FOREIGN KEY (one_id) REFERENCES one")')

    assert [strongest(statement, name) for name in ("one", "two")] == ["ShareRowExclusiveLock"] * 2
    assert statement.scans == ["two"]


def test_rows_written_are_counted(traced: Callable[..., list[Statement]]) -> None:
    found = traced('execute("UPDATE one SET name = upper(name)")', 'execute("DELETE FROM one WHERE id = 1")')

    assert [statement.rows_written for statement in found] == [{"one": 3}, {"one": 1}]


def test_loops_helpers_and_do_blocks_are_seen_with_the_line_that_ran_them(
    traced: Callable[..., list[Statement]],
) -> None:
    found = traced(
        "def helper(name):",
        '    execute(f"ALTER TABLE {name} ADD n int")',
        "for name in ('one', 'two'):",
        "    helper(name)",
        "execute(\"DO $$ BEGIN EXECUTE 'ALTER TABLE one ' || 'ALTER id TYPE bigint'; END $$\")",
    )

    assert [statement.line for statement in found] == [2, 2, 5]
    assert found[1].locks == [{"relation": "two", "mode": "AccessExclusiveLock"}]
    assert "one" in found[2].rewrites
    assert {statement.revision for statement in found} == {"abc"}


def test_statements_of_one_form_are_counted_after_a_few_and_miss_nothing(
    traced: Callable[..., list[Statement]],
) -> None:
    found = traced(
        "for n in range(1, 101):",
        "    execute(f\"UPDATE one SET name = 'x{n}' WHERE id = {n}\")",
        "    execute(f'INSERT INTO two VALUES ({n})')",
        "    execute(f'DO $$ BEGIN IF {n} = 50 THEN ALTER TABLE one ADD later int; END IF; END $$')",
        "for n in range(5):",
        "    execute(f'COMMENT ON COLUMN one.name IS \\'{n}\\''); execute(f'ALTER TABLE one ADD n{n} int')",
        'execute("UPDATE one SET name = name")',
    )

    executions: dict[str, int] = {}
    for one in found:
        executions[one.sql[:10]] = executions.get(one.sql[:10], 0) + one.executions
    assert executions == {"UPDATE one": 101, "INSERT INT": 100, "DO $$ BEGI": 100, "COMMENT ON": 5, "ALTER TABL": 5}
    assert sum(one.rows_written.get("two", 0) for one in found) == 100
    assert sum(one.rows_written.get("one", 0) for one in found) == 6
    added = [change.after.name for one in found for change in one.changes if isinstance(change.after, Column)]
    assert added == ["later", "n0", "n1", "n2", "n3", "n4"]
    modes = {lock["mode"] for one in found for lock in one.locks if lock["relation"] == "one"}
    assert modes >= {"RowExclusiveLock", "AccessExclusiveLock"}
    assert len(found) < 25


def test_what_a_savepoint_undoes_is_not_there_afterwards(traced: Callable[..., list[Statement]]) -> None:
    found = traced(
        "execute('SAVEPOINT s')",
        "execute('ALTER TABLE one ADD n int')",
        "execute('ROLLBACK TO SAVEPOINT s')",
        "execute('ALTER TABLE one ADD m int')",
    )

    assert [[(bool(c.before), bool(c.after)) for c in one.changes] for one in found] == [
        [],
        [(False, True)],
        [(True, False)],
        [(False, True)],
    ]


def test_a_percent_sign_is_told_as_postgresql_gets_it(traced: Callable[..., list[Statement]]) -> None:
    (statement,) = traced("execute(\"UPDATE one SET name = '5 %' WHERE id % 2 = 0\")")

    assert statement.sql == "UPDATE one SET name = '5 %' WHERE id % 2 = 0"


def test_a_raw_statement_with_a_percent_sign_commits_by_itself(traced: Callable[..., list[Statement]]) -> None:
    found = traced("raw(\"SELECT format('%I', 'a')\")", "raw(\"UPDATE one SET name = '5 %'\")", autocommit=True)

    assert [one.sql for one in found] == ["SELECT format('%I', 'a')", "UPDATE one SET name = '5 %'"]


def test_a_lock_is_told_of_when_it_is_taken_and_not_again(traced: Callable[..., list[Statement]]) -> None:
    found = traced('execute("ALTER TABLE one ADD n int")', 'execute("ALTER TABLE one ADD m int")')

    assert strongest(found[0], "one") == "AccessExclusiveLock"
    assert found[1].locks == []


def test_what_the_transaction_has_made_itself_is_nobodys_business(traced: Callable[..., list[Statement]]) -> None:
    body = ['execute("CREATE TABLE new (n int)")', 'execute("CREATE INDEX ON new (n)")']

    together = traced(*body)
    apart = traced('execute("DROP TABLE new")', body[0], "commit()", body[1])

    assert [statement.locks for statement in together] == [[], []]
    assert [statement.transaction for statement in apart] == [0, 0, 1]
    assert strongest(apart[2], "new") == "ShareLock"


def test_also_when_there_was_nothing_before(traced: Callable[..., list[Statement]]) -> None:
    traced('execute("DROP TABLE one, two")')

    found = traced('execute("CREATE TABLE new (n int)")', 'execute("CREATE INDEX ON new (n)")')

    assert [statement.locks for statement in found] == [[], []]


def test_the_locks_of_a_statement_that_commits_by_itself_are_seen(traced: Callable[..., list[Statement]]) -> None:
    found = traced(
        'execute("INSERT INTO one SELECT g, g::text FROM generate_series(4, 300000) g")',
        'execute("CREATE INDEX CONCURRENTLY i ON one (at)")',
        autocommit=True,
    )

    assert [statement.transaction for statement in found] == [0, 1]
    assert strongest(found[1], "one") == "ShareUpdateExclusiveLock"
    assert found[1].scans == ["one"]


ALONE = [
    ("CREATE INDEX i ON one (at)", "ShareLock", [], ["one"], "DROP INDEX i"),
    ("ALTER TABLE one ADD CONSTRAINT c CHECK (id > 0)", "AccessExclusiveLock", [], ["one"], "DROP CONSTRAINT c"),
    (
        "ALTER TABLE one ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES two",
        "ShareRowExclusiveLock",
        [],
        ["one"],
        "DROP CONSTRAINT c",
    ),
    ("ALTER TABLE one ALTER name SET NOT NULL", "AccessExclusiveLock", [], ["one"], "ALTER name DROP NOT NULL"),
    ("UPDATE one SET name = name", "RowExclusiveLock", [], ["one"], "SET (fillfactor = 90)"),
    ("VACUUM FULL one", "AccessExclusiveLock", ["by_name", "one", "one_pkey"], None, "SET (fillfactor = 90)"),
]


@pytest.mark.faults
def test_a_statement_that_commits_by_itself_has_the_same_effects_each_time(
    traced: Callable[..., list[Statement]],
) -> None:
    traced('execute("TRUNCATE one")')
    undo = {sql: back if back.startswith("DROP INDEX") else f"ALTER TABLE one {back}" for sql, *_, back in ALONE}
    body = [f'execute("{one}")' for sql in undo for one in [sql, undo[sql]] * 20]

    found = traced(*body, autocommit=True)

    for sql, lock, rewrites, scans, _ in ALONE:
        tried = [one for one in found if one.sql == sql]
        assert [strongest(one, "one") for one in tried] == [lock] * 20, sql
        assert [one.rewrites for one in tried] == [rewrites] * 20, sql
        assert scans is None or [one.scans for one in tried] == [scans] * 20, sql


def test_trying_a_statement_uses_no_number_of_a_sequence_and_keeps_nothing(
    traced: Callable[..., list[Statement]],
) -> None:
    traced('execute("CREATE TABLE new (id serial PRIMARY KEY, at int DEFAULT 0)")')

    found = traced(
        'execute("PREPARE p AS SELECT 1")',
        'execute("INSERT INTO new DEFAULT VALUES")',
        'execute("BEGIN; INSERT INTO new DEFAULT VALUES; COMMIT")',
        'execute("INSERT INTO new DEFAULT VALUES")',
        'execute("UPDATE new SET at = 1 WHERE id IN (1, 2, 3)")',
        autocommit=True,
    )

    assert [one.rows_written for one in found] == [{}, {"new": 1}, {"new": 1}, {"new": 1}, {"new": 3}]


def test_names_are_written_as_postgresql_wants_them(traced: Callable[..., list[Statement]]) -> None:
    traced("execute('CREATE SCHEMA \"My Shop\"')", 'execute(\'CREATE TABLE "My Shop"."Sm""all" (n int)\')')

    (statement,) = traced('execute(\'ALTER TABLE "My Shop"."Sm""all" ADD m int\')')

    assert strongest(statement, '"My Shop"."Sm""all"') == "AccessExclusiveLock"


def test_the_catalogs_are_read_again_when_they_are_others_and_only_then(new_database: Callable[..., URL]) -> None:
    engine = create_engine(new_database(), poolclass=NullPool)
    with engine.begin() as connection:
        session = driver.session(connection)

        def read_again(statement: str) -> bool:
            connection.execute(text(statement))
            last, read[:] = read[0], [catalog_snapshot.read(session, read[0])]
            return read[0] is not last

        read = [catalog_snapshot.read(session)]
        statements = {
            "CREATE TABLE t (id int)": True,
            "INSERT INTO t SELECT generate_series(1, 100)": False,
            "SAVEPOINT before": False,
            "ALTER TABLE t ADD n int": True,
            "ROLLBACK TO SAVEPOINT before": True,
            "TRUNCATE t": True,
            "CREATE TYPE e AS ENUM ('a')": True,
            "SET search_path = ''": True,
        }
        assert [read_again(one) for one in statements] == list(statements.values())
