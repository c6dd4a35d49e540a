"""The failing rows as they are when the statement fails, after what the revision has changed before it."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from scripts.core.errors import UserError
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.steps import Commits
from scripts.core.postgres import driver
from scripts.core.revisions import checksum
from scripts.core.settings import Settings


def read(copy: Settings, revision: str, queries: Sequence[str]) -> list[list[tuple[str, ...]]]:
    """Run the revision on the copy until a statement fails, in the child. Return the rows of each query then.

    The revision is rolled back, as before. Return nothing if a query fails.
    """
    found: list[list[tuple[str, ...]]] = []

    def attach(connection: Connection, _revision: Callable[[], str], _commits: Commits) -> None:
        session = driver.session(connection)

        def execute(cursor: object, sql: str, parameters: object, _context: object) -> bool:
            if checksum.line() is None or not driver.in_transaction(session):
                return False
            driver.ask(session, "SAVEPOINT failing_rows")
            try:
                cursor.execute(sql, parameters)  # type: ignore[attr-defined]
            except Exception:
                with suppress(DBAPIError):
                    driver.ask(session, "ROLLBACK TO SAVEPOINT failing_rows")
                    found[:] = [[tuple(map(str, row)) for row in driver.rows(session, query)] for query in queries]
                raise
            if driver.in_transaction(session):
                driver.ask(session, "RELEASE SAVEPOINT failing_rows")
            return True

        event.listen(connection.engine, "do_execute", execute)

    with suppress(UserError):
        alembic_commands.traced(copy, revision, lambda _step: None, attach)
    return found
