"""What we compare ourselves with: raw Alembic on the same revisions with its documentation's env.py, pg_dump, and
pgcopydb's hash of a table.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import text

from scripts.core import ROOT, subprocesses
from scripts.core.postgres import client_programs, connections, scratch
from scripts.core.postgres.scratch import Scratch
from scripts.core.settings import Settings

ENV = """
import os
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg2:"))
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = """from alembic import op

revision = "r{number}"
down_revision = {before!r}


def upgrade():
    op.execute({sql!r})


def downgrade():
    pass
"""

TABLES = """DO $$ BEGIN FOR n IN 1..number LOOP
    EXECUTE format('CREATE TABLE t%s (id integer PRIMARY KEY, a text NOT NULL, b varchar(20) DEFAULT ''x'', c integer,
        d timestamptz DEFAULT now(), e numeric(10, 2), f boolean, g jsonb, h date, i integer REFERENCES t%s)',
        n, greatest(1, n - 1));
    EXECUTE format('CREATE INDEX ON t%s (a); CREATE INDEX ON t%s (b, c) WHERE c > 0', n, n);
END LOOP; END $$"""

OTHERS = """DO $$ BEGIN FOR n IN 1..number LOOP
    EXECUTE format('CREATE VIEW v%s AS SELECT id, a FROM t%s WHERE c > 3', n, n);
    EXECUTE format('CREATE FUNCTION f%s() RETURNS int LANGUAGE plpgsql AS ''BEGIN RETURN 1; END''', n);
    EXECUTE format('ALTER TABLE t%s ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t%s USING (c > 0)', n, n);
    EXECUTE format('GRANT SELECT ON t%s TO pg_monitor', n);
END LOOP; END $$"""

PEOPLE = """CREATE TABLE people AS SELECT id, 'user' || id AS name, 'person' || id || '@example.com' AS email,
    timestamptz '2026-01-01' + id * interval '7 seconds' AS joined_at, (id % 10000 / 100.0)::numeric(10, 2) AS amount,
    id % 3 > 0 AS active, repeat('n', id % 60) || id AS note FROM generate_series(1, number) id"""
PGCOPYDB = "SELECT count(1), md5(sum(hashtext(p::text)::bigint)::text)::uuid FROM ONLY people AS p"
"""As its `compare data` does."""

SHADOW = """
import time
from scripts.core import settings
from scripts.core.plan import shadow
from scripts.core.postgres import scratch
from scripts.core.revisions import history

started = time.monotonic()
revisions = history.load()
with scratch.session(settings.load()) as server:
    shadow.build(server, revisions, revisions.get_heads())
    print(time.monotonic() - started)
"""


@dataclass(frozen=True)
class Checkouts:
    """Folders in which `alembic upgrade head` runs the same revisions, our way and the plain one."""

    ours: Path
    raw: Path


@contextmanager
def checkouts(statements: Sequence[str]) -> Iterator[Checkouts]:
    """Checkouts with a revision for each statement."""
    with tempfile.TemporaryDirectory() as folder:
        ours, raw = Path(folder) / "ours", Path(folder) / "raw"
        versions = ours / "alembic" / "versions"
        versions.mkdir(parents=True)
        for number, sql in enumerate(statements):
            before = f"r{number - 1}" if number else None
            (versions / f"r{number}.py").write_text(REVISION.format(number=number, before=before, sql=sql))
        for name in ("alembic.ini", "app", "scripts", "alembic/env.py", "alembic/script.py.mako"):
            (ours / name).symlink_to(ROOT / name)
        (raw / "alembic").mkdir(parents=True)
        (raw / "alembic" / "versions").symlink_to(versions)
        (raw / "alembic" / "env.py").write_text(ENV)
        (raw / "alembic.ini").write_text("[alembic]\nscript_location = alembic\n")
        yield Checkouts(ours, raw)


def upgrade(checkout: Path, target: Settings) -> float:
    """Seconds that `alembic upgrade head` takes there, as a whole process."""
    alembic = str(Path(sys.executable).with_name("alembic"))
    return subprocesses.seconds([alembic, "upgrade", "head"], checkout, environment(target))


def add_revision(checkout: Path, number: int, sql: str) -> None:
    """One more after `number` of them."""
    code = REVISION.format(number=number, before=f"r{number - 1}", sql=sql)
    (checkout / "alembic" / "versions" / f"r{number}.py").write_text(code)


LOOPS = {
    "of one form": "op.execute(f'UPDATE t1 SET c = {n} WHERE id = {n}')",
    "all different": "op.execute(f'UPDATE t1 SET c = 1 WHERE id = {n} -- {hex(n).translate(LETTERS)}')",
}
"""A statement of a loop over n. A number in a comment would count as a literal."""
LETTERS = "LETTERS = str.maketrans('0123456789', 'ghijklmnop')\n"


def loop(checkout: Path, kind: str, number: int) -> None:
    """Make the first revision execute so many statements."""
    path = checkout / "alembic" / "versions" / "r0.py"
    body = f"    for n in range({number}):\n        {LOOPS[kind]}\n"
    code = REVISION.format(number=0, before=None, sql="")
    path.write_text(code.replace("    op.execute('')\n", body) + LETTERS)


