"""The version of each step, written by the driver: SQLAlchemy would compile a statement for every revision."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.runtime import migration
from alembic.runtime.migration import HeadMaintainer
from alembic.util import CommandError

from scripts.core.postgres import driver, own_tables, sql
from scripts.core.postgres.sql import compose

_UPDATE = f"UPDATE {own_tables.VERSION} SET version_num = {{}} WHERE version_num = {{}} RETURNING 1"


class _Heads(HeadMaintainer):
    def _update_version(self, from_: str, to_: str) -> None:
        connection = self.context.connection
        if connection is None or not connection.in_transaction():
            super()._update_version(from_, to_)  # The revision has ended the transaction. SQLAlchemy begins another.
            return
        assert to_ not in self.heads
        self.heads.remove(from_)
        self.heads.add(to_)
        found = driver.rows(driver.session(connection), compose(_UPDATE, sql.value(to_), sql.value(from_)))
        if len(found) != 1:
            raise CommandError(f"{own_tables.VERSION} has {len(found)} rows with {from_} instead of one.")


@contextmanager
def by_driver() -> Iterator[None]:
    """Let Alembic write the version through the driver in the block."""
    original = migration.HeadMaintainer
    migration.HeadMaintainer = _Heads  # type: ignore[misc]
    try:
        yield
    finally:
        migration.HeadMaintainer = original  # type: ignore[misc]
