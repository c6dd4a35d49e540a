"""What goes is found by trying, and counted where it is"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from scripts.core.errors import UserError
from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql
from scripts.core.rollback import loss_detection
from scripts.core.rows.data_loss import Loss
from scripts.core.settings import Settings
from tests.conftest import Project, copy_project
from tests.core.running import run, session

Undo = Callable[..., list[Loss]]

CHANGED = "rows that may be changed or deleted"
READ = "rows that are read, and may then be changed or deleted"


@pytest.fixture
def database(target: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes what the statements make, at the only revision that there is, whose downgrade is one line of code."""
    project = Project(copy_project(tmp_path), target.database_url)
    monkeypatch.setattr("scripts.core.revision_files.ROOT", project.path)

    def make(downgrade: str, *statements: str) -> None:
        for path in project.versions.glob("*.py"):
            path.unlink()
        project.write_revision("abcd01", None, downgrade=downgrade)
        with session(target.database_url) as owner:
            run(owner, "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('abcd01')")
            for statement in statements:
                sql.run(owner, Sql(statement))
            owner.commit()

    return make


@pytest.fixture
def undo(database: Callable[..., None], target: Settings) -> Undo:
    """Finds what the downgrade would lose of a database that the statements have made."""

    def undo(downgrade: str, *statements: str) -> list[Loss]:
        database(downgrade, *statements)
        return loss_detection.find(target, "base")

    return undo


def execute(sql: str) -> str:
    return f"op.execute({sql!r})"


def apart(*lines: str) -> str:
    """Lines of code that each commit by themselves."""
    return "exec(" + repr("\n".join(["with op.get_context().autocommit_block():", *(f"    {x}" for x in lines)])) + ")"


SHOP = "CREATE TABLE shop (id int PRIMARY KEY, note text); INSERT INTO shop VALUES (1, 'a'), (2, NULL), (3, 'c')"
ROWS = [Loss("shop", None, "rows", 3)]


@pytest.mark.parametrize(
    ("downgrade", "losses"),
    [
        (execute("DROP TABLE shop"), ROWS),
        (execute("ALTER TABLE shop DROP COLUMN note"), [Loss("shop", "note", "values", 2)]),
        (execute("DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'shop'; END $$"), ROWS),
        (execute("ALTER TABLE shop RENAME note TO remark; ALTER TABLE shop RENAME TO store"), []),
        (execute("ALTER TABLE shop ADD COLUMN more int; CREATE TABLE new ()"), []),
        (execute("DROP TABLE shop; CREATE TABLE shop (id int, note text)"), ROWS),
        (execute("ALTER TABLE shop RENAME TO store; DROP TABLE store"), ROWS),
        (execute("CREATE SCHEMA old; ALTER TABLE shop SET SCHEMA old"), []),
        (apart(execute("DROP TABLE shop")), ROWS),
        ("pass", []),
    ],
)
def test_tables_and_columns_that_go_are_counted(undo: Undo, downgrade: str, losses: list[Loss]) -> None:
    assert undo(downgrade, SHOP) == losses


FUNCTION = "CREATE FUNCTION clear() RETURNS void LANGUAGE sql AS 'DELETE FROM shop'"
LOOP = (
    "for row in op.get_bind().execute(__import__('sqlalchemy').text('SELECT id FROM shop')): op.execute('DELETE ...')"
)


