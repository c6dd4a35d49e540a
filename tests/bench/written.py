"""`make revision` of models with one column more than their history, against plain autogenerate."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.core import ROOT, subprocesses
from scripts.core.settings import Settings
from tests.bench import peers
from tests.bench.peers import Checkouts

MODELS = """from sqlalchemy import Column, DateTime, ForeignKey, Index, Integer, Numeric, String, Text, func

from app.database import Base

for n in range({tables}):
    made = type(
        f"Model{{n}}",
        (Base,),
        {{
            "__tablename__": f"t{{n}}",
            "id": Column(Integer, primary_key=True),
            "a": Column(Text, nullable=False, index=True),
            "b": Column(String(20), server_default="x"),
            "d": Column(DateTime(timezone=True), server_default=func.now()),
            "e": Column(Numeric(10, 2)),
            "i": Column(ForeignKey(f"t{{max(0, n - 1)}}.id")),
        }},
    )
made.note = Column(String(9))
"""
TABLE = (
    "CREATE TABLE t{n} (id serial CONSTRAINT pk_t{n} PRIMARY KEY, a text NOT NULL, b varchar(20) DEFAULT 'x',"
    " d timestamptz DEFAULT now(), e numeric(10,2),"
    " i int CONSTRAINT fk_t{n}_i_t{to} REFERENCES t{to}); CREATE INDEX ix_t{n}_a ON t{n} (a)"
)
ENV = peers.ENV.replace(
    "from alembic import context", "from alembic import context\nfrom app.models import Base"
).replace("connection=connection,", "connection=connection, target_metadata=Base.metadata,")


@contextmanager
def checkouts(tables: int, revisions: int) -> Iterator[Checkouts]:
    """Checkouts with so many models and revisions. The first revision makes all tables."""
    made = "; ".join(TABLE.format(n=n, to=max(0, n - 1)) for n in range(tables))
    with peers.checkouts([made, *["SELECT 1"] * (revisions - 1)]) as both:
        app = both.ours / "app"
        app.unlink()
        shutil.copytree(ROOT / "app", app)
        shutil.rmtree(app / "models")
        (app / "models").mkdir()
        (app / "models" / "__init__.py").write_text(MODELS.format(tables=tables))
        (both.ours / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
        (both.raw / "app").symlink_to(app)
        (both.raw / "alembic" / "env.py").write_text(ENV)
        (both.raw / "alembic.ini").write_text("[alembic]\nscript_location = alembic\nprepend_sys_path = .\n")
        (both.raw / "alembic" / "script.py.mako").symlink_to(ROOT / "alembic" / "script.py.mako")
        yield both


def ours(checkout: Path, target: Settings) -> float:
    """Seconds that `make revision` takes there, as a whole process; what it writes is removed again."""
    return _written(checkout, [sys.executable, "-m", "scripts.revision", "--message", "more"], target)


def plain(checkout: Path, target: Settings) -> float:
    """Seconds that `alembic revision --autogenerate` takes there; it needs a database at head."""
    alembic = str(Path(sys.executable).with_name("alembic"))
    return _written(checkout, [alembic, "revision", "--autogenerate", "-m", "more"], target)


def _written(checkout: Path, words: list[str], target: Settings) -> float:
    versions = checkout / "alembic" / "versions"
    before = set(versions.glob("*.py"))
    seconds = subprocesses.seconds(words, checkout, peers.environment(target))
    (new,) = set(versions.glob("*.py")) - before
    new.unlink()
    return seconds
