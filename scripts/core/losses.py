"""What a rollback would lose: found by running it on a copy, counted in the target."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import copies, migrations, postgres, scratch
from scripts.core.errors import UserError
from scripts.core.history import History
from scripts.core.mutex import Tell
from scripts.core.settings import Settings

# A column's numbers outlive a change of its name, which loses nothing.
_COLUMNS = text(
    "SELECT attrelid, attnum, attrelid::regclass::text AS relation, quote_ident(attname) AS name FROM pg_attribute"
    " JOIN pg_class ON pg_class.oid = attrelid WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped"
    " AND attrelid >= 16384 AND relname NOT IN ('alembic_version', 'migration_log') ORDER BY 3, 2"
)
_EXISTS = text("SELECT to_regclass(:relation) IS NOT NULL")


@dataclass(frozen=True)
class Loss:
    """A table or a column that goes, and how many rows or values are in it."""

    relation: str
    column: str | None
    count: int

    def __str__(self) -> str:
        if self.column is None:
            return f"{self.relation}: {self.count} rows"
        return f"{self.relation}.{self.column}: {self.count} values"


def find(target: Settings, revisions: History, at: Sequence[str], wanted: str, tell: Tell) -> list[Loss]:
    """What goes when the target is rolled back from `at` to `wanted`, raw SQL included. The target is only read.

    Rows that a downgrade deletes from a table that stays are not seen: the copy has none. Raises UserError when the
    downgrade fails on the copy, or without a scratch server.
    """
    with scratch.session(target) as server:
        copy, _ = copies.stand_in(server, target, revisions, at, tell)
        before = _columns(copy)
        with scratch.only(copy):
            try:
                migrations.downgrade(copy, wanted, lambda _step: None, tell)
            except UserError as error:
                raise scratch.failed(error) from error
        after = _columns(copy)
    gone = [where for where in before if where not in after]
    staying = {relation for relation, _ in after}
    tables = {before[where][0] for where in gone if where[0] not in staying}
    columns = [before[where] for where in gone if where[0] in staying]
    with postgres.connect(target) as connection:
        connection.exec_driver_sql("SET lock_timeout = '2s'")
        lost = [Loss(table, None, _count(connection, table, "*")) for table in sorted(tables)]
        return lost + [Loss(table, column, _count(connection, table, column)) for table, column in columns]


def _columns(database: Settings) -> dict[tuple[int, int], tuple[str, str]]:
    with postgres.connect(database) as connection:
        return {(row.attrelid, row.attnum): (row.relation, row.name) for row in connection.execute(_COLUMNS)}


def _count(connection: Connection, table: str, what: str) -> int:
    """Rows, or values that are not null; 0 for a table that the target lacks."""
    if not connection.scalar(_EXISTS, {"relation": table}):
        return 0
    try:
        return connection.exec_driver_sql(f"SELECT count({what}) FROM {table}".replace("%", "%%")).scalar() or 0
    except DBAPIError as error:
        raise UserError(
            f"Cannot count what would be lost in {table}: {postgres.first_line(error)}",
            do="end the session that locks it (make psql; SELECT * FROM pg_stat_activity), then run this again",
        ) from error
