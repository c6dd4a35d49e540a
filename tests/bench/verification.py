"""Our staging verification against one restore and the migrations themselves, on a database of realistic rows; and the
hash of a table.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

from sqlalchemy import text

from scripts.core import subprocesses
from scripts.core.postgres import connections, databases
from scripts.core.postgres.scratch import Scratch
from scripts.core.rows import content_hash
from scripts.core.settings import Settings
from tests.bench import dumps, peers
from tests.bench.dumps import Contest
from tests.bench.peers import Checkouts

START = "r0"
"""The revision that has made what the database holds."""
PENDING = {
    "r1": (
        'op.execute("CREATE INDEX CONCURRENTLY by_email ON orders0 (email)")',
        'op.execute("DROP INDEX CONCURRENTLY by_email")',
    ),
    "r2": ('op.execute("ALTER TABLE orders0 ADD label text")', 'op.execute("ALTER TABLE orders0 DROP label")'),
    "r3": (
        "for id in range(1, 250_000, 25_000): op.execute(\"UPDATE orders0 SET label = state || ' ' || customer_id\""
        ' f" WHERE id >= {id} AND id < {id + 25_000}")',
        "pass",
    ),
}
"""What each pending revision does and undoes."""
_REVISION = """from alembic import op

revision = {revision!r}
down_revision = {before!r}


def upgrade():
    with op.get_context().autocommit_block():
        {upgrade}


def downgrade():
    with op.get_context().autocommit_block():
        {downgrade}
"""


VERIFY = "from scripts import verify_staging; verify_staging.main(['--json'])"
"""Whatever comes out of it: these tables are in no model, which is drift."""


@dataclass
class Race:
    """Both sides. Each method does it once and returns its seconds."""

    contest: Contest
    checkouts: Checkouts
    gates: dict[str, float] = field(default_factory=dict)
    """Seconds of each gate of the last verification."""

    def verify(self) -> float:
        """As a whole process, from a backup that is there."""
        environment = {**os.environ, **peers.environment(self.contest.source)}
        environment["REPORT_DIR"] = str(self.contest.folder / "reports")
        started = time.monotonic()
        said = subprocesses.output([sys.executable, "-c", VERIFY], cwd=self.checkouts.ours, env=environment)
        took = time.monotonic() - started
        assert said, "the verification did not come to its end"
        self.gates = seconds(said)
        return took

    def restore_and_migrate(self) -> float:
        """Our restore, and raw Alembic on a copy."""
        restored = self.contest.restore()
        copy = peers.database(self.contest.server, databases.name_of(self.contest.source.database_url))
        took = peers.upgrade(self.checkouts.raw, copy)
        databases.drop(self.contest.server.server, databases.name_of(copy.database_url))
        return restored + took


@dataclass
class Example:
    """This checkout's application, from its newest backup."""

    words: Sequence[str] = ("make", "verify-staging", "JSON=1")
    gates: dict[str, float] = field(default_factory=dict)
    """Seconds of each gate of the last verification, and of all before and after them."""

    def verify(self) -> float:
        started = time.monotonic()
        said = subprocesses.output(self.words)
        took = time.monotonic() - started
        assert said, "the verification has failed"
        self.gates = seconds(said)
        self.gates["the rest"] = took - sum(self.gates.values())
        return took


def seconds(document: str) -> dict[str, float]:
    """Seconds of each gate of a verification, from its document."""
    found = json.loads(document)["gates"]
    assert all(gate["status"] != "not run" for gate in found), found
    return {gate["name"]: gate["seconds"] for gate in found}


@contextmanager
def race(server: Scratch, megabytes: int) -> Iterator[Race]:
    """On a database of so many megabytes, its indexes not counted."""
    with dumps.contest(server, megabytes) as contest, peers.checkouts([dumps.tables(0)]) as checkouts:
        for before, revision in zip([START, *PENDING], PENDING, strict=False):
            upgrade, downgrade = PENDING[revision]
            code = _REVISION.format(revision=revision, before=before, upgrade=upgrade, downgrade=downgrade)
            (checkouts.ours / "alembic" / "versions" / f"{revision}.py").write_text(code)
        with connections.connect(contest.source) as connection:
            connection.execute(text("INSERT INTO alembic_version VALUES (:start)"), {"start": START})
            connection.commit()
        contest.back_up()
        yield Race(contest, checkouts)


def hashed(target: Settings) -> float:
    """Seconds in which the rows of the only table are read as a verification reads them."""
    with connections.connect(target) as connection:
        content_hash.pin(connection)
        (table,) = content_hash.tables(connection).values()
        started = time.monotonic()
        content_hash.read(connection, table, inf)
        return time.monotonic() - started
