"""Models that differ from the revision files in one kind of thing each."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, String, Table, text
from sqlalchemy.dialects import postgresql as pg

from scripts.core.models.compare import ModelComparison
from scripts.core.schema.compare import Difference
from tests.core.models.conftest import Compare

Model = Callable[[MetaData, str], Any]
"""Adds a table of that name to the metadata, and what belongs to it."""


def table(*parts: Any, **options: Any) -> Model:
    """A table with a key. A function among the parts gets the table's name."""

    def add(metadata: MetaData, name: str) -> None:
        made = [
            part(name) if callable(part) and not isinstance(part, sa.sql.base.Executable) else part for part in parts
        ]
        Table(name, metadata, Column("id", Integer, primary_key=True), *made, **options)

    return add


def and_also(more: Model, of: Model) -> Model:
    return lambda metadata, name: (of(metadata, name), more(metadata, name))


def c(*words: Any, **options: Any) -> Column[Any]:
    return Column("c", *words, **options)


def enum(*labels: str, array: bool = False) -> Callable[[str], Column[Any]]:
    def column(name: str) -> Column[Any]:
        one = sa.Enum(*labels, name=f"{name}_e")
        return c(pg.ARRAY(one) if array else one)

    return column


def index(*of: Any, **options: Any) -> Callable[[str], Index]:
    return lambda name: Index(f"{name}_i", *(text(one) if " " in one or "(" in one else one for one in of), **options)


def key(**options: Any) -> Callable[[str], Column[Any]]:
    return lambda name: c(ForeignKey(f"{name}.id", **options))


def other(metadata: MetaData, name: str) -> None:
    Table(f"{name}_2", metadata, Column("a", Integer))


def in_schema(metadata: MetaData, name: str) -> None:
    Table(name, metadata, Column("a", Integer), schema="tenant")


def keyed_by_c(metadata: MetaData, name: str) -> None:
    Table(name, metadata, Column("id", Integer, nullable=False), c(Integer, primary_key=True, autoincrement=False))


def sequence(**options: Any) -> Model:
    return lambda metadata, name: sa.Sequence(f"{name}_s", metadata=metadata, **options)


def domain(check: str) -> Callable[[str], Column[Any]]:
    return lambda name: c(pg.DOMAIN(f"{name}_d", Integer, check=check))


def computed(expression: str) -> Column[Any]:
    return c(Integer, sa.Computed(expression, persisted=True))


