"""The report of a large verification: how large it is, and how soon a browser shows it."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from scripts.core import subprocesses
from scripts.core.postgres import connections
from scripts.core.postgres.scratch import Scratch
from scripts.core.reports.store import PAGE
from scripts.core.settings import Settings
from tests.bench import peers

_REVISION = '''"""Change the tables {a} to {d}"""

from alembic import op

revision = "r{number}"
down_revision = "r{before}"


def upgrade():
    op.execute("ALTER TABLE t{a} ADD COLUMN note text, ADD COLUMN seen_at timestamptz")
    op.execute("UPDATE t{a} SET note = 'from before', seen_at = d WHERE note IS NULL")
    op.execute("CREATE INDEX ix_t{b}_h ON t{b} (h)")
    op.execute("ALTER TABLE t{c} ADD CONSTRAINT ck_t{c}_c CHECK (c >= 0)")
    op.execute("ALTER TABLE t{d} ADD CONSTRAINT fk_t{d}_c_t{a} FOREIGN KEY (c) REFERENCES t{a} (id)")


def downgrade():
    op.execute("ALTER TABLE t{d} DROP CONSTRAINT fk_t{d}_c_t{a}")
    op.execute("ALTER TABLE t{c} DROP CONSTRAINT ck_t{c}_c")
    op.execute("DROP INDEX ix_t{b}_h")
    op.execute("ALTER TABLE t{a} DROP COLUMN seen_at, DROP COLUMN note")
'''
CHROMIUM = shutil.which("chromium")
CHANGED = 4
"""Tables that it changes."""
_ROWS = "INSERT INTO t{number} (id, a, c) SELECT n, 'row ' || n, n FROM generate_series(1, 20) n"
# Every table counts as large, so that there is something to tell of each.
_SETTINGS = {"LARGE_TABLE_ROWS": "10", "ACCEPT": "drift,budget,H02,H03,H04,H05,H06"}
_CLOCK = """<script>
addEventListener("load", () => { document.body.getBoundingClientRect(); document.title = performance.now() / 1000 })
</script></body>"""
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@contextmanager
def report(server: Scratch, revisions: int) -> Iterator[Path]:
    """The folder that a verification of so many revisions has left, each of which changes four tables."""
    target = peers.database(server)
    with tempfile.TemporaryDirectory() as made, peers.checkouts(["SELECT 1"]) as both:
        _make_tables(target, revisions * CHANGED)
        peers.upgrade(both.ours, target)
        for number in range(1, revisions + 1):
            tables = dict(zip("abcd", range((number - 1) * CHANGED + 1, number * CHANGED + 1), strict=True))
            code = _REVISION.format(number=number, before=number - 1, **tables)
            (both.ours / "alembic" / "versions" / f"r{number}.py").write_text(code)
        folders = {"BACKUP_DIR": f"{made}/backups", "REPORT_DIR": f"{made}/reports"}
        peers.verify_staging(both.ours, target, {**_SETTINGS, **folders})
        yield next(Path(made, "reports").iterdir())


def opened(report: Path) -> float:
    """Seconds from asking Chromium for the page until it is laid out."""
    page = (report / PAGE).read_text(encoding="utf-8").replace("</body>", _CLOCK)
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)  # it allows no script, so no clock
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, PAGE)
        copy.write_text(page, encoding="utf-8")
        words = [str(CHROMIUM), *_FLAGS, f"--user-data-dir={folder}/profile", "--dump-dom", copy.as_uri()]
        found = re.search(r"<title>([\d.]+)</title>", subprocesses.output(words) or "")
    return float(found[1]) if found else float("nan")


def _make_tables(target: Settings, number: int) -> None:
    peers.make_tables(target, number)
    with connections.connect(target) as connection:
        for table in range(1, number + 1):
            connection.execute(text(_ROWS.format(number=table)))
        connection.commit()
