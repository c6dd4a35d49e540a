"""make adopt"""

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Project

INI = """[alembic]
script_location = %(here)s/migrations
prepend_sys_path = .
file_template = %%(rev)s_%%(slug)s
recursive_version_locations = true
sqlalchemy.url = postgresql+psycopg2://shop:secret@db.example.com/shop
"""
ENV = """import os

from alembic import context
from sqlalchemy import create_engine, text
from shop.base import Base
from shop import models

config = context.config
LEGACY = ("legacy",)


def skip(object, name, type_, reflected, compare_to):
    return not (type_ == "table" and name in LEGACY)


def main():
    with create_engine(os.environ["SHOP_DATABASE_URI"]).connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_object=skip,
            version_table="shop_version",
            compare_type=True,
            on_version_apply=[lambda **_: None],
        )
        with context.begin_transaction():
            context.run_migrations()


main()
"""
BASE = """import os
import sys

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

KEY = os.environ["SECRET_KEY"]
# As the metrics of prometheus_client: they refuse to be registered twice in one process.
if hasattr(sys, "shop_is_registered"):
    raise ValueError("Duplicated")
sys.shop_is_registered = True


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={"fk": "fk_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"})
"""
MODELS = """from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shop.base import Base


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    note: Mapped[str | None]
"""
# A model of an index that cannot be made, and one of an index that differs at the end of a long text.
DIFFERENT = (
    MODELS.replace("Mapped[str | None]", "Mapped[int | None]")
    .replace(
        "    name: Mapped[str]\n",
        "    name: Mapped[str]\n    __table_args__ = (Index('by_trigram', 'name', postgresql_using='gin'),\n"
        "        Index('twice', 'name'), Index('twice', 'id'), Index('partial', 'id', 'name'))\n",
    )
    .replace("import ForeignKey", "import ForeignKey, Index")
)
PARTIAL = """    op.execute("CREATE INDEX twice ON products (name)")
    op.execute("CREATE INDEX partial ON products (id, name) WHERE name IS NOT NULL AND id > 0")
    op.execute("ALTER TABLE products ALTER name SET DEFAULT 'x'")


def downgrade"""
REVISIONS = {
    "a1": (None, 'op.create_table("products", sa.Column("id", sa.Integer, primary_key=True))'),
    "b1": ("a1", 'op.add_column("products", sa.Column("name", sa.String, nullable=False))'),
    "b2": ("a1", 'op.execute((Path(__file__).parents[1] / "sql" / "orders.sql").read_text())'),
    "c1": (("b1", "b2"), 'op.add_column("orders", sa.Column("note", sa.String))'),
}
ORDERS = """CREATE TABLE legacy (id int);
CREATE TABLE orders (id serial CONSTRAINT pk_orders PRIMARY KEY,
    product_id int NOT NULL CONSTRAINT fk_orders_product_id REFERENCES products);"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def revision(name: str) -> str:
    down, upgrade = REVISIONS[name]
    return (
        f'"""{name}"""\n\nfrom pathlib import Path\n\nimport sqlalchemy as sa\nfrom alembic import op\n\n'
        f'import shop.models\n\nrevision = "{name}"\ndown_revision = {down!r}\n\n\ndef upgrade():\n    {upgrade}\n\n\n'
        "def downgrade():\n    pass\n"
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write(
        tmp_path / "shop",
        {
            "alembic.ini": INI,
            "requirements.txt": "sqlalchemy>=2\nalembic\npsycopg2\n",
            ".env": "SHOP_DATABASE_URI=postgresql://shop:secret@db.example.com/shop\nSECRET_KEY='a b'\nDB_HOST=x\n",
            ".git/config": "private",
            "migrations/env.py": ENV,
            "migrations/sql/orders.sql": ORDERS,
            **{f"migrations/versions/{name}.py": revision(name) for name in REVISIONS if name != "c1"},
            "migrations/versions/2026/c1.py": revision("c1"),
            "shop/__init__.py": "",
            "shop/base.py": BASE,
            "shop/models.py": MODELS,
            "shop/.env": "PASSWORD=secret\n",
            "compose.yaml": "services:\n  db:\n    image: pgvector/pgvector:pg16\n  redis:\n    image: redis:8\n",
            "shop/__main__.py": "import time\n\ntime.sleep(60)\n",
            "tests/test_shop.py": "",
        },
    )


def sums(folder: Path) -> dict[str, str]:
    """All that is in a folder, and when each folder in it was last changed."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else str(path.stat().st_mtime_ns)
        for path in [folder, *folder.rglob("*")]
    }


