"""What stands on a column or a table that make revision changes: it runs, or what stands in its way is named"""

import subprocess
from collections.abc import Callable, Sequence

import pytest

from tests.conftest import Project
from tests.core import running

IMPORTS = """import sqlalchemy as sa
from sqlalchemy import Column, Computed, Enum, Integer, MetaData, Table
from app.database import Base
"""
Write = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def write(empty_project: Project) -> Write:
    """Runs make revision with these models, after a revision with these statements; removes the files before."""
    package = empty_project.path / "app"
    for path in package.glob("models/[su]*.py"):
        path.unlink()
    (package / "models/__init__.py").write_text("from app.database import Base as Base\nimport app.models.m\n")

    def write(models: str, was: Sequence[str], *words: str, accept: str = "") -> "subprocess.CompletedProcess[str]":
        for path in empty_project.versions.glob("*.py"):
            path.unlink()
        (package / "models/m.py").write_text(IMPORTS + models)
        empty_project.write_revision("abcd01", None, "; ".join(f"op.execute({one!r})" for one in was))
        return running.call(empty_project, "revision", "--message", "x", *words, ACCEPT=accept)

    return write


ODD = """
class Odd(sa.types.UserDefinedType):
    def get_col_spec(self, **_):
        return "{}"
"""
TABLE = "CREATE TABLE t (id serial CONSTRAINT pk_t PRIMARY KEY, a int, b varchar)"
MODEL = """
class T(Base):
    __tablename__ = "t"
    id = Column(Integer, primary_key=True)
    a = Column(Integer)
    b = Column(sa.String)
"""
MODEL_IN_PARTITIONS = """
class P(Base):
    __tablename__ = "p"
    id = Column(Integer, primary_key=True, autoincrement=False)
    __table_args__ = {"postgresql_partition_by": "RANGE (id)"}
"""
WAS = [
    TABLE,
    "ALTER TABLE t ADD c int GENERATED ALWAYS AS (a * 2) STORED, ADD d int GENERATED ALWAYS AS (length(b)) STORED",
    "CREATE INDEX ix_t_c ON t (c)",
    "COMMENT ON COLUMN t.c IS 'twice'",
    "CREATE TABLE p (id int CONSTRAINT pk_p PRIMARY KEY, k int) PARTITION BY RANGE (id)",
    "CREATE TABLE p1 PARTITION OF p DEFAULT",
    "CREATE TABLE u (id serial CONSTRAINT pk_u PRIMARY KEY, t_id int CONSTRAINT fk_u_t_id_t REFERENCES t)",
]
NOW = (
    MODEL.replace("id = Column(Integer", "id = Column(sa.BigInteger")
    .replace("a = Column(Integer", "a = Column(sa.BigInteger")
    .replace("sa.String", "sa.Text, nullable=False")
    + """    c = Column(Integer, Computed("a * 2", persisted=True), index=True, comment="twice")
    d = Column(sa.BigInteger, Computed("length(b) + 1", persisted=True))
"""
    + MODEL_IN_PARTITIONS
    + """
class U(Base):
    __tablename__ = "u"
    id = Column(Integer, primary_key=True)
    t_id = Column(sa.ForeignKey("t.id"))
    __table_args__ = {"prefixes": ["UNLOGGED"]}
"""
)


def test_computed_columns_partitions_and_keys_come_along(write: Write) -> None:
    written = write(NOW, WAS, accept="drop.p.k")

    assert written.returncode == 0, written.stdout + written.stderr
    assert "printed:" not in written.stderr, "no warning of Alembic"
    dangers = [line for line in written.stdout.splitlines() if "H07" in line or "H08" in line or "H06" in line]
    assert [line.split("  ")[-1] for line in dangers] == [
        "p.k and all its values are lost.",
        "p.k is dropped, but running code uses it.",
    ], "nothing of what is computed again, of a partition, or of a sequence"


