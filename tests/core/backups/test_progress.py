"""scripts/core/backups/progress.py"""

from scripts.core.backups import create, progress
from scripts.core.postgres import connections
from scripts.core.settings import Settings
from tests.core.backups.conftest import execute, silent


def test_the_rows_of_a_dump_are_told_while_it_runs(filled: Settings) -> None:
    execute(filled, "CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 300000) n")
    told: list[tuple[int, int]] = []

    create.make(filled, create.Wanted(), silent, lambda done, total, what: told.append((done, total)))

    assert told
    assert {total for _, total in told} == {300161}
    done = [done for done, _ in told]
    assert done == sorted(done)
    assert 0 < max(done) <= 300161


def test_a_table_that_was_seen_and_is_done_counts_whole(filled: Settings) -> None:
    told: list[tuple[int, int]] = []
    copying = [{"public.a": 10}, {"public.a": 60, "public.b": 1}, {"public.b": 2}, {}]

    class Looks:
        """What PostgreSQL would say of running COPYs."""

        def execute(self, _query: object) -> list[object]:
            return [type("Row", (), {"name": name, "rows": rows}) for name, rows in copying.pop(0).items()]

    tick = progress.watch(Looks(), {"public.a": 100, "public.b": 5}, lambda done, total, _: told.append((done, total)))  # type: ignore[arg-type]
    for _ in range(4):
        tick()

    assert told == [(10, 105), (61, 105), (102, 105), (105, 105)]


def test_it_looks_at_its_own_database_only(filled: Settings, target: Settings) -> None:
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        told: list[tuple[int, int]] = []
        progress.watch(connection, {"public.users": 3}, lambda done, total, _: told.append((done, total)))()

    assert told == [(0, 3)]
