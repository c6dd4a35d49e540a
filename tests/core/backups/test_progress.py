"""scripts/core/backups/progress.py"""

from typing import Any

from scripts.core import messages
from scripts.core.backups import create, progress
from scripts.core.postgres import connections
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute


def test_the_rows_of_a_dump_are_told_while_it_runs(filled: Settings) -> None:
    execute(filled, "CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 300000) n")
    shown: list[tuple[int, int, str]] = []

    with messages.sent_to(bar=lambda *progress: shown.append(progress)):
        create.make(filled, create.Wanted())

    assert shown
    assert {(total, what) for _, total, what in shown} == {(300161, "rows")}
    done = [done for done, _, _ in shown]
    assert done == sorted(done)
    assert 0 < max(done) <= 300161


def test_a_table_that_was_seen_and_is_done_counts_whole(filled: Settings) -> None:
    shown: list[tuple[int, int, str]] = []
    copying = [{"public.a": 10}, {"public.a": 60, "public.b": 1}, {"public.b": 2}, {}]

    class Looks:
        """What PostgreSQL would say of running COPYs."""

        def execute(self, _query: object) -> list[object]:
            return [type("Row", (), {"name": name, "rows": rows}) for name, rows in copying.pop(0).items()]

    looks: Any = Looks()
    rows = {"public.a": 100, "public.b": 5}
    tick = progress.watch(looks, rows)
    with messages.sent_to(bar=lambda *progress: shown.append(progress)):
        for _ in range(4):
            tick()

    assert shown == [(10, 105, "rows"), (61, 105, "rows"), (102, 105, "rows"), (105, 105, "rows")]


def test_it_looks_at_its_own_database_only(filled: Settings, target: Settings) -> None:
    shown: list[tuple[int, int, str]] = []
    with (
        connections.connect(target, isolation_level="AUTOCOMMIT") as connection,
        messages.sent_to(bar=lambda *progress: shown.append(progress)),
    ):
        progress.watch(connection, {"public.users": 3})()

    assert shown == [(0, 3, "rows")]
