"""Words of SQL are no words inside comments, literals and names"""

import pytest

from scripts.core.postgres import statements


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select 1; ;\nselect 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a; COMMIT', \"b; COMMIT\"", ['SELECT , ""']),
        ("SELECT E'it\\'s; COMMIT', e'a''; b'", ["SELECT ,"]),
        ("SELECT 'a\\'; COMMIT", ["SELECT", "COMMIT"]),
        ("SELECT $$a; COMMIT$$, $x$ $$; COMMIT $x$", ["SELECT ,"]),
        ("SELECT a$$b; COMMIT", ["SELECT A$$B", "COMMIT"]),
        ("SELECT 1 -- ; COMMIT\n, 2", ["SELECT 1 , 2"]),
        ("/* ; /* ; */ COMMIT; */ SELECT 1 /* open", ["SELECT 1"]),
        ("SELECT 'open; COMMIT", ["SELECT"]),
        ("SELECT größe FROM straße", ["SELECT GRÖSSE FROM STRASSE"]),
    ],
)
def test_a_text_is_split_as_postgresql_reads_it(sql: str, words: list[str]) -> None:
    assert statements.split(sql) == words


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX CONCURRENTLY i ON t (c)",
        "/* build */ create unique index -- now\n concurrently if not exists i on t (c);",
        "DROP INDEX CONCURRENTLY IF EXISTS i",
        "REINDEX TABLE CONCURRENTLY t",
        "REINDEX (VERBOSE, TABLESPACE x) INDEX CONCURRENTLY i",
        "REINDEX (CONCURRENTLY) TABLE t",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "ALTER TABLE a DETACH PARTITION b CONCURRENTLY",
    ],
)
def test_what_works_concurrently_is_known_by_its_words(sql: str) -> None:
    assert statements.is_concurrent(sql)
    assert statements.may_take_long(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET note = 'CREATE INDEX CONCURRENTLY i ON t (c)'",
        "SELECT 1 -- CONCURRENTLY",
        "UPDATE concurrently SET n = 1",
        'CREATE INDEX "CONCURRENTLY" ON t (c)',
        "ALTER TABLE t RENAME COLUMN a TO concurrently",
        "DO $$ BEGIN EXECUTE 'CREATE INDEX CONCURRENTLY i ON t (c)'; END $$",
        "CREATE INDEX CONCURRENTLY i ON t (c); DROP TABLE t",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c",
        "ALTER TABLE t VALIDATE CONSTRAINT c, ALTER n SET NOT NULL",
        'ALTER TABLE "t VALIDATE CONSTRAINT c" ADD n int',
    ],
)
def test_nothing_else_goes_without_limits(sql: str) -> None:
    assert not statements.may_take_long(sql)


def test_a_validation_may_take_long_and_is_not_concurrent() -> None:
    assert statements.may_take_long("alter table only s.t validate constraint c")
    assert not statements.is_concurrent("alter table only s.t validate constraint c")


@pytest.mark.parametrize(
    ("sql", "controls"),
    [
        ("COMMIT", True),
        ("ALTER TABLE t ADD n int; commit work; SELECT 1", True),
        ("ROLLBACK AND CHAIN", True),
        ("START TRANSACTION", True),
        ("PREPARE TRANSACTION 'x'", True),
        ("ROLLBACK TO SAVEPOINT x", False),
        ("ROLLBACK WORK TO x", False),
        ("PREPARE x AS SELECT 1", False),
        ("SELECT 'x; COMMIT'", False),
        ("DO $$ BEGIN NULL; END $$", False),
    ],
)
def test_what_begins_and_ends_transactions(sql: str, controls: bool) -> None:
    assert statements.controls_transaction(sql) == controls