@pytest.mark.parametrize(
    ("downgrade", "kind"),
    [
        (execute("DELETE FROM shop"), CHANGED),
        (execute("DELETE FROM shop WHERE id = 5"), CHANGED),
        (execute("UPDATE shop SET note = NULL"), CHANGED),
        (execute("TRUNCATE shop"), CHANGED),
        (execute("WITH old AS (DELETE FROM shop RETURNING *) SELECT FROM old"), CHANGED),
        (execute("INSERT INTO shop VALUES (4, 'd') ON CONFLICT (id) DO UPDATE SET note = 'd'"), CHANGED),
        (execute("MERGE INTO shop USING shop s ON s.id = shop.id WHEN MATCHED THEN DELETE"), CHANGED),
        (execute("DO $$ BEGIN EXECUTE 'DELETE ' || 'FROM shop'; END $$"), CHANGED),
        (execute("SELECT clear()"), CHANGED),
        (execute("ALTER TABLE shop RENAME TO store; DELETE FROM store; ALTER TABLE store RENAME TO depot"), CHANGED),
        (apart(execute("DELETE FROM shop WHERE id = 1")), CHANGED),
        (execute("SET session_replication_role = replica; DELETE FROM shop"), CHANGED),
        (
            execute("ALTER TABLE shop DISABLE TRIGGER USER; DELETE FROM shop; ALTER TABLE shop ENABLE TRIGGER USER"),
            CHANGED,
        ),
        (execute("DROP SCHEMA rollback_watch CASCADE; DELETE FROM shop"), CHANGED),
        (execute("ALTER TABLE shop ALTER note TYPE text USING upper(note)"), CHANGED),
        (f"exec({LOOP!r})", READ),
        (apart(f"exec({LOOP!r})"), READ),
        (
            execute("DO $$ DECLARE r record; BEGIN FOR r IN SELECT FROM shop LOOP DELETE FROM shop; END LOOP; END $$"),
            READ,
        ),
        (execute("INSERT INTO shop VALUES (4, 'd')"), None),
        (execute("DO $$ BEGIN INSERT INTO shop VALUES (4, 'd'); END $$"), None),
        (execute("CREATE INDEX ON shop (note); ALTER TABLE shop ADD CHECK (id > 0)"), None),
        (execute("CREATE TABLE new AS SELECT * FROM shop; DELETE FROM new"), None),
        (execute("DO $$ BEGIN PERFORM 1 FROM pg_class; END $$"), None),
    ],
)
def test_rows_of_tables_that_stay_are_counted(undo: Undo, downgrade: str, kind: str | None) -> None:
    assert undo(downgrade, SHOP, FUNCTION) == ([Loss("shop", None, kind, 3)] if kind else [])


@pytest.mark.parametrize(("cascade", "reached"), [("CASCADE", True), ("SET NULL", True), ("RESTRICT", False)])
def test_a_foreign_key_carries_a_deletion_on(undo: Undo, cascade: str, reached: bool) -> None:
    sales = f"CREATE TABLE sales (shop int REFERENCES shop ON DELETE {cascade}); INSERT INTO sales VALUES (1), (1)"

    losses = undo(execute("DELETE FROM shop WHERE id = 1"), SHOP, sales)

    assert [loss.relation for loss in losses] == (["sales", "shop"] if reached else ["shop"])
    assert losses[0].count == (2 if reached else 3)


VALUES = """
    CREATE TYPE grade AS ENUM ('a', 'b');
    CREATE TABLE shop (
        short varchar(255), long text, exact numeric(10, 4), at timestamptz, big bigint, doc json, grade grade
    );
    INSERT INTO shop VALUES
        ('1234567890', '123456789012345', 1.25, '2026-01-01 12:00+00', 7, '[1]', 'a'),
        ('12345', '1', 1.2501, '2026-01-01 00:00+00', 3000000000, '[]', 'b'),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    ALTER DATABASE {database} SET TimeZone = 'UTC'
"""


@pytest.mark.parametrize(
    ("change", "losses"),
    [
        ("short TYPE varchar(5)", ("short", "character varying(5)", 1)),
        ("short TYPE varchar(5) USING short::varchar(5)", ("short", "character varying(5)", 1)),
        ("long TYPE varchar(9) USING left(long, 9)", ("long", "character varying(9)", 1)),
        ("short TYPE text", ("short", "text", 0)),
        ("exact TYPE numeric(10, 2)", ("exact", "numeric(10,2)", 1)),
        ("at TYPE date", ("at", "date", 1)),
        ("at TYPE date USING at::date", ("at", "date", 2)),
        ("long TYPE boolean USING true", ("long", "boolean", 2)),
        ("big TYPE integer", ("big", "integer", 2)),
        ("big TYPE numeric", ("big", "numeric", 0)),
        ("doc TYPE text", ("doc", "text", 2)),
        ("grade TYPE text", ("grade", "text", 0)),
    ],
)
def test_values_that_do_not_come_back_from_a_new_type_are_counted(
    undo: Undo, target: Settings, change: str, losses: tuple[str, str, int]
) -> None:
    column, new, number = losses

    found = undo(execute(f"ALTER TABLE shop ALTER {change}"), VALUES.format(database=target.database_url.database))

    assert found == [Loss("shop", column, f"values that may not fit {new}", number)]


