"""scripts/core/postgres/session_timeouts.py"""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from scripts.core.postgres import advisory_lock, replacement_lock
from tests.core.running import session


def hold(connection: Connection) -> None:
    advisory_lock.hold(connection, 1).__enter__()


def take(connection: Connection) -> None:
    replacement_lock.take(connection, "shop")


@pytest.mark.parametrize("lock", [hold, take])
def test_a_session_with_a_lock_may_be_idle_for_ever(
    lock: Callable[[Connection], None], new_database: Callable[..., URL]
) -> None:
    with session(new_database(), idle_session_timeout="60000") as connection:
        lock(connection)

        assert connection.scalar(text("SELECT current_setting('idle_session_timeout')")) == "0"
