"""Our backups against plain pg_dump and psql, on a database of realistic rows."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import text

from scripts.core import ROOT, subprocesses
from scripts.core.backups import create, restore, verify
from scripts.core.backups.store import Backup
from scripts.core.postgres import client_programs, connections, databases, wheel
from scripts.core.postgres.scratch import Scratch
from scripts.core.settings import Settings
from tests.bench import peers

TABLES = 8
ROW = 270
"""Bytes of a row on the disk, indexes not counted."""
_TABLE = """
CREATE TABLE orders{n} AS SELECT id, (id * 7919) % 50000 AS customer_id,
    (ARRAY['new', 'paid', 'sent', 'returned'])[1 + id % 4] AS state,
    timestamptz '2026-01-01' + id * interval '7 seconds' AS placed_at,
    round((random() * 500)::numeric, 2) AS amount, md5(id::text) || '@example.com' AS email,
    'Order of ' || (ARRAY['two books', 'a red lamp', 'some tea', 'the old chair'])[1 + id % 4] || ', to be brought to '
        || (id % 900) || ' Long Street, on a day of the week ' || id % 7 AS note,
    jsonb_build_object('from', 'web', 'number', id, 'tags', jsonb_build_array(id % 10, 'gift')) AS details
    FROM generate_series(1, {rows}) id;
ALTER TABLE orders{n} ADD PRIMARY KEY (id);
CREATE INDEX ON orders{n} (customer_id);
CREATE INDEX ON orders{n} (placed_at, state)"""

_PEAK = """
import contextlib, importlib, resource, sys
from scripts.core import command

with contextlib.redirect_stdout(sys.stderr):
    code = command.run(importlib.import_module("scripts." + sys.argv[1]).main, sys.argv[2:])
print(max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) // 1024)
sys.exit(code)
"""


@dataclass
class Contest:
    """Both sides on one database of the scratch server. Each method does it once and returns its seconds."""

    server: Scratch
    source: Settings
    folder: Path
    taken: list[Backup] = field(default_factory=list)

    @property
    def plain(self) -> Path:
        return self.folder / "plain.sql.gz"

    def back_up(self) -> float:
        started = time.monotonic()
        self.taken.append(create.make(self.source, create.Wanted()))
        return time.monotonic() - started

    def back_up_plainly(self) -> float:
        return _seconds(f"pg_dump | gzip > '{self.plain}'", self.source)

    def restore(self) -> float:
        """With the checks, and the swap into the place of an empty database."""
        target = peers.database(self.server)
        started = time.monotonic()
        old = restore.put_in_place(target, self.taken[0], None)
        took = time.monotonic() - started
        for name in (old, str(target.database_url.database)):
            databases.drop(self.server.server, name)
        return took

    def restore_plainly(self) -> float:
        """Into an empty database."""
        target = peers.database(self.server)
        took = _seconds(f"gunzip < '{self.plain}' | psql --quiet --no-psqlrc --set ON_ERROR_STOP=1", target)
        databases.drop(self.server.server, str(target.database_url.database))
        return took

    def peaks(self) -> list[int]:
        """Megabytes that the largest process of a backup takes, of a full verification, and of a restore."""
        verbs = (["backup"], ["verify_backup", "latest"], ["restore", "latest"])
        confirmed = {**os.environ, **peers.environment(self.source), "CONFIRM": str(self.source.database_url.database)}
        words = [sys.executable, "-c", _PEAK]
        return [int(subprocesses.output([*words, *verb], cwd=ROOT, env=confirmed) or 0) for verb in verbs]

    def verify(self) -> float:
        started = time.monotonic()
        verify.verify(replace(self.source, runtime="embedded"), self.taken[0], verify.FULL)
        return time.monotonic() - started


@contextmanager
def contest(server: Scratch, megabytes: int) -> Iterator[Contest]:
    """On a database of so many megabytes, its indexes not counted."""
    source = peers.database(server)
    with connections.connect(source) as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        connection.execute(text(tables(megabytes * 1_000_000 // ROW // TABLES)))
        connection.execute(text("ANALYZE"))
        connection.commit()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BACKUP_DIR"] = f"{folder}/backups"
        yield Contest(server, source, Path(folder))


def tables(rows: int) -> str:
    """Statements that make all tables, with so many rows in each."""
    return ";".join(_TABLE.format(n=number, rows=rows) for number in range(TABLES))


def _seconds(command: str, target: Settings) -> float:
    folder = Path(client_programs.find("pg_dump", int(wheel.MAJOR))).parent
    environment = {**connections.tool_environment(target.database_url), "PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocesses.seconds(["sh", "-c", command], environment=environment)
