"""Each kind of change: what `make revision` writes runs up, down and up, and makes what the models describe."""

from collections.abc import Collection, Iterator
from typing import Any

import pytest
from sqlalchemy import MetaData, create_mock_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSchema

from app.database import Base
from tests.conftest import ROOT, Project
from tests.core.models.kinds import KINDS

EVERY = """
from app.database import Base

for number, kind in enumerate(KINDS):
    if number not in {left_out}:
        kind[{side}]()(Base.metadata, f"t{{number}}")
"""
NOT_WRITTEN = [number for number, kind in enumerate(KINDS) if "expected TABLE PARTITION" in kind[2]]


@pytest.fixture
def kinds(project: Project) -> Project:
    """A project without any revision, whose models are those of the kinds."""
    for path in project.versions.glob("*.py"):
        path.unlink()
    models = project.path / "app/models"
    for name in ("user", "social"):
        (models / f"{name}.py").unlink()
    (models / "__init__.py").write_text(
        "from app.database import Base as Base\nfrom app.models import kinds as kinds\n"
    )
    (models / "model_parts.py").write_text((ROOT / "tests/core/models/model_parts.py").read_text())
    return project


def write(project: Project, side: int) -> tuple[str, str]:
    """The output of the command for this side of the kinds, and the file that it wrote."""
    text = (ROOT / "tests/core/models/kinds.py").read_text().replace("tests.core.models", "app.models")
    (project.path / "app/models/kinds.py").write_text(text + EVERY.format(side=side, left_out=NOT_WRITTEN))
    before = set(project.versions.glob("*.py"))
    accept = ",".join(f"drop.{name}" for name in dropped(every(1 - side), every(side)))
    done = project.run("revision", f"--message=side {side}", ACCEPT=accept)
    (path,) = set(project.versions.glob("*.py")) - before
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{path.read_text()}"
    return done.stdout, path.read_text()


def every(side: int, convention: Any = None, left_out: Collection[int] = ()) -> MetaData:
    metadata = MetaData(naming_convention=convention)
    for number, (was, now, _) in enumerate(KINDS):
        if number not in left_out:
            (was, now)[side]()(metadata, f"t{number}")
    return metadata


def dropped(was: MetaData, now: MetaData) -> Iterator[str]:
    for name, table in was.tables.items():
        if name not in now.tables:
            yield name
        else:
            there = now.tables[name].c
            yield from (f"{name}.{one.name}" for one in table.columns if one.name not in there or _goes(one, there))


def _goes(was: Any, there: Any) -> bool:
    """Whether PostgreSQL cannot keep the values of a column that the models still describe."""
    return bool(there[was.name].computed) and not was.computed


def sql(metadata: MetaData) -> list[str]:
    """The statements of create_all, and of the schemas before."""
    dialect, made = postgresql.dialect(), list[str]()  # type: ignore[no-untyped-call]

    def note(statement: Any, *_words: object, **_options: object) -> None:
        made.append(str(statement.compile(dialect=dialect)))

    for schema in filter(None, {one.schema for one in metadata.tables.values()}):
        note(CreateSchema(schema))
    metadata.create_all(create_mock_engine("postgresql://", note), checkfirst=False)
    return made


def test_every_kind_is_written_and_undone(kinds: Project) -> None:
    """The command itself compares after up, after down, and after up again: it says so with exit code 0."""
    before = every(0, Base.metadata.naming_convention, NOT_WRITTEN)
    run = f"[op.get_bind().exec_driver_sql(one.replace('%', '%%')) for one in {sql(before)!r}]"
    kinds.write_revision("abcd01", None, run)

    output, _ = write(kinds, 1)

    assert "H10" in output, "rows with a label that is gone"
    assert "H11" not in output, "a new label stays behind if the rest fails, which harms nothing"


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_every_kind_is_written_from_nothing_and_the_other_way_round(kinds: Project) -> None:
    write(kinds, 1)
    write(kinds, 0)


ROWS = '''"""A table with rows: what they have is converted, and the next key is free."""

import sqlalchemy as sa

from app.database import Base


class Row(Base):
    __tablename__ = "rows"
    id = sa.Column(sa.Integer, sa.Identity(), primary_key=True)
    mood = sa.Column(sa.Enum("a", "x", name="mood"), server_default="x")
    n = sa.Column(sa.Integer)
    flag = sa.Column(sa.Integer, server_default="1")
    twice = sa.Column(sa.Integer, sa.Computed("id * 3", persisted=True), index=True)
    plan = sa.Column(sa.String, nullable=False)
'''
WAS = (
    "CREATE TYPE mood AS ENUM ('a', 'b')",
    "CREATE TABLE rows (id int CONSTRAINT pk_rows PRIMARY KEY, mood mood DEFAULT 'b', n varchar,"
    " flag bool DEFAULT true, twice int GENERATED ALWAYS AS (id * 2) STORED)",
    "CREATE INDEX ix_rows_twice ON rows (twice)",
    "INSERT INTO rows VALUES (7, 'a', '42', false)",
)


def test_rows_are_converted_and_the_next_key_is_free(empty_project: Project) -> None:
    for path in [*empty_project.versions.glob("*.py"), *empty_project.path.glob("app/models/[su]*.py")]:
        path.unlink()
    (empty_project.path / "app/models/__init__.py").write_text(
        "from app.database import Base as Base\nfrom app.models import row as row\n"
    )
    (empty_project.path / "app/models/row.py").write_text(ROWS)
    empty_project.write_revision("abcd01", None, "; ".join(f"op.execute({one!r})" for one in WAS))

    written = empty_project.run("revision", "--message", "now", "--fill=rows.plan=free")
    migrated = empty_project.run("migrate")

    assert written.returncode == 0, written.stdout + written.stderr
    assert migrated.returncode == 0, migrated.stderr
    empty_project.sql("INSERT INTO rows (n) VALUES (1)")
    assert empty_project.sql("SELECT id, mood, n, flag, twice, plan FROM rows ORDER BY id") == [
        (7, "a", 42, 0, 21, "free"),
        (8, "x", 1, 1, 24, "free"),
    ]