NOW = sa.func.now()
K = "table {}, column c"
KINDS: list[tuple[Callable[[], Model], Callable[[], Model], str]] = [
    (lambda: table(c(String(50))), lambda: table(c(String(60))), f"{K}: varchar(50), expected varchar(60)"),
    (lambda: table(c(Integer)), lambda: table(c(sa.BigInteger)), f"{K}: integer, expected bigint"),
    (
        lambda: table(c(sa.Numeric(9, 2))),
        lambda: table(c(sa.Numeric(9, 3))),
        f"{K}: numeric(9,2), expected numeric(9,3)",
    ),
    (lambda: table(c(sa.DateTime)), lambda: table(c(sa.DateTime(timezone=True))), f"{K}: timestamp without time zone,"),
    (lambda: table(c(pg.JSON)), lambda: table(c(pg.JSONB)), f"{K}: json, expected jsonb"),
    (lambda: table(c(pg.ARRAY(Integer))), lambda: table(c(pg.ARRAY(String))), f"{K}: integer[], expected varchar[]"),
    (lambda: table(c(Integer)), lambda: table(c(Integer, nullable=False)), f"{K}: integer, expected integer NOT NULL"),
    (lambda: table(c(Integer, nullable=False)), lambda: table(c(Integer)), f"{K}: integer NOT NULL, expected integer"),
    (table, lambda: table(c(Integer)), f"{K} is missing"),
    (lambda: table(c(Integer)), table, f"{K} is not expected"),
    (table, lambda: and_also(other, table()), "table {}_2 is missing"),
    (lambda: and_also(other, table()), table, "table {}_2 is not expected"),
    (lambda: table(c(String)), lambda: table(c(String(collation="C"))), f'{K}: varchar, expected varchar COLLATE "C"'),
    (
        lambda: table(computed("id + 1")),
        lambda: table(computed("id + 2")),
        "integer GENERATED ALWAYS AS ((id + 1)) STORED, expected integer GENERATED ALWAYS AS ((id + 2)) STORED",
    ),
    (lambda: table(c(Integer)), lambda: table(computed("id + 2")), f"{K}: integer, expected integer GENERATED ALWAYS"),
    (
        lambda: table(c(Integer, nullable=False)),
        lambda: table(c(Integer, sa.Identity(always=True))),
        f"{K}: integer NOT NULL, expected integer GENERATED ALWAYS AS IDENTITY NOT NULL",
    ),
    (lambda: table(c(Integer, sa.Identity())), lambda: table(c(Integer, sa.Identity(start=5))), "sequence {}_c_seq: "),
    (
        lambda: table(c(Integer, server_default="1")),
        lambda: table(c(Integer, server_default="2")),
        f"{K}, default: 1, ",
    ),
    (lambda: table(c(Integer)), lambda: table(c(Integer, server_default="2")), f"{K}, default is missing"),
    (lambda: table(c(String)), lambda: table(c(String, server_default="50%")), f"{K}, default is missing"),
    (lambda: table(c(sa.DateTime)), lambda: table(c(sa.DateTime, server_default=NOW)), f"{K}, default is missing"),
    (lambda: table(enum("a", "b")), lambda: table(enum("a", "b", "x")), "enum {}_e: 'a', 'b', expected 'a', 'b', 'x'"),
    (lambda: table(enum("a", "b")), lambda: table(enum("a")), "enum {}_e: 'a', 'b', expected 'a'"),
    (
        lambda: table(enum("a", array=True)),
        lambda: table(enum("a", "b", array=True)),
        "enum {}_e: 'a', expected 'a', 'b'",
    ),
    (lambda: table(c(String)), lambda: table(enum("a")), "enum {}_e is missing"),
    (lambda: table(domain("VALUE > 0")), lambda: table(domain("VALUE > 1")), "domain {}_d, constraint {}_d_check: "),
    (
        lambda: table(c(Integer), CheckConstraint("c > 0", name="k")),
        lambda: table(c(Integer), CheckConstraint("c > 1", name="k")),
        "table {}, constraint k: CHECK ((c > 0)), expected CHECK ((c > 1))",
    ),
    (table, lambda: table(CheckConstraint("id > 1", name="k")), "table {}, constraint k is missing"),
    (lambda: table(CheckConstraint("id > 1", name="k")), table, "table {}, constraint k is not expected"),
    (lambda: table(c(Integer)), lambda: table(c(Integer, unique=True)), "table {}, constraint {}_c_key is missing"),
    (
        lambda: table(c(Integer, unique=True)),
        lambda: table(c(Integer), sa.UniqueConstraint("c", deferrable=True)),
        "table {}, constraint {}_c_key: UNIQUE (c), expected UNIQUE (c) DEFERRABLE",
    ),
    (
        lambda: table(c(Integer), sa.UniqueConstraint("c")),
        lambda: table(c(Integer), sa.UniqueConstraint("c", postgresql_nulls_not_distinct=True)),
        "table {}, constraint {}_c_key: UNIQUE (c), expected UNIQUE NULLS NOT DISTINCT (c)",
    ),
    (
        lambda: table(c(Integer, nullable=False)),
        lambda: keyed_by_c,
        "{}_pkey: PRIMARY KEY (id), expected PRIMARY KEY (c)",
    ),
    (
        lambda: table(c(Integer, nullable=False)),
        lambda: table(c(Integer, primary_key=True)),
        "expected PRIMARY KEY (id, c)",
    ),
    (lambda: table(c(Integer)), lambda: table(key()), "table {}, constraint {}_c_fkey is missing"),
    (lambda: table(key()), lambda: table(c(Integer)), "table {}, constraint {}_c_fkey is not expected"),
    (lambda: table(key()), lambda: table(key(ondelete="CASCADE")), "ON DELETE CASCADE"),
    (lambda: table(key()), lambda: table(key(onupdate="SET NULL")), "ON UPDATE SET NULL"),
    (lambda: table(key()), lambda: table(key(deferrable=True, initially="DEFERRED")), "DEFERRABLE INITIALLY DEFERRED"),
    (
        lambda: table(c(pg.INT4RANGE)),
        lambda: table(c(pg.INT4RANGE), pg.ExcludeConstraint(("c", "&&"), name=None)),
        "table {}, constraint {}_c_excl is missing",
    ),
    (lambda: table(c(Integer)), lambda: table(c(Integer, index=True)), "table {}, index ix_{}_c is missing"),
    (lambda: table(c(Integer, index=True)), lambda: table(c(Integer)), "table {}, index ix_{}_c is not expected"),
    (lambda: table(index("id")), lambda: table(index("id", unique=True)), "UNIQUE INDEX {}_i"),
    (
        lambda: table(index("id", postgresql_where=text("id > 0"))),
        lambda: table(index("id", postgresql_where=text("id > 1"))),
        "WHERE (id > 1)",
    ),
    (
        lambda: table(c(Integer), index("id")),
        lambda: table(c(Integer), index("id", postgresql_include=["c"])),
        "INCLUDE (c)",
    ),
    (lambda: table(index("id")), lambda: table(index("id", postgresql_using="hash")), "USING hash"),
    (
        lambda: table(c(String), index("c")),
        lambda: table(c(String), index("c", postgresql_ops={"c": "text_pattern_ops"})),
        "text_pattern_ops",
    ),
    (lambda: table(index("id")), lambda: table(index("id DESC")), "(id DESC)"),
    (lambda: table(c(String), index("lower(c)")), lambda: table(c(String), index("upper(c)")), "upper((c)::text)"),
    (table, lambda: table(comment="people"), "table {}, comment is missing"),
    (lambda: table(c(Integer, comment="a")), lambda: table(c(Integer, comment="b")), f"{K}, comment: a, expected b"),
    (table, lambda: and_also(sequence(), table()), "sequence {}_s is missing"),
    (lambda: and_also(sequence(), table()), lambda: and_also(sequence(increment=2), table()), "sequence {}_s: "),
    (table, lambda: table(prefixes=["UNLOGGED"]), "table {}: TABLE, expected TABLE UNLOGGED"),
    (table, lambda: table(postgresql_partition_by="RANGE (id)"), "expected TABLE PARTITION BY RANGE (id)"),
    (table, lambda: and_also(in_schema, table()), "table tenant.{} is missing"),
    (lambda: table(key()), lambda: table(key(match="FULL")), "MATCH FULL"),
    (
        lambda: table(c(Integer), lambda name: sa.ForeignKeyConstraint(["c"], [f"{name}.id"], name="k")),
        lambda: table(c(Integer), lambda name: sa.ForeignKeyConstraint(["id"], [f"{name}.id"], name="k")),
        "table {}, constraint k: FOREIGN KEY (c) REFERENCES public.{}(id), expected FOREIGN KEY (id)",
    ),
    (lambda: table(c(Integer, sa.Identity())), lambda: table(c(Integer, sa.Identity(always=True))), "GENERATED ALWAYS"),
    (lambda: table(c(Integer, sa.Identity())), lambda: table(c(Integer, nullable=False)), f"{K}: integer GENERATED BY"),
    (
        lambda: table(c(Integer, unique=True)),
        lambda: table(c(Integer), lambda name: sa.UniqueConstraint("c", "id", name=f"{name}_c_key")),
        "UNIQUE (c), expected UNIQUE (c, id)",
    ),
    (lambda: table(enum("a", "b")), lambda: table(enum("a", "x")), "enum {}_e: 'a', 'b', expected 'a', 'x'"),
    (lambda: table(index("id", "(id + 1)")), lambda: table(index("id", "(id + 2)")), "(id, ((id + 2)))"),
    (
        lambda: table(c(Integer), index("c", unique=True)),
        lambda: table(c(Integer), index("c", unique=True, postgresql_nulls_not_distinct=True)),
        "NULLS NOT DISTINCT",
    ),
    (lambda: table(domain("VALUE > 0")), lambda: table(c(Integer)), f"{K}: public.{{}}_d, expected integer"),
    (lambda: table(comment="people"), table, "table {}, comment is not expected"),
    (lambda: and_also(sequence(), table()), lambda: and_also(sequence(maxvalue=9), table()), "sequence {}_s: "),
    (lambda: table(index("id")), lambda: table(c(Integer), index("c")), "(id), expected "),
    (lambda: table(c(pg.JSONB)), lambda: table(c(pg.JSONB, server_default="{}")), f"{K}, default is missing"),
]


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
    sa.event.listen(was, "before_create", sa.DDL("CREATE SCHEMA tenant"))  # type: ignore[no-untyped-call]

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


def numbered(start: int = 1, *labels: str) -> MetaData:
    """Sequences that SQL gave to a column, and an enum of no column."""
    metadata = MetaData()
    own = sa.Sequence("own", metadata=metadata, start=start)
    sa.Enum(*(labels or ("a", "b")), name="free", metadata=metadata)
    Table("t", metadata, Column("id", Integer, own, server_default=own.next_value(), primary_key=True))
    default = text("nextval('by_hand'::regclass)")
    Table("u", metadata, Column("id", Integer, server_default=default, primary_key=True))
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