TOTALS = [
    TABLE,
    "ALTER TABLE t ADD total int, ADD twice int GENERATED ALWAYS AS (a * 2) STORED",
    "INSERT INTO t (a, total) VALUES (1, 99)",
]
COMPUTED = (
    MODEL.replace("a = Column(Integer", "a = Column(sa.BigInteger")
    + """    total = Column(Integer, Computed("length(b)", persisted=True))
    twice = Column(sa.String)
"""
)


def test_values_that_postgresql_cannot_keep_need_a_word_and_others_stay(write: Write, empty_project: Project) -> None:
    silent = write(COMPUTED, TOTALS)
    renamed = write(COMPUTED.replace("total", "sum"), TOTALS, "--rename=t.total:sum")
    written = write(COMPUTED, TOTALS, accept="drop.t.total")
    migrated = running.call(empty_project, "migrate")

    assert silent.returncode == 1
    assert "✗ PostgreSQL cannot change t.total into what the models describe: it is dropped" in silent.stderr
    assert "to drop them: ACCEPT=drop.t.total\n" in silent.stderr
    assert renamed.returncode == 2, "a column that is computed takes no values"
    assert written.returncode == 0, written.stdout + written.stderr
    dangers = [line.split("  ")[-1] for line in written.stdout.splitlines() if "H07" in line]
    assert dangers[0] == "t.total and all its values are lost."
    assert not [line for line in dangers if "t.twice and" in line]
    assert migrated.returncode == 0, migrated.stderr
    assert empty_project.sql("SELECT a, twice FROM t") == [(1, "2")]


OF_DOMAIN = [
    TABLE,
    "CREATE DOMAIN code AS text NOT NULL",
    "CREATE DOMAIN short AS code",
    "INSERT INTO t DEFAULT VALUES",
]
CODE = (
    ODD.format("short")
    + MODEL
    + """    code = Column(Odd())
    k = Column(sa.String, nullable=False, unique=True)
"""
)


def test_a_domain_asks_for_a_value_and_a_unique_column_takes_none(write: Write, empty_project: Project) -> None:
    silent = write(CODE, OF_DOMAIN)
    unique = write(CODE, OF_DOMAIN, "--fill=t.code=x,t.k=y")
    written = write(CODE.replace(", unique=True", ""), OF_DOMAIN, "--fill=t.code=x,t.k=y")
    migrated = running.call(empty_project, "migrate")

    assert silent.returncode == 1, silent.stdout
    assert "✗ t.code needs a value in the rows that are there.\n" in silent.stderr
    assert "Why:   Its domain short is NOT NULL, so it cannot be NULL for now.\n" in silent.stderr
    assert "Do:    FILL=t.code=value\n" in silent.stderr
    assert unique.returncode == 2
    assert "constraint uq_t_k is unique, and each row would get the same value.\n" in unique.stderr
    assert written.returncode == 0, written.stdout + written.stderr
    assert migrated.returncode == 0, migrated.stderr
    assert empty_project.sql("SELECT code, k FROM t") == [("x", "y")]


def test_the_advice_about_a_domain_has_no_empty_names(write: Write, empty_project: Project) -> None:
    write(MODEL, [*OF_DOMAIN, "ALTER TABLE t ADD z short"])

    migrated = running.call(empty_project, "migrate")

    assert migrated.returncode == 1
    assert "Do:    give the rows a value before that line. A new column of this domain needs" in migrated.stderr


SAME_NAME = [
    "CREATE SCHEMA sales",
    "CREATE TABLE sales (id serial CONSTRAINT pk_sales PRIMARY KEY, orders int)",
    "CREATE TABLE sales.orders (id serial CONSTRAINT pk_orders PRIMARY KEY)",
    "CREATE TABLE sales.lines (id serial CONSTRAINT pk_lines PRIMARY KEY, o int CONSTRAINT k REFERENCES sales.orders)",
]
SALES = """
class Sales(Base):
    __tablename__ = "sales"
    id = Column(Integer, primary_key=True)

class Line(Base):
    __tablename__ = "lines"
    __table_args__ = {"schema": "sales"}
    id = Column(Integer, primary_key=True)
    o = Column(Integer)
"""
ORDERS = """
class Order(Base):
    __tablename__ = "orders"
    __table_args__ = {"schema": "sales"}
    id = Column(Integer, primary_key=True)
"""