def test_another_type_of_the_same_name_is_another_type(undo: Undo) -> None:
    losses = undo(
        execute(
            "ALTER TYPE grade RENAME TO old; CREATE TYPE grade AS ENUM ('a');"
            " ALTER TABLE shop ALTER grade TYPE grade USING 'a'::grade"
        ),
        "CREATE TYPE grade AS ENUM ('a', 'b'); CREATE TABLE shop (grade grade); INSERT INTO shop VALUES ('a'), ('b')",
    )

    assert losses == [Loss("shop", "grade", "values that may not fit grade", 2)]


def test_a_renamed_type_is_the_same(undo: Undo) -> None:
    assert undo(execute("ALTER TYPE grade RENAME TO mark"), VALUES.partition("ALTER")[0]) == []


def test_names_are_quoted(undo: Undo) -> None:
    losses = undo(
        execute('ALTER TABLE "My ""Shop""" DROP COLUMN "100%"; DROP TABLE "New Orders"."Häuser"; DELETE FROM "T"'),
        'CREATE SCHEMA "New Orders"; CREATE TABLE "New Orders"."Häuser" ("a b" int)',
        'CREATE TABLE "My ""Shop""" ("100%" int, id int); INSERT INTO "My ""Shop""" VALUES (1, 1)',
        'CREATE TABLE "T" (); INSERT INTO "T" DEFAULT VALUES; INSERT INTO "New Orders"."Häuser" VALUES (1)',
    )

    assert [str(loss) for loss in losses] == [
        '"New Orders"."Häuser": 1 row',
        '"My ""Shop"""."100%": 1 value',
        '"T": 1 row that may be changed or deleted',
    ]


def test_the_targets_search_path_holds_on_the_copy(undo: Undo, target: Settings) -> None:
    losses = undo(
        execute("DROP TABLE shop"),
        "CREATE SCHEMA hidden; CREATE TABLE hidden.shop AS SELECT 1",
        f"ALTER DATABASE {target.database_url.database} SET search_path = nowhere, hidden, public",
    )

    assert losses == [Loss("shop", None, "rows", 1)]


EVENTS = """
    CREATE TABLE events (day int, note text) PARTITION BY RANGE (day);
    CREATE TABLE early PARTITION OF events FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (day);
    CREATE TABLE earliest PARTITION OF early FOR VALUES FROM (0) TO (5);
    CREATE TABLE late PARTITION OF events FOR VALUES FROM (10) TO (20);
    INSERT INTO events VALUES (1, 'a'), (2, NULL), (11, 'b');
"""


@pytest.mark.parametrize(
    ("sql", "losses"),
    [
        ("DROP TABLE events", Loss("events", None, "rows", 3)),
        ("DROP TABLE early", Loss("early", None, "rows", 2)),
        ("ALTER TABLE events DROP COLUMN note", Loss("events", "note", "values", 2)),
        (
            "ALTER TABLE events ALTER note TYPE varchar",
            Loss("events", "note", "values that may not fit character varying", 0),
        ),
        ("DELETE FROM events", Loss("events", None, CHANGED, 3)),
        ("TRUNCATE events", Loss("events", None, CHANGED, 3)),
        ("DELETE FROM late", Loss("late", None, CHANGED, 1)),
        ("ALTER TABLE events DETACH PARTITION late", None),
    ],
)
def test_rows_of_partitions_are_counted_once(undo: Undo, sql: str, losses: Loss | None) -> None:
    assert undo(execute(sql), EVENTS) == ([losses] if losses else [])


