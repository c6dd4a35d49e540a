"""Try a statement that will commit by itself in a transaction that is rolled back. There its locks can be read calmly.

PostgreSQL refuses some statements there, such as those with CONCURRENTLY and VACUUM.
"""

import re
from collections.abc import Callable, Collection
from contextlib import suppress

from sqlalchemy.exc import DBAPIError

from scripts.core.plan import session_state
from scripts.core.plan.session_state import Effects
from scripts.core.postgres import driver, statements
from scripts.core.postgres.driver import Session
from scripts.core.schema.catalog_snapshot import Snapshot

# A rollback does not undo these.
_STAYS = re.compile(r"(PREPARE|DEALLOCATE|DISCARD)\b|.*\bADVISORY_(UN)?LOCK")
# A sequence keeps the numbers that it gave to rows that were rolled back. Later rows must get these numbers.
_SEQUENCES = (
    "SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), last_value IS NOT NULL"
    " FROM pg_sequences"
)
_SET = "SELECT setval(%s::regclass, %s, %s)"


def effects(
    session: Session, sql: str, execute: Callable[[], None], known: Snapshot, own: Collection[int]
) -> Effects | None:
    """Return what `execute`, which executes `sql`, does to existing relations; None if it cannot be tried.

    The session is in no transaction.
    """
    words = statements.split(sql)
    if not driver.is_idle(session) or any(map(_STAYS.match, words)) or statements.controls_transaction(sql):
        return None
    sequences = driver.rows(session, _SEQUENCES)
    try:
        driver.ask(session, "BEGIN")
        before = session_state.look(session, known, own)
        execute()
        now = session_state.look(session, before.state, own, before)
        return session_state.effects(before, now, before.state.relations.keys() | before.state.indexes.keys())
    except DBAPIError:
        return None  # It will fail again, or it cannot run in a transaction.
    finally:
        if not session.closed:
            driver.ask(session, "ROLLBACK")
            _set_back(session, sequences)


def _set_back(session: Session, sequences: Collection[tuple[object, ...]]) -> None:
    """Set those sequences back that have changed."""
    changed = set(sequences) - set(driver.rows(session, _SEQUENCES))
    with suppress(DBAPIError):  # A role may use a sequence, and may not set it.
        for sequence in changed:
            driver.rows(session, _SET, *sequence)
