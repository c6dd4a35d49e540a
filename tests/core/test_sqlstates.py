"""The codes of errors, compared with the driver's list and with a server's errors."""

from collections.abc import Callable

import psycopg2
import pytest
from psycopg2 import errorcodes
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from scripts.core import sqlstates

NAMED = {name: code for name, code in vars(sqlstates).items() if name.isupper()}


@pytest.mark.parametrize("name", NAMED)
def test_a_code_has_postgresqls_name(name: str) -> None:
    assert NAMED[name] == getattr(errorcodes, name)


def test_the_code_of_an_error_is_the_servers(new_database: Callable[..., URL]) -> None:
    engine = create_engine(new_database(), poolclass=NullPool)
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT * FROM nowhere"))

    assert sqlstates.of(caught.value) == sqlstates.UNDEFINED_TABLE
    assert sqlstates.of(caught.value.orig) == sqlstates.UNDEFINED_TABLE


@pytest.mark.parametrize("error", [psycopg2.OperationalError("refused"), ValueError("no database"), None])
def test_what_no_server_said_has_no_code(error: Exception | None) -> None:
    assert sqlstates.of(error) == ""
