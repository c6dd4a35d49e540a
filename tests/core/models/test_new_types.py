"""The first revision of a project, with schemas and types that its tables need."""

import re
import sys
from inspect import signature

import pytest
import sqlalchemy as sa
from alembic.operations.ops import CreateTableOp, OpContainer
from sqlalchemy.dialects import postgresql as pg

from scripts.core.models import new_types
from tests.conftest import Project

MODELS = '''"""Models in two schemas."""

import enum

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.dialects import postgresql as pg

from app.database import Base


class Mood(sa.TypeDecorator):
    impl = sa.Enum("p", name="decorated")
    cache_ok = True


class Point(sa.types.UserDefinedType):
    def get_col_spec(self):
        return "point"


class Email(sa.TypeDecorator):
    impl = sa.String
    cache_ok = True

    def __init__(self, size, secret=None):
        super().__init__(size)


class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"


class Types(Base):
    __tablename__ = "types"
    id = sa.Column(sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite"), primary_key=True)
    email = sa.Column(Email(50, secret=object()))
    emails = sa.Column(pg.ARRAY(Email(50)))
    points = sa.Column(pg.ARRAY(Point()))
    colour = sa.Column(sa.Enum(Colour, name="colour", values_callable=lambda every: [one.value for one in every]))
    word = sa.Column(sa.Enum(Colour, native_enum=False, create_constraint=True, name="word"))
    other = sa.Column(sa.JSON().with_variant(pg.JSONB(), "postgresql").with_variant(mysql.LONGTEXT(), "mysql"))
    text = sa.Column(mysql.VARCHAR(20))
    inet = sa.Column(pg.INET, index=True)
    span = sa.Column(pg.TSTZRANGE)
    spans = sa.Column(pg.INT4MULTIRANGE)
    often = sa.Column(pg.INTERVAL(fields="DAY TO SECOND", precision=3))
    at = sa.Column(pg.TIMESTAMP(timezone=True, precision=2))
    bits = sa.Column(pg.BIT(3, varying=True))
    words = sa.Column(pg.TSVECTOR)
    uuid = sa.Column(sa.Uuid(as_uuid=False), server_default=sa.func.gen_random_uuid())
    pickle = sa.Column(sa.PickleType)
    price = sa.Column(sa.Numeric(9, 2, asdecimal=False), server_default=sa.text("0"))
    length = sa.Column(sa.Interval(native=True))
    name = sa.Column(sa.String(5, collation="C"))


class Person(Base):
    __tablename__ = "person"
    __table_args__ = {"schema": "Crm"}
    id = sa.Column(sa.Integer, primary_key=True)
    a = sa.Column(sa.Enum("it's 100%", 'x:y "\\\\', name="a", schema="kinds"))
    b = sa.Column(sa.Enum("x", name="b", inherit_schema=True), server_default="x", index=True)
    c = sa.Column(pg.ARRAY(sa.Enum("x", name="c")))
    d = sa.Column(Mood)
    at = sa.Column(Point)
    # more


class Order(Base):
    __tablename__ = "order"
    id = sa.Column(sa.Integer, primary_key=True)
    c = sa.Column(pg.ARRAY(sa.Enum("x", name="c")))
    person_id = sa.Column(sa.ForeignKey(Person.id))
    public_id = sa.Column(sa.ForeignKey("public.stated.id"))


class Event(Base):
    __tablename__ = "event"
    __table_args__ = (
        sa.Index("few", "kind", postgresql_where=sa.text("kind > 0")),
        {"postgresql_partition_by": "LIST (kind)"},
    )
    kind = sa.Column(sa.Integer, primary_key=True)
    twice = sa.Column(sa.Integer, sa.Computed("kind * 2", persisted=True))


class Names(Base):
    __tablename__ = "names"
    __table_args__ = {"info": {"is_view": True}}
    id = sa.Column(sa.Integer, primary_key=True)


class Stated(Base):
    __tablename__ = "stated"
    __table_args__ = {"schema": "public"}
    id = sa.Column(sa.Integer, primary_key=True)
    parent_id = sa.Column(sa.ForeignKey("public.stated.id"))


sa.event.listen(Stated.__table__, "after_create", sa.DDL("CREATE INDEX extra ON stated (parent_id)"))
'''
# Before 2.0.39, SQLAlchemy takes only a text as the default of a domain, and cannot add a constraint by itself.
DEFAULT = 'sa.text("1")' if "isolate_from_table" in signature(sa.schema.AddConstraint).parameters else '"1"'
MORE = f"""e = sa.Column(pg.DOMAIN("positive", sa.Integer, check="VALUE > 0", default={DEFAULT}))
    g = sa.Column(sa.Integer, sa.Identity(), unique=True)
    f = sa.Column(sa.Enum("new", name="f"))"""


