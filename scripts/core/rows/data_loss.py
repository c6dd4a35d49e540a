"""Rows and values that a downgrade deletes, and how many of them the target has now."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from scripts.core import sqlstates
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.postgres import connections, driver, session_timeouts, sql
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.postgres.user_tables import RELATIONS
from scripts.core.settings import Settings

GONE = (sqlstates.INVALID_SCHEMA_NAME, sqlstates.UNDEFINED_TABLE, sqlstates.UNDEFINED_COLUMN)
"""An earlier step of the same downgrade has dropped it."""
NO_CAST = (
    sqlstates.UNDEFINED_OBJECT,
    sqlstates.DATATYPE_MISMATCH,
    sqlstates.CANNOT_COERCE,
    sqlstates.UNDEFINED_FUNCTION,
)
"""There is no such type, cast or comparison. A data exception is a value that cannot be cast."""
ROWS = Sql("true")
"""Every row of the relation is counted."""
_IS_THERE = text("SELECT to_regclass(:relation) IS NOT NULL")
_TABLES = text(
    f"SELECT c.oid::regclass::text FROM {RELATIONS} WHERE c.relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"
)
_WRITTEN = text(
    "SELECT EXISTS (SELECT FROM pg_stat_user_tables WHERE relid::regclass::text = ANY(:relations)"
    " AND n_tup_ins + n_tup_upd + n_tup_del > 0)"
)


@dataclass(frozen=True)
class Loss:
    """Rows or values that are lost, or may be lost."""

    relation: str
    """The name as PostgreSQL writes it, like the column and the condition."""
    column: str | None
    kind: str
    """What is counted, such as "rows" or "values that may not fit integer"."""
    count: int = 0
    where: str | None = field(default=None, compare=False)
    """The condition for the counted rows; None: nothing is counted."""

    def __str__(self) -> str:
        return f"{self.place}: {self.counted(self.count)}"

    def counted(self, number: int) -> str:
        """Return the number with the kind: 1 row, 2 values that may not fit integer."""
        noun, _, rest = self.kind.partition(" ")
        return f"{counted(number, noun.removesuffix('s'))} {rest}".rstrip()

    @property
    def place(self) -> str:
        return self.relation if self.column is None else f"{self.relation}.{self.column}"


@contextmanager
def counting(settings: Settings, url: URL | None = None) -> Iterator[Connection]:
    """Yield a session on the target's database, or on `url`. It counts, and keeps no lock."""
    # Row-level security would hide rows from the count; off turns that into an error.
    options = f"-c lock_timeout={session_timeouts.READING_LOCK} -c row_security=off"
    with connections.connect(
        settings, url, "alembic-count", options=options, isolation_level="AUTOCOMMIT"
    ) as connection:
        yield connection


def count(connection: Connection, loss: Loss) -> int:
    """Return how many there are now; 0 if the relation is gone. Raise UserError if they cannot be counted.

    A value that cannot be cast to its new type counts as one that does not fit.
    """
    if loss.where is None:
        return 0
    try:
        query = compose("SELECT count(*) FROM {} WHERE {}", spelled(loss.relation), spelled(loss.where))
        return _ask(connection, query) or 0
    except DBAPIError as error:
        code = sqlstates.of(error)
        if code in GONE:
            return 0
        if loss.column and (code in NO_CAST or code.startswith(sqlstates.CLASS_DATA_EXCEPTION)):
            return count(connection, replace(loss, column=None, where=compose("{} IS NOT NULL", spelled(loss.column))))
        raise _uncountable(f"what would be lost in {loss.relation}", error) from error


def lock(connection: Connection, loss: Loss) -> bool:
    """Lock a table whose rows are lost against writes until the transaction ends. Return whether it is locked.

    The table may be gone, and in autocommit no lock lasts.
    """
    there = (
        loss.where == ROWS
        and not driver.session(connection).autocommit
        and connection.scalar(_IS_THERE, {"relation": loss.relation})
    )
    if there:
        sql.run(connection, compose("LOCK TABLE {} IN SHARE MODE", spelled(loss.relation)))
    return bool(there)


def in_use(connection: Connection, losses: Sequence[Loss]) -> bool:
    """Return whether rows of one of these tables were written since PostgreSQL's statistics were reset."""
    return bool(connection.scalar(_WRITTEN, {"relations": [loss.relation for loss in losses]}))


def table_with_rows(connection: Connection) -> str | None:
    """Return the first table that has a row, or None. Raise UserError for a table that cannot be read."""
    for table in connection.scalars(_TABLES).all():
        try:
            if _ask(connection, compose("SELECT 1 FROM {} LIMIT 1", spelled(table))):
                return str(table)
        except DBAPIError as error:
            if sqlstates.of(error) not in GONE:
                raise _uncountable(f"whether {table} has rows", error) from error
    return None


def _ask(connection: Connection, query: Sql) -> int | None:
    return sql.run(connection, query).scalar()


def _uncountable(what: str, error: DBAPIError) -> UserError:
    return UserError(
        f"Cannot count {what}: {connections.first_line(error)}",
        why="Data that is not counted could be lost without a warning.",
        do="grant the role the right to read it, or end the session that locks it, then run this again",
    )
