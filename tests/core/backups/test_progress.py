"""scripts/core/backups/progress.py"""

from typing import Any

from scripts.core.backups import create, progress
from scripts.core.postgres import connections
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, silent


def test_the_rows_of_a_dump_are_told_while_it_runs(filled: Settings) -> None:
    execute(filled, "CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 300000) n")
    messages: list[tuple[int, int]] = []

    create.make(filled, create.Wanted(), silent, lambda done, total, what: messages.append((done, total)))

    assert messages
    assert {total for _, total in messages} == {300161}
    done = [done for done, _ in messages]
    assert done == sorted(done)
    assert 0 < max(done) <= 300161


def test_a_table_that_was_seen_and_is_done_counts_whole(filled: Settings) -> None:
    messages: list[tuple[int, int]] = []
    copying = [{"public.a": 10}, {"public.a": 60, "public.b": 1}, {"public.b": 2}, {}]

    class Looks:
        """What PostgreSQL would say of running COPYs."""

        def execute(self, _query: object) -> list[object]:
            return [type("Row", (), {"name": name, "rows": rows}) for name, rows in copying.pop(0).items()]

    looks: Any = Looks()
    rows = {"public.a": 100, "public.b": 5}
    tick = progress.watch(looks, rows, lambda done, total, _: messages.append((done, total)))
    for _ in range(4):
        tick()

    assert messages == [(10, 105), (61, 105), (102, 105), (105, 105)]


def test_it_looks_at_its_own_database_only(filled: Settings, target: Settings) -> None:
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        messages: list[tuple[int, int]] = []
        progress.watch(connection, {"public.users": 3}, lambda done, total, _: messages.append((done, total)))()

    assert messages == [(0, 3)]