@pytest.fixture
def begun(project: Project) -> Project:
    """A project without any revision."""
    for path in project.versions.glob("*.py"):
        path.unlink()
    for name in ("user", "social"):
        (project.path / f"app/models/{name}.py").unlink()
    (project.path / "app/models/__init__.py").write_text(
        "from app.database import Base as Base\nfrom app.models import crm as crm\n"
    )
    (project.path / "app/models/crm.py").write_text(MODELS)
    return project


def test_schemas_and_types_are_written_once_with_the_tables_that_need_them(begun: Project) -> None:
    first = begun.run("revision", "--message", "first")
    again = begun.run("revision", "--message", "again")

    assert first.returncode == 0, first.stdout + first.stderr
    assert "Models and migrations match" in again.stdout, again.stdout + again.stderr
    (path,) = begun.versions.glob("*.py")
    assert "import app.models.crm\n" in path.read_text()
    assert begun.call(sys.executable, "-m", "ruff", "check", "--no-cache", str(path)).returncode == 0
    assert re.findall(r'op\.execute\((?:"|\')((?:CREATE|DROP) \w+)', path.read_text()) == [
        *["CREATE SCHEMA"] * 2,
        *["CREATE TYPE"] * 5,
        "CREATE INDEX",
        "DROP INDEX",
        *["DROP TYPE"] * 5,
        *["DROP SCHEMA"] * 2,
    ]


def test_a_new_column_gets_its_type_before_and_without_a_convention_its_constraint_gets_a_name(
    begun: Project,
) -> None:
    database = begun.path / "app/database.py"
    database.write_text(database.read_text().replace("naming_convention=NAMING_CONVENTION", ""))
    begun.run("revision", "--message", "first")
    crm = begun.path / "app/models/crm.py"
    crm.write_text(crm.read_text().replace("# more", MORE).replace("kind > 0", "kind > 1"))

    result = begun.run("revision", "--message", "more")
    again = begun.run("revision", "--message", "again")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Models and migrations match" in again.stdout, again.stdout + again.stderr
    written = "".join(path.read_text() for path in begun.versions.glob("*.py"))
    assert "ON ONLY" not in written, "the index would leave the partitions out"
    assert '"names"' not in written, "a view became a table"


def test_a_table_of_another_base_is_no_match(begun: Project) -> None:
    crm = begun.path / "app/models/crm.py"
    other = "other = sa.Table('other', sa.MetaData(), sa.Column('id', sa.Integer))\n"
    crm.write_text(crm.read_text() + other)

    result = begun.run("revision", "--message", "first")

    assert result.returncode == 1
    assert "table other cannot be created: it belongs to a MetaData that [tool.app] does not name" in result.stdout


class Said(pg.ENUM):
    """As alembic_postgresql_enum makes it of an enum."""

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, create_type=False)".replace("Said", "ENUM")


def test_a_plug_in_that_says_that_a_type_exists_is_not_contradicted() -> None:
    column: sa.Column[str] = sa.Column("state", Said("a", name="state"))

    new_types.only_name(OpContainer([CreateTableOp("t", [column])]))

    assert repr(column.type).count("create_type=False") == 1