def lint(checkout: Path, target: Settings) -> float:
    """Seconds that `make lint ALL=1` takes there, as a whole process; the models have none of the revisions' tables."""
    words = [sys.executable, "-m", "scripts.lint", "--all"]
    return subprocesses.seconds(words, checkout, {**environment(target), "ACCEPT": "drift"})


def up_and_down(checkout: Path, target: Settings) -> float:
    """Seconds that `alembic upgrade head` and `alembic downgrade base` take there, as two processes."""
    alembic = str(Path(sys.executable).with_name("alembic"))
    back = partial(subprocesses.seconds, [alembic, "downgrade", "base"], checkout, environment(target))
    return upgrade(checkout, target) + back()


def plan(checkout: Path, target: Settings) -> float:
    """Seconds that `make plan` takes there, as a whole process; the server of the target is its scratch server too."""
    return subprocesses.seconds([sys.executable, "-m", "scripts.plan"], checkout, environment(target))


def stamp(checkout: Path, target: Settings) -> float:
    """Seconds that `make stamp` takes there, as a whole process."""
    return subprocesses.seconds([sys.executable, "-m", "scripts.stamp"], checkout, environment(target))


def verify_staging(checkout: Path, target: Settings, settings: dict[str, str]) -> float:
    """Seconds that `make verify-staging` takes there, as a whole process."""
    words = [sys.executable, "-m", "scripts.verify_staging"]
    return subprocesses.seconds(words, checkout, {**environment(target), **settings})


def shadow(checkout: Path, server: Settings) -> float:
    """Seconds from the revision files to a database at their head, of a process that runs already."""
    whole = {**os.environ, **environment(server)}
    return float(subprocesses.output([sys.executable, "-c", SHADOW], cwd=checkout, env=whole) or "nan")


def environment(target: Settings) -> dict[str, str]:
    """For a command on that database, whose server is its scratch server too."""
    url = target.database_url
    return {
        "DATABASE_URL": url.set(drivername="postgresql").render_as_string(hide_password=False),
        "RUNTIME": "none",
        "APP_ENV": "development",
        "SCRATCH_HOST": str(url.host),
        "SCRATCH_PORT": str(url.port),
        "POSTGRES_USER": str(url.username),
        "POSTGRES_PASSWORD": str(url.password),
    }


def database(server: Scratch, template: str = "template0") -> Settings:
    """A new database of the scratch server, in which everything is allowed."""
    return scratch.as_administrator(server, scratch.create(server, template))


def make_tables(target: Settings, number: int) -> None:
    """So many tables, with 10 columns, 2 indexes and a foreign key each."""
    with connections.connect(target) as connection:
        connection.execute(text(TABLES.replace("number", str(number))))
        connection.commit()


def make_others(target: Settings, number: int) -> None:
    """A view, a function, a policy and a grant for so many of the tables."""
    with connections.connect(target) as connection:
        connection.execute(text(OTHERS.replace("number", str(number))))
        connection.commit()


def make_people(target: Settings, number: int) -> None:
    """A table of so many ordinary rows."""
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(PEOPLE.replace("number", str(number))))
        connection.execute(text("VACUUM ANALYZE people"))


def hashed(target: Settings) -> float:
    """Seconds of pgcopydb's statement."""
    with connections.connect(target) as connection:
        started = time.monotonic()
        connection.exec_driver_sql(PGCOPYDB)
        return time.monotonic() - started


def dump(target: Settings) -> float:
    """Seconds that pg_dump takes to write the schema, as a whole process."""
    words = [client_programs.newest("pg_dump"), "--schema-only"]
    return subprocesses.seconds(words, environment=connections.tool_environment(target.database_url))


WAITED_FOR = (
    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database d ON d.oid = database"
    " WHERE datname = current_database() AND NOT granted)"
)


def _hold(target: Settings, tables: Sequence[str], held: float, holding: Event, over: Event) -> None:
    with connections.connect(target, application_name="holder") as connection:
        for table in tables:
            connection.execute(text(f"SELECT FROM {table} WHERE id = 1"))
        holding.set()
        while not connection.scalar(text(WAITED_FOR)) and not over.wait(0.01):
            pass
        time.sleep(held)


def longest_wait(checkout: Path, target: Settings, tables: Sequence[str], held: float, readers: int) -> float:
    """The longest that a reader by key waited while a transaction held the tables and the migration wanted them.

    The `held` seconds begin when something waits for it: a migration takes its time to start.
    """
    waited: list[float] = []
    over, holding = Event(), Event()

    def read() -> None:
        with connections.connect(target, application_name="reader", isolation_level="AUTOCOMMIT") as connection:
            while not over.wait(0.005):
                for table in tables:
                    started = time.monotonic()
                    connection.execute(text(f"SELECT FROM {table} WHERE id = 1"))
                    waited.append(time.monotonic() - started)

    holder = Thread(target=_hold, args=(target, tables, held, holding, over))
    threads = [holder, *(Thread(target=read) for _ in range(readers))]
    holder.start()
    holding.wait()
    for thread in threads[1:]:
        thread.start()
    try:
        upgrade(checkout, target)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return max(waited)