def adopt(project: Project, given: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return project.run("adopt", f"--project={given}", *words, **variables)


def called(project: Project, verb: str) -> "subprocess.CompletedProcess[str]":
    """A process of its own: one that is forked knows the example."""
    return project.call(sys.executable, "-m", f"scripts.{verb}")


def test_a_project_moves_in_and_is_as_it_was(empty_project: Project, shop: Path) -> None:
    (shop / "shop" / "models.py").write_text(DIFFERENT)
    (shop / "migrations" / "versions" / "b1.py").write_text(revision("b1").replace("def downgrade", PARTIAL))
    before, here = sums(shop), empty_project.path
    (here / ".env").write_text("PUBLISH_INTERVAL=9\n")

    asked = adopt(empty_project, shop)
    differs = refused(empty_project, shop, code=1, CONFIRM="shop")
    result = adopt(empty_project, shop, CONFIRM="shop", ACCEPT="differences")

    assert asked.returncode == 1
    assert f"make adopt PROJECT={shop} CONFIRM=shop" in asked.stderr
    assert "The models of the project do not match its revision files." in differs
    assert "Override with ACCEPT=differences." in differs
    assert result.returncode == 0, result.stdout + result.stderr
    for line in (
        "revisions     4 files -> alembic/versions/",
        "models        migration_models:metadata, 2 tables",
        "dependencies  requirements.txt: 2, all are here already; left out: psycopg2: psycopg2-binary is the same here",
        "not carried   on_version_apply: this environment does not use it",
        "carried over  include_object, file_template=%(rev)s_%(slug)s, recursive_version_locations=true, vers",
        "get the URL   DATABASE_URL, SHOP_DATABASE_URI",
        "services      compose.yaml: db (pgvector/pgvector:pg16), redis (redis:8)",
        "  Its database runs pgvector/pgvector:pg16: set POSTGRES_IMAGE=pgvector/pgvector:pg16 in .env.",
        "Kept 1 default that the models do not state: alembic/accepted_differences.txt",
        "✓ 4 revisions ran from empty, and made 3 tables.",
    ):
        assert line in result.stdout
    assert len(result.stdout.partition("✓ Adopted shop.")[2].splitlines()) <= 6
    assert sums(shop) == before
    require_moved(here)
    with (here / ".env").open("a") as file:  # as scripts/runtimes/docker.sh does
        file.write((here / ".env.adopted").read_text())
    checked = called(empty_project, "adopt")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "but for 5 differences in alembic/accepted_differences.txt" in checked.stdout
    assert called(empty_project, "migrate").returncode == 0
    assert empty_project.sql("SELECT version_num FROM shop_version") == [("c1",)]
    again = empty_project.call(sys.executable, "-m", "scripts.adopt", f"--project={shop}")
    assert "This checkout has an application already: " in again.stderr


def require_moved(here: Path) -> None:
    assert not (here / "app").exists()
    assert not (here / ".adopt").exists()
    assert not (here / "shop" / ".env").exists()
    assert (here / "tests" / "staging").is_dir()
    assert (here / "alembic" / "sql" / "orders.sql").read_text() == ORDERS
    assert (here / "alembic" / "versions" / "2026" / "c1.py").exists()
    app = tomllib.loads((here / "pyproject.toml").read_text())["tool"]["app"]
    assert app["packages"] == ["shop", "migration_models"]
    assert app["command"] == "python -m shop"
    assert app["url_variables"] == ["SHOP_DATABASE_URI"]
    # The tests name the server by POSTGRES_HOST, as Compose does, and a container cannot write .env.
    assert (here / ".env.adopted").read_text() == "\n# Of shop\nAPP_DRIVER='psycopg2'\nSECRET_KEY='a b'\n"
    assert "\n  SECRET_KEY:\n" in (here / "docker-compose.yml").read_text()
    accepted = (here / "alembic" / "accepted_differences.txt").read_text()
    assert "table orders, column note" in accepted
    assert "table products, column name: the models do not state its default 'x'::character varying" in accepted


def refused(project: Project, given: Path | str, *words: str, code: int = 2, **variables: str) -> str:
    result = project.run("adopt", f"--project={given}", *words, **variables)
    assert result.returncode == code, result.stdout + result.stderr
    assert (project.path / "app" / "models" / "user.py").exists()
    assert not (project.path / ".adopt").exists()
    return result.stderr


def test_what_is_no_project_with_one_alembic_environment_is_refused(empty_project: Project, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    two = write(tmp_path / "two", {"a/alembic.ini": INI, "b/alembic.ini": INI})
    sections = write(tmp_path / "sections", {"alembic.ini": INI + INI.replace("[alembic]", "[other]")})
    broken = write(tmp_path / "broken", {"alembic.ini": "[alembic\n"})

    assert "PROJECT=../nothing does not exist." in refused(empty_project, "../nothing")
    assert f"There is no Alembic configuration in {tmp_path}/empty." in refused(empty_project, tmp_path / "empty")
    assert "is inside this checkout." in refused(empty_project, empty_project.path / "app")
    assert "is around this checkout." in refused(empty_project, "..")
    assert f"make adopt PROJECT={two}/a/alembic.ini" in refused(empty_project, two)
    assert f"make adopt PROJECT={sections} NAME=alembic" in refused(empty_project, sections)
    assert "NAME=third is not one of alembic, other" in refused(empty_project, sections, "--name=third")
    assert f"{broken}/alembic.ini cannot be read" in refused(empty_project, broken, code=1)
    assert "APP_ENV is staging." in refused(empty_project, two, APP_ENV="staging")


DEPOT = {
    "depot/__init__.py": "",
    "depot/alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\n",
    "depot/logging/__init__.py": "",
    "depot/base.py": "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n    pass\n",
    "depot/items.py": MODELS.partition("\n\n\nclass Order")[0].replace("shop.base", "depot.base") + "\n",
    "depot/models.py": "from depot import base\n\n\ndef import_all():\n    import depot.items\n",
    "depot/settings.py": """import os
from pathlib import Path

Path.home().joinpath("depot.cfg").touch()


def get(name):
    return os.environ.get("DEPOT__" + name.upper(), "sqlite://")
""",
    "depot/migrations/env.py": """from logging import getLogger

from alembic import context
from depot import models, settings
from sqlalchemy import create_engine

models.import_all()
getLogger("depot")
with create_engine(settings.get("sql_alchemy_conn")).connect() as connection:
    context.configure(connection=connection, target_metadata=models.base.Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
""",
    "depot/migrations/versions/a1.py": revision("a1").replace("shop.models", "depot.items"),
}


def test_a_package_with_its_alembic_ini_inside_is_tried_as_it_is_installed(
    empty_project: Project, tmp_path: Path
) -> None:
    depot = write(tmp_path / "depot", DEPOT)
    write(tmp_path / "depot", {"depot-1.dist-info/METADATA": "Metadata-Version: 2.4\nName: depot\n"})
    (tmp_path / "home").mkdir()

    asked = adopt(empty_project, depot / "depot", HOME=str(tmp_path / "home"), CONFIRM="depot", ACCEPT="differences")

    assert asked.returncode == 0, asked.stdout + asked.stderr
    for line in (
        f"project       {depot}, depot/alembic.ini [alembic], depot/migrations/env.py",
        "models        migration_models:metadata, 1 table",
        "packages      depot, distribution/; migration_models",
        "get the URL   DATABASE_URL, DEPOT__SQL_ALCHEMY_CONN",
    ):
        assert line in asked.stdout, asked.stdout + asked.stderr
    assert not list((tmp_path / "home").iterdir())
    inside = empty_project.path / "depot" / "migrations"
    assert sorted(one.name for one in inside.iterdir()) == ["env.py", "versions"]
    assert (inside / "versions").resolve() == (empty_project.path / "alembic" / "versions").resolve()
    assert (inside / "versions" / "a1.py").is_file()


CREATE = 'connection.execute(text("CREATE TABLE extra (id int)"))\n'


@pytest.mark.faults
def test_a_project_that_does_not_run_or_match_is_refused(empty_project: Project, shop: Path) -> None:
    env = shop / "migrations" / "env.py"

    env.write_text(ENV.replace("        with context.begin", "        " + CREATE + "        with context.begin"))
    said = refused(empty_project, shop, code=1, CONFIRM="shop")
    assert "The revisions make another schema here than with the env.py of shop:\n    table extra is missing" in said
    assert "Its env.py also executes: CREATE TABLE extra (id int)" in said

    env.write_text(ENV.replace("LEGACY = ", "import missing_package\nLEGACY = "))
    said = refused(empty_project, shop, code=1)
    assert "The env.py of shop does not run: migrations/env.py, line 9: ModuleNotFoundError" in said
    assert "add the package of missing_package to the project's dependencies" in said

    env.write_text(ENV.replace("context.run_migrations()", "context.run_migrations(engine_name='one')"))
    said = refused(empty_project, shop, code=1)
    assert "migrations/env.py, line 27, of shop, runs the revisions for several databases or schemas." in said

    env.write_text(ENV.replace('os.environ["SHOP_DATABASE_URI"]', 'os.environ["ARCHIVE"]'))
    said = refused(empty_project, shop, code=1)
    assert "write ARCHIVE=… into the project's .env" in said

    env.write_text(ENV.replace('os.environ["SHOP_DATABASE_URI"]', '"sqlite://"'))
    assert "env.py connects to sqlite, not to PostgreSQL" in refused(empty_project, shop, code=1)


@pytest.mark.faults
def test_what_an_installation_and_an_administrator_gave_is_found_by_the_errors(
    empty_project: Project, shop: Path
) -> None:
    more = """    op.execute("CREATE EXTENSION dblink")
    op.execute("UPDATE products SET name = unaccent(name)")


def downgrade"""
    (shop / "migrations" / "versions" / "b1.py").write_text(revision("b1").replace("def downgrade", more))
    version = "from importlib.metadata import version\n\n__version__ = version('the-shop')\n"
    write(shop, {"shop/start.py": "from alembic import command\n", "shop/__init__.py": version})
    own = (
        '[project]\nname = "The_Shop"\nversion = "1.2"\ndependencies = ["alembic"]\nscripts.shop = "shop.start:main"\n'
    )
    write(shop, {"pyproject.toml": own})

    result = adopt(empty_project, shop, CONFIRM="shop")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "extensions    dblink, unaccent, which only an administrator may create" in result.stdout
    assert "shop/start.py runs Alembic: switch this off, make migrate does it" in result.stdout
    app = tomllib.loads((empty_project.path / "pyproject.toml").read_text())["tool"]["app"]
    assert app["extensions"] == ["dblink", "unaccent"]
    assert app["packages"] == ["shop", "distribution/", "migration_models"]
    programs = empty_project.path / "distribution" / "The_Shop-1.2.dist-info" / "entry_points.txt"
    assert programs.read_text() == "[console_scripts]\nshop = shop.start:main"
    assert "command       not found; look at shop" in result.stdout


def test_changes_that_git_does_not_have_are_refused(empty_project: Project, shop: Path) -> None:
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        assert empty_project.call("git", *words).returncode == 0
    toml = empty_project.path / "pyproject.toml"
    toml.write_text(toml.read_text() + "# mine\n")

    said = refused(empty_project, shop, code=1)

    assert "There are changes that are not committed: pyproject.toml." in said


def test_after_a_kill_other_commands_say_so_and_the_next_adopt_undoes_it(empty_project: Project) -> None:
    """The new pyproject.toml names a package that is written after it."""
    here = empty_project.path
    toml = (here / "pyproject.toml").read_text()
    journal = {"written": ["pyproject.toml", "shop/__init__.py"], "saved": ["pyproject.toml"]}
    write(here, {".adopt/journal.json": json.dumps(journal), ".adopt/old/pyproject.toml": toml})
    (here / "pyproject.toml").write_text('[tool.app]\npackages = ["shop"]\n')

    other = called(empty_project, "migrate")
    assert other.returncode == 1
    assert "make adopt is changing this checkout, or was killed meanwhile." in other.stderr
    assert "Do:    make adopt, which undoes it" in other.stderr

    again = called(empty_project, "adopt")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "An earlier make adopt was killed. Its changes of this checkout are undone." in again.stderr
    assert (here / "pyproject.toml").read_text() == toml
    assert not (here / ".adopt").exists()


def test_the_proof_is_data(empty_project: Project, tmp_path: Path) -> None:
    assert empty_project.run("adopt", f"--proof={tmp_path}/proof.json").returncode == 0

    found = json.loads((tmp_path / "proof.json").read_text())
    assert (found["revisions"], found["differences"], found["against_models"]) == (2, [], [])
