"""Models that differ from the revision files in one kind of thing each."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, String, Table, text
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.compiler import compiles

from scripts.core.errors import UserError
from scripts.core.models import accepted, operations
from scripts.core.models.compare import ModelComparison
from scripts.core.models.creation import Uncreated
from scripts.core.models.described import Owned
from scripts.core.schema.compare import Difference
from tests.core.models.conftest import Compare
from tests.core.models.kinds import KINDS


def every(side: int) -> MetaData:
    metadata = MetaData()
    for number, (was, now, _) in enumerate(KINDS):
        (was, now)[side]()(metadata, f"t{number}")
    return metadata


def test_every_kind_of_change_is_seen_and_named(compared: Compare) -> None:
    found = compared(every(0), every(1))

    wanted = [line.replace("{}", f"t{number}") for number, (_, _, line) in enumerate(KINDS)]
    missed = [line for line in wanted if not any(line in one for one in found.lines)]
    assert missed == [], "\n".join(found.lines)
    assert "schema tenant is missing" in found.lines
    assert found.failures == []


@pytest.mark.parametrize("side", [0, 1])
def test_of_the_same_models_nothing_is_reported(compared: Compare, side: int) -> None:
    was = every(side)

    assert compared(was, every(side)) == ModelComparison()


def shop(*labels: str, **more: Any) -> MetaData:
    metadata = MetaData()
    people = Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("mood", sa.Enum(*(labels or ("good", "bad")), name="mood"), server_default="good"),
        Column("name", String(50), CheckConstraint("name IN ('a', 'b')"), server_default="x"),
        Column("at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP")),
        Column("n", sa.Numeric(9, 2), server_default="1"),
        Column("plan", String),
        Index("few", "name", postgresql_where=text("name LIKE 'a%' AND id BETWEEN 1 AND 5")),
        **more,
    )
    Table("orders", metadata, Column("id", Integer, primary_key=True), Column("who", ForeignKey(people.c.id)))
    return metadata


INEXPRESSIBLE = [
    "ALTER TABLE people ALTER name SET STORAGE EXTERNAL, ALTER name SET STATISTICS 5, ALTER name SET COMPRESSION pglz",
    "ALTER TABLE people SET (fillfactor = 70, toast.autovacuum_enabled = off), ALTER n SET (n_distinct = 5)",
    "ALTER INDEX few SET (fillfactor = 60)",
    "ALTER INDEX people_pkey SET (fillfactor = 60)",
    "CREATE POLICY own ON people USING (true)",
    "ALTER TABLE people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, REPLICA IDENTITY FULL",
    "CLUSTER people USING people_pkey",
    "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER t AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION nothing()",
    "GRANT SELECT ON people TO PUBLIC",
    "CREATE STATISTICS st ON id, n FROM people",
    "CREATE VIEW names AS SELECT name, mood FROM people",
    "CREATE FUNCTION stop() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END'",
    "CREATE EVENT TRIGGER stops ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION stop()",
]
ALIKE = [
    "ALTER TABLE people ALTER name SET DEFAULT 'x'::text, ALTER n SET DEFAULT 1.0, ALTER at SET DEFAULT now()",
    "ALTER TABLE people ALTER mood SET DEFAULT CAST('go' || 'od' AS mood)",
    "ALTER TABLE people DROP CONSTRAINT people_name_check, ADD CHECK (name::text = ANY (ARRAY['a', 'b']::text[]))",
]
NAMED = [
    "ALTER INDEX few RENAME TO others",
    "ALTER TABLE orders RENAME CONSTRAINT orders_who_fkey TO who_is_it",
    "ALTER SEQUENCE people_id_seq RENAME TO numbers",
    "ALTER TABLE people ALTER plan SET DEFAULT 'free'",
]


def test_what_models_cannot_say_is_not_compared(compared: Compare) -> None:
    assert compared(shop(), shop(), *INEXPRESSIBLE) == ModelComparison()


def test_what_only_prints_differently_is_equal(compared: Compare) -> None:
    found = compared(shop(), shop(), ALIKE[0], ALIKE[2])

    assert found == ModelComparison()


def test_of_an_index_only_the_parameters_that_the_models_state_are_compared(compared: Compare) -> None:
    def stated(**given: Any) -> MetaData:
        metadata = shop()
        people = metadata.tables["people"]
        Index("stated", people.c.n, postgresql_with=given)
        Index("every", people.c.plan)
        return metadata

    others = [
        "ALTER INDEX stated SET (fillfactor = 70)",
        "ALTER INDEX stated SET (deduplicate_items = off)",
        "ALTER INDEX every SET (fillfactor = 60)",
    ]
    renamed = "ALTER INDEX stated RENAME TO other"
    assert compared(stated(), stated(deduplicate_items=False, fillfactor=70), *others) == ModelComparison()
    assert compared(stated(), stated(), *others) == ModelComparison()
    found = compared(stated(), stated(deduplicate_items=False, fillfactor=70), *others, renamed)
    assert (found.lines, len(found.renamed)) == ([], 1)
    found = compared(stated(), stated(fillfactor=80), *others)
    assert [one.name for one in found.differences] == ["table people, index stated"]


def test_an_enum_without_labels_is_made(compared: Compare) -> None:
    metadata = MetaData()
    Table("t", metadata, Column("c", pg.ENUM(name="noenum", metadata=metadata)))

    found = compared(MetaData(), metadata)

    assert found.lines == ["enum noenum is missing", "table t is missing"]
    assert "CREATE TYPE noenum AS ENUM ()" in [one for step in operations.steps(found) for one in step.up]


def test_a_name_the_order_of_labels_and_a_default_that_is_not_stated_are_notes(compared: Compare) -> None:
    found = compared(shop(), shop("bad", "good"), *NAMED)

    assert found.lines == []
    assert found.notes == [
        "Only a name differs: table orders, constraint who_is_it: the same as constraint orders_who_fkey",
        "Only a name differs: table people, index others: the same as index few",
        "Only a name differs: sequence numbers: the same as sequence people_id_seq",
        "Only the order of labels differs: enum mood",
        "table people, column plan: the models do not state its default 'free'::character varying",
    ]


def test_what_cannot_be_created_is_named_and_the_rest_is_compared(compared: Compare) -> None:
    odd = shop(comment="people")
    Table("places", odd, Column("at", pg.HSTORE))
    Index("odd", odd.tables["orders"].c.who, postgresql_using="nothing")

    found = compared(shop(), odd)

    assert found.lines == [
        'table places cannot be created: type "hstore" does not exist',
        'index odd of orders cannot be created: access method "nothing" does not exist',
        "table people, comment is missing",
    ]


def test_tables_of_others_are_named_and_their_partitions_are_not(compared: Compare) -> None:
    found = compared(
        shop(),
        shop(),
        "CREATE TABLE theirs (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE theirs_1 PARTITION OF theirs DEFAULT",
    )

    assert found.lines == ["table theirs is not expected"]


def test_an_accepted_difference_is_known_by_more_than_is_shown() -> None:
    """A long one is shown shortened. Another change behind that part is not accepted."""
    texts = [f"CHECK ((a = {n} AND {'b = 1 AND ' * 20}c = {m}))" for n, m in ((1, 1), (2, 1), (2, 2))]
    one, other = (Difference("table t, constraint k", "structure", wanted, texts[0]) for wanted in texts[1:])

    assert str(one) == str(other)
    assert one.line != other.line


def test_an_accepted_difference_is_one_line_whatever_its_name_is() -> None:
    gone = Difference('table "two\nlines"', "structure", None, "TABLE")
    uncreated = Uncreated(Owned("table", "public", "two\x85lines"), "", "an\nerror")

    lines = accepted.text([gone.line, uncreated.line]).splitlines()[2:]

    assert lines == ['table "two lines" is not expected', "table two lines cannot be created: an error"]


def test_a_constraint_that_cannot_be_created_hides_neither_its_table_nor_those_that_refer_to_it(
    compared: Compare,
) -> None:
    odd = shop()
    odd.tables["people"].append_constraint(CheckConstraint("nothing > 0", name="Odd One"))
    odd.tables["people"].append_constraint(CheckConstraint("n > 5", name="high"))
    Table("visits", odd, Column("id", Integer, primary_key=True), Column("who", ForeignKey("people.id")))
    Index("Odd Index", odd.tables["people"].c.name, postgresql_using="nothing")

    found = compared(shop(), odd, 'CREATE INDEX "Odd Index" ON people (name)')

    assert found.lines == [
        'constraint "Odd One" of people cannot be created: column "nothing" does not exist',
        'index "Odd Index" of people cannot be created: access method "nothing" does not exist',
        "table people, constraint high is missing",
        "table visits is missing",
    ]


def test_a_table_that_cannot_be_created_hides_no_table_that_refers_to_it(compared: Compare) -> None:
    odd = shop()
    odd.tables["people"].append_column(Column("at", pg.HSTORE), replace_existing=True)

    found = compared(shop(), odd)

    assert found.lines == ['table people cannot be created: type "hstore" does not exist']


def test_what_is_for_another_dialect_and_what_is_stated_twice_is_no_difference(compared: Compare) -> None:
    twice = shop()
    people = twice.tables["people"]
    Index("elsewhere", people.c.name).ddl_if(dialect="sqlite")
    people.append_constraint(CheckConstraint("n > 5", name="odd").ddl_if(dialect="sqlite"))
    twice.tables["orders"].append_constraint(sa.ForeignKeyConstraint(["who"], ["people.id"], name="again"))

    found = compared(shop(), twice)

    assert found.lines == []
    assert found.notes == ["table orders, constraint again: the models state the same twice"]


class OfPostgreSQL(sa.sql.functions.FunctionElement[Any]):
    """An expression that has SQL for PostgreSQL only."""

    inherit_cache = True
    type = sa.Uuid()


@compiles(OfPostgreSQL, "postgresql")
def _compiled(_element: Any, _compiler: Any, **_options: Any) -> str:
    return "gen_random_uuid()"


def numbered(start: int = 1, *labels: str) -> MetaData:
    """Sequences that SQL gave to a column, and an enum of no column."""
    metadata = MetaData()
    own = sa.Sequence("own", metadata=metadata, start=start)
    sa.Enum(*(labels or ("a", "b")), name="free", metadata=metadata)
    Table("t", metadata, Column("id", Integer, own, server_default=own.next_value(), primary_key=True))
    default = text("nextval('by_hand'::regclass)")
    columns = (
        Column("id", Integer, server_default=default, primary_key=True),
        Column("odd", sa.Uuid, server_default=OfPostgreSQL()),
    )
    Table("u", metadata, *columns)
    return metadata


def test_a_sequence_that_sql_gave_to_a_column_is_no_difference(compared: Compare) -> None:
    def made(connection: sa.Connection) -> None:
        connection.execute(text("CREATE SEQUENCE by_hand"))
        numbered().create_all(connection)

    owned = ["ALTER SEQUENCE own OWNED BY t.id", "ALTER SEQUENCE by_hand OWNED BY u.id"]
    assert compared(made, numbered(), *owned) == ModelComparison()
    assert compared(made, numbered(), owned[0]) == ModelComparison()
    assert compared(made, numbered(), owned[1]) == ModelComparison()
    names = [one.name for one in compared(made, numbered(5, "a", "b", "x"), *owned).differences]
    assert names == ["enum free", "sequence own"]


def test_the_list_of_accepted_differences_may_be_of_windows_and_must_be_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepted, "ROOT", tmp_path)
    (tmp_path / "alembic").mkdir()
    file = tmp_path / accepted.FILE
    file.write_bytes("\ufeff# why\r\ntable caf\u00e9 is missing\r\n".encode())
    assert accepted.read() == {"table caf\u00e9 is missing"}

    file.write_bytes("table caf\u00e9 is missing\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"^alembic/accepted_differences\.txt is not in UTF-8: "):
        accepted.read()


def meant(number: int) -> MetaData:
    """Models whose words look alike and mean something else."""
    metadata = MetaData()
    first, second = (sa.Sequence(f"seq_{n}", metadata=metadata) for n in (0, 1))
    cut = ("'abcdef'::varchar(3)", "'abcdef'")[number]
    comment = ("use 'a'::text", "use 'a'")[number]
    Table(
        "t",
        metadata,
        Column("id", Integer, primary_key=True, comment=comment),
        Column("n", Integer, server_default=(first, second)[number].next_value()),
        Column("same", Integer, server_default=first.next_value()),
        Column("word", sa.Text, CheckConstraint(f"word <> {cut}", name="cut")),
        Column("made", sa.Text, sa.Computed(f"word || {cut}")),
        CheckConstraint("n > 0", name="high", comment=comment),
        Index("few", "word", postgresql_where=text(f"word <> {cut}")),
        comment=comment,
    )
    return metadata


def test_what_looks_alike_and_means_something_else_is_named(compared: Compare) -> None:
    found = compared(meant(0), meant(1))

    assert [one.name for one in found.differences] == [
        "table t, column id, comment",
        "table t, column made",
        "table t, column n, default",
        "table t, comment",
        "table t, constraint cut",
        "table t, constraint high, comment",
        "table t, index few",
    ]
    comments = [one for step in operations.steps(found) for one in step.up if one.startswith("COMMENT")]
    assert comments == ["COMMENT ON CONSTRAINT high ON t IS 'use ''a'''"]


@pytest.mark.skipif(not hasattr(sa, "CreateView"), reason="SQLAlchemy makes views since 2.1")
def test_a_view_of_the_models_that_no_file_makes_is_named(compared: Compare) -> None:
    metadata = shop()
    for name in ("a_view", "Other", "there"):
        sa.CreateView(sa.select(metadata.tables["people"].c.id), name, metadata=metadata)

    found = compared(shop(), metadata, "CREATE MATERIALIZED VIEW there AS SELECT id FROM people")

    assert found.lines == ['view "Other" is missing', "view a_view is missing"]