def test_a_word_agrees_to_one_drop_only(write: Write, empty_project: Project) -> None:
    one = write(SALES, SAME_NAME, accept="drop.sales.orders")
    both = write(SALES, SAME_NAME, accept="drop.sales.orders,drop.public.sales.orders")
    column = write(
        SALES.replace("o = Column(Integer", 'o = Column(sa.ForeignKey("sales.orders.id", name="k")') + ORDERS,
        SAME_NAME,
        accept="drop.sales.orders",
    )

    assert one.returncode == 1, one.stdout
    assert "✗ The models no longer describe public.sales.orders.\n" in one.stderr
    assert "to drop them: ACCEPT=drop.public.sales.orders\n" in one.stderr
    assert both.returncode == 0, both.stdout + both.stderr
    assert column.returncode == 0, column.stdout + column.stderr
    (path,) = empty_project.versions.glob("2*.py")
    assert path.read_text().count("drop_column") == 1
    assert "CONSTRAINT k" not in path.read_text(), "a key to the table of that name"


DROPPED = [
    TABLE,
    "CREATE TYPE e AS ENUM ('x', 'y')",
    "CREATE TYPE shared AS ENUM ('x')",
    """CREATE TYPE "one
two" AS ENUM ('it''s', 'carriage\rreturn')""",
    'CREATE TABLE "a, b" (id serial CONSTRAINT pk_u PRIMARY KEY, e e[], s shared, o "one\ntwo")',
    "ALTER TABLE t ADD s shared, ADD e e DEFAULT 'x'",
]


def test_enums_go_with_their_last_table_and_come_back(write: Write, empty_project: Project) -> None:
    written = write(MODEL + '    s = Column(Enum("x", name="shared"))\n', DROPPED, accept='drop."a, b",drop.t.e')

    assert written.returncode == 0, written.stdout + written.stderr
    (path,) = empty_project.versions.glob("2*.py")
    up, down = path.read_text().split("def downgrade")
    assert [text.count("DROP TYPE") for text in (up, down)] == [2, 0]
    assert [text.count("CREATE TYPE") for text in (up, down)] == [0, 2]


TEXTS = [
    TABLE,
    "CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT max(A) FROM t); END'",
    "CREATE FUNCTION other() RETURNS text LANGUAGE sql AS 'SELECT max(b) FROM t AS a_b'",
    "CREATE FUNCTION parsed() RETURNS int BEGIN ATOMIC SELECT max(a) FROM t; END",
]


def test_functions_whose_text_names_a_column_that_is_gone_are_named(write: Write) -> None:
    reading = "import os\nos.environ.get('COLOUR')\n"
    written = write(reading + MODEL.replace("    a =", "    z ="), TEXTS, "--rename=t.a:z")

    assert written.returncode == 0, written.stdout + written.stderr
    assert written.stdout.count("in its text, which PostgreSQL does not change") == 1
    assert "The models read COLOUR from the environment." in written.stderr
    assert "  f(integer) names t.a in its text, which PostgreSQL does not change. Correct it in this" in written.stdout


ENUM = MODEL + '    e = Column(Enum("x", name="e"))\n'
OF_ENUM = [TABLE, "CREATE TYPE e AS ENUM ('x', 'y')", "ALTER TABLE t ADD e e", "CREATE VIEW v AS SELECT e FROM t"]
PARTITIONED = "CREATE TABLE t (id int, a int, b varchar, CONSTRAINT pk_t PRIMARY KEY (id)) PARTITION BY RANGE (id)"
KEYED = MODEL.replace("id = Column(Integer", "id = Column(sa.BigInteger")
BY_RANGE = '    __table_args__ = {"postgresql_partition_by": "RANGE (id)"}\n'
OTHER = 'other = MetaData()\nTable("t", other, Column("x", Integer))\n'


