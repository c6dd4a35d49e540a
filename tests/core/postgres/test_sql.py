"""Names and values of any characters stay names and values, and nothing else becomes SQL"""

import pytest
from sqlalchemy import Connection, text

from scripts.core.postgres import connections, sql
from scripts.core.postgres.sql import PLACE, Sql, compose, listed
from scripts.core.settings import Settings

ODD = ["plain", "two words", 'a"b', "it's", "100%s", "\\'; SELECT 1 --", "{0}", "ünïcode", "a.b", "select", " "]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("conforming", ["on", "off"])
def test_a_name_and_a_value_arrive_as_they_are(target: Settings, odd: str, conforming: str) -> None:
    with connections.connect(target) as connection:
        connection.exec_driver_sql(f"SET standard_conforming_strings = {conforming}")
        row = sql.run(connection, compose("SELECT {} AS {}, {}", sql.value(odd), sql.name(odd), PLACE), [odd]).one()

    assert tuple(row) == (odd, odd)
    assert next(iter(row._mapping)) == odd


@pytest.mark.parametrize("odd", [*ODD, "Users", "user_id"])
def test_a_name_that_people_type_is_the_same_name(target: Settings, odd: str) -> None:
    with connections.connect(target) as connection:
        sql.run(connection, compose("CREATE TABLE {} (id int)", sql.typed(odd)))
        sql.run(connection, compose("ALTER TABLE {} RENAME id TO {}", sql.typed(odd), sql.typed(odd)))
        found = connection.scalars(text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200"))
        assert list(found) == [odd]

    assert (sql.typed(odd) == odd) == (odd in ("plain", "user_id"))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT format('%I', 'a b')", '"a b"'),  # as for asyncpg: psycopg2 refused it
        ("SELECT format('%s', 'a b')", "a b"),
        ("SELECT '%%' || format('%s', 1)", "%%1"),
        ("SELECT 'a' LIKE 'a%%'", True),  # as for psycopg2
        ("SELECT '100%'", "100%"),
    ],
)
def test_a_statement_without_values_means_what_it_meant_to_its_driver(
    target: Settings, statement: str, expected: object
) -> None:
    with connections.connect(target) as connection:
        assert connection.exec_driver_sql(statement).scalar() == expected


def test_a_statement_is_made_of_pieces_only(target: Settings) -> None:
    message = 'users") ; DROP TABLE users --'
    with pytest.raises(TypeError):
        compose("SELECT count(*) FROM {}", message)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        sql.run(_never(), "SELECT 1")  # type: ignore[arg-type]

    assert compose("{} {}", sql.name("a", "b"), 3) == '"a"."b" 3'
    assert listed([Sql("a"), Sql("b")]) == "a, b"
    assert listed([]) == ""


def _never() -> Connection:
    return None  # type: ignore[return-value]
