"""Names and types that SQLAlchemy, Alembic, make or a shell may take for something else."""

import re
import subprocess
import sys

import pytest

from tests.conftest import Project
from tests.core import running

HEAD = """import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from app.database import Base

"""
LONG = "y" * 63
NAMES = ['a,b.c "q" it\'s %(x)s %s :x $y \\z *', "new\nline\x07", LONG, "é" * 31, "Big", "user", "--c"]
SCHEMAS = ["*", 'a,b.c "%s" :x $u \\', "$user", "public ", LONG, "Case", "case", "new\nline"]
PARTS = """
for number, name in enumerate(NAMES):
    short = name[:-1] if len(name) < 60 and len(name.encode()) > 60 else name[:62]
    sa.Table(
        f"t{number}", Base.metadata,
        sa.Column("id", sa.Integer, sa.Sequence("s" + short), primary_key=True),
        sa.Column("u", sa.Integer), sa.Column("c", sa.Integer), sa.Column("f", sa.Integer), sa.Column("i", sa.Integer),
        sa.UniqueConstraint("u", name=sa.schema.conv("u" + short), deferrable=SIDE),
        sa.CheckConstraint(f"c > {SIDE:d}", name=sa.schema.conv("c" + short)),
        sa.ForeignKeyConstraint(["f"], [f"t{number}.id"], name=sa.schema.conv("f" + short), deferrable=SIDE),
        sa.Index(sa.schema.conv("i" + short), "i", postgresql_where=sa.text(f"i > {SIDE:d}")),
    )
for schema in SCHEMAS:
    sa.Table(
        "t", Base.metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("e", sa.Enum("a", name="e", schema=schema)),
        sa.Column("d", pg.DOMAIN("d", sa.Integer, schema=schema, check="VALUE > 0")),
        sa.Column("i", sa.Integer, index=True),
        schema=schema,
    )
"""
TABLES = """
for name in NAMES:
    sa.Table(name, Base.metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column(name, sa.Integer))
"""


@pytest.fixture
def bare(empty_project: Project) -> Project:
    """A project without models and without revisions."""
    models = empty_project.path / "app" / "models"
    for path in [*models.glob("[su]*.py"), *empty_project.versions.glob("*.py")]:
        path.unlink()
    (models / "__init__.py").write_text("from app.database import Base as Base\nimport app.models.odd\n")
    return empty_project


def write(project: Project, models: str, accept: str = "") -> "subprocess.CompletedProcess[str]":
    (project.path / "app/models/odd.py").write_text(HEAD + models)
    return running.call(project, "revision", "--message", "odd", ACCEPT=accept)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_of_all_objects_they_are_written_and_undone_and_of_tables_dropped_as_the_refusal_says(bare: Project) -> None:
    names = f"NAMES, SCHEMAS = {NAMES!r}, {SCHEMAS!r}\n"
    made = write(bare, f"{names}SIDE = False\n{PARTS}{TABLES}")
    refused = write(bare, f"{names}SIDE = True\n{PARTS}")
    said = re.search(r"to drop them: (ACCEPT=.*)", refused.stderr)
    assert said, refused.stderr
    typed = f"{said[1]} exec {sys.executable} -m scripts.revision --message odd"
    dropped = bare.call("sh", "-c", typed)
    again = running.call(bare, "revision", "--message", "nothing")
    migrated = running.call(bare, "migrate")

    assert made.returncode == 0, made.stdout + made.stderr
    assert dropped.returncode == 0, dropped.stdout + dropped.stderr
    assert "✓ Models and migrations match" in again.stdout, again.stdout
    assert migrated.returncode == 0, migrated.stderr


OF_NO_CLASS = """
class Type(sa.types.UserDefinedType):
    cache_ok = True

    def __init__(self, name):
        self.name = name

    def get_col_spec(self, **options):
        return self.name

    def __repr__(self):
        return f"Type({self.name!r})"

"""
COMPOSITE = ['"my(type)"', '"My Type"', '"a,b"', '"x%"', '"q""q"', '"s.t"', '"it\'s"', '"a.b"."c(1)"']
MADE = ['CREATE SCHEMA "a.b"', *(f"CREATE TYPE {name} AS (a int)" for name in COMPOSITE)]
MADE += ["CREATE TYPE \"e(1)\" AS ENUM ('x', 'y(,z)')", 'CREATE DOMAIN "varchar(3)" AS int']
TYPES = [name.replace("%", "%%") for name in COMPOSITE]
TYPES += [
    '"my(type)"[]',
    '"e(1)"',
    '"e(1)"[]',
    '"varchar(3)"',
    "point",
    "xid8",
    "name",
    '"char"',
    "regtype[]",
    "bit(3)",
]


def columns(types: list[str]) -> str:
    listed = "".join(f', sa.Column("c{number}", Type({name!r}))' for number, name in enumerate(types))
    return f'sa.Table("NAME", Base.metadata, sa.Column("id", sa.Integer, primary_key=True){listed})\n'


def test_columns_of_types_that_sqlalchemy_does_not_know_are_written_and_come_back(bare: Project) -> None:
    bare.write_revision("abcd01", None, "; ".join(f"op.execute({one!r})" for one in MADE))
    both = [columns(TYPES).replace("NAME", name) for name in ("dropped", "emptied")]
    words = ["drop.dropped", *(f"drop.emptied.c{number}" for number, _ in enumerate(TYPES))]

    made = write(bare, OF_NO_CLASS + "".join(both))
    gone = write(bare, OF_NO_CLASS + columns([]).replace("NAME", "emptied"), ",".join(words))

    assert made.returncode == 0, made.stdout + made.stderr
    assert gone.returncode == 0, gone.stdout
    files = "".join(path.read_text() for path in bare.versions.glob("*.py"))
    assert files.count("sa.types.UserDefinedType") > len(TYPES)
    assert "scripts" not in files


BROKEN = """
class Nothing(Type):
    def get_col_spec(self, **options):
        return self.nothing

for name, of in (("a", Type('"x%"')), ("b", Nothing("x")), ("d", sa.Integer())):
    sa.Table(name, Base.metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("c", of))

@sa.event.listens_for(Base.metadata.tables["d"], "after_create")
def fail(target, connection, **options):
    {}["none"]
"""


def test_a_type_or_an_event_that_fails_is_named_and_the_rest_is_compared(bare: Project) -> None:
    (bare.path / "app/models/odd.py").write_text(HEAD + OF_NO_CLASS + BROKEN)
    bare.write_revision("abcd01", None)

    result = running.call(bare, "lint", "--all")

    assert result.returncode == 1
    found = re.findall(r"^  (.*?)(?: \(app/models/odd.py, line \d+\))?$", result.stdout, re.MULTILINE)
    assert [re.sub(r"sqlalchemy\S*\.", "", line) for line in found[:4]] == [
        "table a cannot be created: TypeError: immutabledict is not a sequence",
        "table b cannot be created: AttributeError: 'Nothing' object has no attribute 'nothing'",
        "DDL event of d fails: KeyError: 'none'",
        "table d is missing",
    ]