@pytest.mark.parametrize(
    ("models", "was", "said"),
    [
        (ENUM, OF_ENUM, ["view v depends on column", "drop these objects before that line, and create them again"]),
        (KEYED + BY_RANGE, [PARTITIONED], ["partition key", "Do:    rename that table, create it with the new type"]),
        (
            MODEL + BY_RANGE,
            [TABLE],
            ["PostgreSQL cannot partition t, because it exists. Rename it, create", "ATTACH PARTITION"],
        ),
        (MODEL, [PARTITIONED], ["PostgreSQL cannot make a plain table of the partitioned t."]),
        (
            OTHER + MODEL + "    more = Column(Integer)\n",
            [TABLE],
            [
                "✗ Wrote ",
                "table t is there twice: one belongs to a MetaData that [tool.app] does not name (app/models/m",
            ],
        ),
        (
            ODD.format("isbn13") + MODEL + "    o = Column(Odd())\n",
            [TABLE],
            ['create its extension before that line: op.execute("CREATE EXTENSION IF NOT EXISTS isn")'],
        ),
        (ODD.format("odd") + MODEL + "    o = Column(Odd())\n", [TABLE], ["If an extension has it: op.execute("]),
        (
            "from tests_plug_in import *\n" + MODEL,
            [TABLE],
            [
                'A plug-in of Alembic cannot compare its objects: column "late" does not',
                "Do:    leave these objects out",
            ],
        ),
    ],
    ids=["view", "key", "partitioned", "plain", "twin", "extension", "unknown", "plug-in"],
)
def test_what_cannot_be_written_is_named(
    write: Write, empty_project: Project, models: str, was: Sequence[str], said: Sequence[str]
) -> None:
    (empty_project.path / "tests_plug_in.py").write_text(
        "from alembic.autogenerate import comparators\n\n\n"
        '@comparators.dispatch_for("schema")\n'
        "def compare(found, operations, schemas):\n"
        '    found.connection.exec_driver_sql("SELECT late FROM t")\n'
    )

    refused = write(models, was)

    assert refused.returncode == 1, refused.stdout
    printed = refused.stdout + refused.stderr
    assert [text for text in said if text not in printed] == [], printed


KEYS = [
    TABLE,
    "CREATE TABLE p (id int CONSTRAINT pk_p PRIMARY KEY) PARTITION BY RANGE (id)",
    "CREATE TABLE p1 PARTITION OF p DEFAULT",
    "CREATE TABLE u (id serial CONSTRAINT pk_u PRIMARY KEY, p_id int CONSTRAINT fk_u_p_id_p REFERENCES p)",
    "CREATE TABLE gone (id serial CONSTRAINT pk_gone PRIMARY KEY, p_id int CONSTRAINT fk_gone_p_id_p REFERENCES p)",
]
WITH_KEY = (
    MODEL
    + MODEL_IN_PARTITIONS
    + """
class U(Base):
    __tablename__ = "u"
    id = Column(Integer, primary_key=True)
    p_id = Column(sa.ForeignKey("p.id"))
    more = Column(Integer)
"""
)


def test_keys_to_single_partitions_are_no_keys_of_their_own(write: Write, empty_project: Project) -> None:
    """PostgreSQL makes one for each partition of the table that a key refers to. Other databases have others."""
    written = write(WITH_KEY, KEYS, accept="drop.gone")

    assert written.returncode == 0, written.stdout + written.stderr
    (path,) = empty_project.versions.glob("2*.py")
    assert path.read_text().count("fk_gone_p_id_p") == 1
    assert "fk_u_p_id_p" not in path.read_text()
    assert "p1" not in path.read_text()