def test_a_table_without_columns_has_rows_too(undo: Undo) -> None:
    assert undo(execute("DROP TABLE bare"), "CREATE TABLE bare ()", "INSERT INTO bare DEFAULT VALUES") == [
        Loss("bare", None, "rows", 1)
    ]


def test_what_has_no_rows_of_its_own_is_named(undo: Undo) -> None:
    losses = undo(
        execute("DROP VIEW names; DROP MATERIALIZED VIEW sums; DROP FOREIGN TABLE far"),
        SHOP,
        "CREATE VIEW names AS SELECT note FROM shop; CREATE MATERIALIZED VIEW sums AS SELECT count(*) FROM shop",
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE far () SERVER s",
    )

    assert [str(loss) for loss in losses] == [
        "far: 0 rows (a foreign table)",
        "names: 0 rows (a view)",
        "sums: 0 rows (a materialized view)",
    ]


def test_a_foreign_table_is_not_written_to(database: Callable[..., None], target: Settings) -> None:
    """It leads out of the copy: here back into the target."""
    url = target.database_url
    database(
        execute("DELETE FROM far"),
        SHOP,
        f"CREATE EXTENSION postgres_fdw; CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw"
        f" OPTIONS (host '{url.host}', port '{url.port}', dbname '{url.database}')",
        f"CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user '{url.username}', password '{url.password}')",
        "CREATE FOREIGN TABLE far (id int) SERVER here OPTIONS (table_name 'shop')",
    )

    with pytest.raises(UserError, match=r"the rows of the foreign table public.far are on another server") as caught:
        loss_detection.find(target, "base")

    assert ("State", "it failed on a throwaway database; the target was only read.") in caught.value.facts
    with session(url) as owner:
        assert owner.exec_driver_sql("SELECT count(*) FROM far").scalar() == 3


def test_a_sequence_is_lost_once_it_was_used(undo: Undo) -> None:
    losses = undo(
        execute("DROP SEQUENCE used; DROP SEQUENCE fresh; ALTER TABLE shop DROP COLUMN id"),
        "CREATE SEQUENCE used; CREATE SEQUENCE fresh; SELECT nextval('used'); CREATE TABLE shop (id serial)",
    )

    assert [str(loss) for loss in losses] == [
        "fresh: 0 values of a sequence",
        "used: 1 value of a sequence",
        "shop.id: 0 values",
    ]


def test_a_generated_column_can_be_computed_again(undo: Undo) -> None:
    assert (
        undo(
            execute("ALTER TABLE shop DROP COLUMN twice"),
            "CREATE TABLE shop (id int, twice int GENERATED ALWAYS AS (id * 2) STORED); INSERT INTO shop VALUES (1)",
        )
        == []
    )


def test_a_downgrade_that_fails_is_known_before(undo: Undo) -> None:
    with pytest.raises(UserError, match="line 16: ValueError: no") as caught:
        undo('raise ValueError("no")', SHOP)

    assert ("State", "it failed on a throwaway database; the target was only read.") in caught.value.facts


def test_a_role_that_may_not_read_a_table_is_told_which(
    database: Callable[..., None], target: Settings, new_role: Callable[..., URL]
) -> None:
    role = new_role("secret")
    database(execute("DROP TABLE shop"), SHOP)

    with pytest.raises(UserError, match=r"permission denied for table (shop|alembic_version)"):
        loss_detection.find(replace(target, database_url=role.set(database=target.database_url.database)), "base")


@pytest.mark.usefixtures("hasty")
def test_a_table_that_somebody_locks_cannot_be_counted(database: Callable[..., None], target: Settings) -> None:
    database(execute("DROP TABLE shop"), SHOP)
    with session(target.database_url) as owner:
        run(owner, "LOCK TABLE shop")
        with pytest.raises(UserError, match="cannot be read: canceling statement"):
            loss_detection.find(target, "base")
